"""Bit-line drop: the charge that columns lose because their own currents lower their bit lines."""

from __future__ import annotations

import torch
from torch import Tensor

from surrogate.fast.clock import TINY, Clock
from surrogate.fast.tiles import TileFunctions


def remaining_charge(tiles: TileFunctions, steady: Tensor, projection: Tensor, clock: Clock) -> Tensor:
    """``steady`` charges [K, b, M] less what the drop costs, by ``projection`` [K, b, S, M] ∫ c·H_j dt on the clock.

    In each slot the column's H is a multiple of c(t); with z = κRH its remaining share of current solves
    i = 1 − z·i + η·(z·i)²/2.
    """
    z = projection * (clock.level / clock.square.clamp_min(TINY))[..., None] * tiles.response[:, None, None]
    b = 1 + z
    left = 2 / (b + torch.sqrt(b * b - 2 * tiles.curvature[:, None, None] * z * z))
    lost = projection / clock.level.clamp_min(TINY)[..., None] * (1 - left)
    return steady - tiles.share[:, None] * lost.sum(2)
