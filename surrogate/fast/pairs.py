"""Differences of column pairs over many VMMs, computed in parts that are computed again on the way back.

A layer needs of each pair of columns only the difference of their charges, summed over its row tiles. Up to the drop
that is linear in the expansion, so that half as many products do. For the way back only the inputs are kept and, by the
fused kernels, how much of each column's drop is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.fast.tiles import TileFunctions

PART = 2**18
"""Pulses computed together, so that they stay in the cache."""

LEAST, MOST = 512, 4096
"""VMMs computed together."""


@dataclass(frozen=True)
class PairFunctions:
    """R tiles of n rows and P column pairs; only ``current`` and ``amplitude`` are differentiable."""

    current: Tensor
    """[R, r·n, P] differences within pairs of :attr:`TileFunctions.current`"""
    amplitude: Tensor
    """[R, d·n, 2P] :attr:`TileFunctions.amplitude`, all positive columns before all negative ones"""
    mean: Tensor
    """[R, n]"""
    strength: Tensor
    """[R, 5]"""
    drop: tuple[Tensor, Tensor, Tensor]
    """[R, 2P] response, curvature and share"""


def pair_functions(tiles: TileFunctions, pairs: int) -> PairFunctions:
    """The first ``pairs`` pairs of columns (2k positive, 2k + 1 negative) of ``tiles``."""
    current, amplitude = _Apart.apply(tiles.current, tiles.amplitude, pairs)
    drop = (_apart(tiles.response, pairs), _apart(tiles.curvature, pairs), _apart(tiles.share, pairs))
    return PairFunctions(current, amplitude, tiles.mean, tiles.strength, drop)


def _apart(values: Tensor, pairs: int) -> Tensor:
    """The first ``pairs`` pairs of columns of ``values`` [..., M], all positive before all negative ones."""
    return torch.cat([values[..., 0 : 2 * pairs : 2], values[..., 1 : 2 * pairs : 2]], dim=-1)


class _Apart(torch.autograd.Function):
    """Differences of one tensor's pairs of columns, and the columns of another one apart."""

    @staticmethod
    def forward(ctx, current: Tensor, amplitude: Tensor, pairs: int) -> tuple[Tensor, Tensor]:  # type: ignore[no-untyped-def,override]
        ctx.columns = current.shape[-1]
        return current[..., 0 : 2 * pairs : 2] - current[..., 1 : 2 * pairs : 2], _apart(amplitude, pairs)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, to_difference: Tensor, to_apart: Tensor) -> tuple[Tensor, Tensor, None]:  # type: ignore[no-untyped-def,override]
        pairs = to_difference.shape[-1]
        both = (to_difference, -to_difference), to_apart.split(pairs, dim=-1)
        given = [values.new_zeros(*values.shape[:-1], ctx.columns) for values, _ in both]
        for to, sides in zip(given, both, strict=True):
            for side, values in enumerate(sides):
                to[..., side : 2 * pairs : 2] = values
        return given[0], given[1], None


def parts(vmms: int, pulses: int) -> list[tuple[int, int]]:
    """First and last + 1 of ``vmms`` VMMs of ``pulses`` each that are computed together."""
    step = max(LEAST, min(MOST, PART // max(1, pulses)))
    return [(first, min(vmms, first + step)) for first in range(0, vmms, step)]


def columns_apart(charge: Tensor) -> Tensor:
    """Differences [..., M/2] of neighbouring columns of ``charge`` [..., M]."""
    return charge[..., 0::2] - charge[..., 1::2]


def recomputed(function, *given: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
    """``function(*given)``, of which nothing is kept but what it is given."""
    if not torch.is_grad_enabled():
        out: Tensor = function(*given)
        return out
    from torch.utils.checkpoint import checkpoint

    out = checkpoint(function, *given, use_reentrant=False, preserve_rng_state=False)
    return out
