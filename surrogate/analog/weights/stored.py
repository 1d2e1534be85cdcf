"""What cells hold of the level that they are told: a curve, and how the two sides of a pair differ."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class StoredCurve:
    """Levels (1 − exp(−ν·l))/(1 − exp(−ν)) of told levels l, the saturating curve of repeated equal programming pulses
    (Chen, Peng, Yu, "NeuroSim+", IEDM 2017, equations 1–3); ν = 0: exactly l. Levels of the negative side of a
    pair are 1 − ``asymmetry`` times as large. The read-out knows of neither."""

    nonlinearity: float = 0.0
    asymmetry: float = 0.0

    def __call__(self, level: Tensor) -> Tensor:
        """Stored levels of ``level`` in 0 … 1."""
        nu = self.nonlinearity
        return torch.expm1(-nu * level) / math.expm1(-nu) if nu else level

    def negative(self, level: Tensor) -> Tensor:
        """Stored levels of ``level`` on the negative side."""
        return (1 - self.asymmetry) * self(level) if self.asymmetry else self(level)


LINEAR = StoredCurve()
"""Cells that hold the level that they are told."""
