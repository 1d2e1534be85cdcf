"""Telegraph noise in charges: one trap in every cell, drawn as what it is, one of two levels and jumps between them."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from surrogate.effects.effect import Read, normal
from surrogate.noise import TelegraphNoise

ENOUGH = 9.0
"""n·p(1 − p) from which on a sum of n levels counts as normal (the rule of de Moivre and Laplace): its skewness is
below 1/3 then, its excess kurtosis below 1/9."""

PART = 2**22
"""Cells of columns that are drawn together, which bounds memory."""


def telegraph_charges(noise: TelegraphNoise, read: Read, run: float | None, generator: Generator | None) -> Tensor:
    """What traps add to charges, [P, v, G, R, C, M] float64, every VMM's being independent; with ``run`` s only as much
    as VMMs within that time differ by, of the same distribution but for its width.

    Columns that sum :data:`ENOUGH` levels are normal with the closed form's variance; of all others the time that each
    cell spends in its high state is drawn. A pulse that averages its level down to a share v of a level's variance
    counts for 1/v levels, and cells count by the square of their charge.
    """
    pq, current = noise.occupancy_variance, read.current.double() / read.current_scale
    power, squares = noise.jump_squared(current), read.width.double().square()
    averaged = noise.averaged(read.width.double() * read.time_scale)
    left = torch.ones_like(averaged)
    if run is not None:
        left = (1 - noise.averaged(torch.tensor(run, dtype=torch.float64)) / averaged).clamp_min(0)
    of_width = pq * squares * averaged * left
    variance = read.column_sums(of_width, power)
    fourth = read.column_sums(of_width.square() * averaged, power.square())
    some = variance > 0  # the slope of a root at zero is infinite
    sigma = torch.where(some, variance, 1.0).sqrt() * some
    few = some & (pq * variance.square() < ENOUGH * fourth)
    shift = sigma * normal(sigma, generator)
    if not bool(few.any()):
        return shift
    weight = torch.where(left > 0, left, 1.0).sqrt() * (left > 0) * read.width
    return shift.masked_scatter(few, _of_traps(noise, read, weight, current, few, generator))


def _of_traps(
    noise: TelegraphNoise, read: Read, weight: Tensor, current: Tensor, few: Tensor, generator: Generator | None
) -> Tensor:
    """Charges of the columns that are ``few`` [P, v, G, R, C, M], one after the other, of cells whose time in the high
    state counts with ``weight`` [P, v, G, R, n] and ``current`` [G, R, C, n, M]."""
    seconds = read.width.detach().double() * read.time_scale

    def part(p: Tensor, v: Tensor, g: Tensor, r: Tensor, c: Tensor, m: Tensor) -> Tensor:
        share = noise.drawn_share(seconds[p, v, g, r], generator)
        return noise.amplitude * (weight[p, v, g, r] * current[g, r, c, :, m] * share).sum(-1)

    parts = few.nonzero().split(max(1, PART // weight.shape[-1]))
    if len(parts) == 1 or generator is not None or not torch.is_grad_enabled():
        return torch.cat([part(*some.unbind(-1)) for some in parts])
    from torch.utils.checkpoint import checkpoint

    return torch.cat([checkpoint(part, *some.unbind(-1), use_reentrant=False) for some in parts])
