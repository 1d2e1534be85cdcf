"""Differences of column pairs over many VMMs, computed in parts that are computed again on the way back.

A layer needs of each pair of columns only the difference of their charges, summed over its row tiles. Up to the drop
that is linear in the expansion, so that half as many products do. For the way back only the inputs are kept and, by the
fused kernels, how much of each column's drop is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

PART = 2**18
"""Pulses computed together, so that they stay in the cache."""

LEAST, MOST = 2048, 4096
"""VMMs computed together."""


@dataclass(frozen=True)
class PairFunctions:
    """R tiles of n rows and P column pairs; only ``current`` and ``amplitude`` are differentiable."""

    current: Tensor
    """[R, r·n, P] differences within pairs of :attr:`~surrogate.fast.tiles.TileFunctions.current`"""
    amplitude: Tensor
    """[R, d·n, 2P] :attr:`~surrogate.fast.tiles.TileFunctions.amplitude`, all positive columns before negative ones"""
    mean: Tensor
    """[R, n]"""
    strength: Tensor
    """[R, 5]"""
    drop: tuple[Tensor, Tensor, Tensor]
    """[R, 2P] response, curvature and share"""


def sides_apart(values: Tensor, sides: int, pairs: int) -> Tensor:
    """Values [R·C, M] of the columns of tiles, each C = ``sides`` side by side, as [R, 2P]: of the first ``pairs`` P
    pairs (2k positive, 2k + 1 negative) all positive columns before all negative ones."""
    joined = values.unflatten(0, (-1, sides)).flatten(1)
    return torch.cat([joined[:, 0 : 2 * pairs : 2], joined[:, 1 : 2 * pairs : 2]], dim=-1)


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
