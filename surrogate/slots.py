"""Adaptive time slots: from durations to activation patterns and their lengths."""

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
