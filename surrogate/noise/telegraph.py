"""Random telegraph noise: one trap that takes and gives back an electron."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.errors import InputError

SERIES_BELOW = 1e-3
"""Width over relaxation time below which a series stands for a difference of nearly equal numbers."""


@dataclass(frozen=True)
class TelegraphNoise:
    """A current that jumps between I and I·(1 + ``amplitude``), exponential times in each.

    Its covariance is (amplitude·I)²·p(1 − p)·exp(−|t|/τ), 1/τ = 1/τ_low + 1/τ_high, p = τ_high/(τ_low + τ_high)
    (Machlup, J. Appl. Phys. 25, 341, 1954). Raises :class:`InputError` for senseless parameters.
    """

    amplitude: float
    """Jump relative to the current"""
    time_low: float
    """Mean time in the low state, s"""
    time_high: float
    """Mean time in the high state, s"""

    def __post_init__(self) -> None:
        if not 0 <= self.amplitude <= 1:
            raise InputError(f"noise.telegraph.amplitude {self.amplitude!r}: give a share of the current from 0 to 1")
        for name in ("time_low", "time_high"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"noise.telegraph.{name} {value!r}: give a positive time in s")

    @property
    def relaxation_time(self) -> float:
        """τ, s."""
        return self.time_low * self.time_high / (self.time_low + self.time_high)

    @property
    def occupancy_variance(self) -> float:
        """p(1 − p)."""
        return self.time_low * self.time_high / (self.time_low + self.time_high) ** 2

    def density(self, current: Tensor, frequency: Tensor) -> Tensor:
        """Density of the noise of ``current`` A at ``frequency`` Hz, A²/Hz: a Lorentzian."""
        power = self.occupancy_variance * (self.amplitude * current).square()
        return 4 * power * self.relaxation_time / (1 + (2 * math.pi * frequency * self.relaxation_time).square())

    def jump_squared(self, current: Tensor) -> Tensor:
        """Square of the jump of ``current`` A, A²."""
        return (self.amplitude * current).square()

    def charge_variance(self, current: Tensor, width: Tensor) -> Tensor:
        """Variance of the charge of a pulse of ``width`` s in the steady state, C²."""
        return self.jump_squared(current) * self.time_factor(width)

    def time_factor(self, width: Tensor) -> Tensor:
        """2·p(1 − p)·τ²·(T/τ − 1 + exp(−T/τ)) of every ``width`` T, s²: p(1 − p)·T² for pulses far shorter than τ (the
        trap rests), 2·p(1 − p)·τ·T for far longer ones (white)."""
        x = width / self.relaxation_time
        exact = x + torch.expm1(-x)
        series = x.square() * (0.5 - x / 6)
        return 2 * self.occupancy_variance * self.relaxation_time**2 * torch.where(x < SERIES_BELOW, series, exact)
