"""The clock of the mean column: how the current of a tile falls as its pulses end, one curve per VMM.

The currents of all columns fall alike, up to an amplitude and to small deviations, so one basis function c(t) (in
each of a few slots) carries the time dependence of the bit-line drop. As the charge is stationary under changes of
that function, a coarse time grid and the mean activity of the neighbours are enough to find it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


def grid_of(slots: int, drop_terms: int) -> int:
    """Steps of the time grid over the time scale. Charges are stationary in what the grid resolves, so that with one
    slot and one product few nodes are as good as a hundred; several slots need their edges where they belong."""
    if slots > 1:
        return 32
    return 5 if drop_terms == 1 else 15


TINY = 1e-20


@dataclass(frozen=True)
class Clock:
    """The mean column's current c(t) in b VMMs on each of K tiles, in S slots; only ``elapsed`` is differentiable."""

    elapsed: Tensor
    """[K, b, S, N] ∫ c dt until each row's pulse ends, in each slot"""
    square: Tensor
    """[K, b, S] ∫ c² dt"""
    level: Tensor
    """[K, b, S] ∫ c³ dt / ∫ c² dt: the current at which a slot's drop is evaluated"""


class _Elapsed(torch.autograd.Function):
    """Readings of each slot's clock at durations, for a current that is piecewise linear on the grid."""

    @staticmethod
    def forward(ctx, duration: Tensor, current: Tensor, reading: Tensor, edge: Tensor) -> Tensor:  # type: ignore[no-untyped-def,override]
        grid = current.shape[-1] - 1
        place = duration * grid
        index = place.floor().clamp(0, grid - 1).long()
        late = place - index
        start, end = current.gather(-1, index), current.gather(-1, index + 1)
        read = reading.gather(-1, index) + late * (start + 0.5 * late * (end - start)) / grid
        slots = edge.shape[-1] - 1
        slot = (torch.searchsorted(edge, read.contiguous()) - 1).clamp(0, slots - 1)
        ctx.save_for_backward(torch.lerp(start, end, late), slot)
        low, high = edge[..., :-1, None], edge[..., 1:, None]
        return read[..., None, :] if slots == 1 else (read[..., None, :].minimum(high) - low).clamp_min(0)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None, None]:  # type: ignore[no-untyped-def,override]
        slope, slot = ctx.saved_tensors
        return slope * gradient.gather(-2, slot[..., None, :]).squeeze(-2), None, None, None


def mean_clock(duration: Tensor, weight: Tensor, strength: Tensor, slots: int, grid: int) -> Clock:
    """Clock of ``duration`` [K, b, N] (0 … 1, time scale) where row i of the mean column carries ``weight`` [K, N]
    and active neighbours act on it by ``strength`` [K, 5], coefficients of the powers of their share; in steps of
    1 / ``grid``."""
    with torch.no_grad():
        current = _falling_current(duration, weight, strength, grid)
        step = 0.5 * (current[..., 1:] + current[..., :-1])
        charge = step / grid
        reading = torch.nn.functional.pad(charge.cumsum(-1), (1, 0))
        middle = reading[..., :-1] + 0.5 * charge
        slot = (middle * (slots / reading[..., -1:].clamp_min(TINY))).long().clamp(0, slots - 1)

        def per_slot(values: Tensor) -> Tensor:
            return torch.zeros_like(values[..., :slots]).scatter_add(-1, slot, values)

        square = per_slot(step * charge)
        level = per_slot(step.square() * charge) / square.clamp_min(TINY)
        edge = torch.nn.functional.pad(per_slot(charge).cumsum(-1), (1, 0))
    elapsed: Tensor = _Elapsed.apply(duration, current, reading, edge)
    return Clock(elapsed, square, level)


def _falling_current(duration: Tensor, weight: Tensor, strength: Tensor, grid: int) -> Tensor:
    """Current [K, b, grid + 1] of the mean column at the grid's times, every step spread over one step of the grid
    and the neighbours counted by the share of rows still active."""
    place = duration * grid + 0.5
    index = place.floor().clamp(0, grid).long()
    carried = (weight[:, None] * (duration > 0)).to(duration.dtype)
    at_node = carried * (place - index)
    size = (*duration.shape[:-1], grid + 1)
    before = torch.zeros(size, dtype=duration.dtype, device=duration.device).scatter_add(-1, index, carried)
    active = before.flip(-1).cumsum(-1).flip(-1).scatter_add(-1, index, at_node - carried)
    share = active / weight.sum(-1)[:, None, None].clamp_min(TINY)
    factor = torch.zeros_like(share)
    for power in reversed(strength.unbind(-1)):
        factor = factor * share + power[:, None, None]
    return active * factor
