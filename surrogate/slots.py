"""Adaptive time slots: from durations to activation patterns and the time that each row spends in them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Slots:
    """Slots of n VMMs of N rows; every VMM has S = N slots, some of length zero (ties and idle rows)."""

    active: Tensor
    """[n, S, N] 1 where the row is active in the slot, else 0."""
    length: Tensor
    """[n, S] s"""
    closing: Tensor
    """[n, S, N] 1 in the last slot of non-zero length of each row with a pulse, else 0."""


def adaptive_slots(duration: Tensor) -> Slots:
    """Slots between successive pulse ends of ``duration`` [n, N] s, whose pulses all start together."""
    end, _ = duration.sort(dim=-1)
    start = torch.cat([torch.zeros_like(end[..., :1]), end[..., :-1]], dim=-1)
    active = (duration[:, None, :] > start[:, :, None]).to(duration.dtype)
    after = torch.cat([active[:, 1:], torch.zeros_like(active[:, :1])], dim=1)
    return Slots(active=active, length=end - start, closing=active - after)


def effective_time(slots: Slots, edge: Tensor | float) -> Tensor:
    """Time [n, S, N] s for which each row conducts in each slot: the slot's length while active, less ``edge`` s in
    the row's last slot, for the part of its two edges in which the cell does not conduct yet or any more."""
    return slots.length[:, :, None] * slots.active - edge * slots.closing
