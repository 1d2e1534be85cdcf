"""Random telegraph noise: one trap that takes and gives back an electron."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

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
        return 1 / (1 / self.time_low + 1 / self.time_high)

    @property
    def occupancy(self) -> float:
        """p, the share of all time in the high state."""
        return self.time_high / (self.time_low + self.time_high)

    @property
    def occupancy_variance(self) -> float:
        """p(1 − p)."""
        return self.occupancy * (1 - self.occupancy)

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
        return self.occupancy_variance * width.square() * self.averaged(width)

    def averaged(self, width: Tensor) -> Tensor:
        """What averaging over every ``width`` T s leaves of a level's variance p(1 − p): 2(x − 1 + exp(−x))/x² with
        x = T/τ, 1 for pulses far shorter than τ."""
        x = width / self.relaxation_time
        long = x >= SERIES_BELOW
        safe = torch.where(long, x, 1.0)
        return torch.where(long, 2 * (safe + torch.expm1(-safe)) / safe.square(), 1 - x / 3)

    def drawn_share(self, width: Tensor, generator: Generator | None = None) -> Tensor:
        """Share of each ``width`` s that a trap of its own spends in the high state, less its mean p; drawn exactly.

        A trap forgets its state at the times of a Poisson process of rate 1/τ, and is high with probability p from
        each to the next. So with n ~ Poisson(T/τ) of them in a pulse, k ~ Binomial(n + 1, p) of its n + 1 intervals,
        whose lengths are uniform on a simplex, are high: their share is Beta(k, n + 1 − k). A pulse far shorter than τ
        has n = 0 and one of two levels; of far longer ones the share is normal.
        """
        p = self.occupancy
        times = torch.poisson(width.detach() / self.relaxation_time, generator)
        share = (torch.rand(width.shape, generator=generator, device=width.device) < p).to(width.dtype)
        some = times > 0
        if bool(some.any()):
            intervals = times[some] + 1
            high = torch.binomial(intervals, torch.full_like(intervals, p), generator)
            # a gamma variable of shape 0 is 0, which the sampler does not take
            lengths = [
                torch._standard_gamma(count.clamp_min(1), generator) * (count > 0) for count in (high, intervals - high)
            ]
            share[some] = lengths[0] / (lengths[0] + lengths[1])
        return share - p
