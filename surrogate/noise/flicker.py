"""1/f noise: S(f) = K/f, from slow traps; what is left of it after a calibration, and how readings go together.

A 1/f process has no variance of its own: only differences do. Its covariance up to a constant is −K·ln|t| (the cosine
transform of K/f), so that readings q_a = ∫ i dt over [t_a, t_a + T] have, up to a constant that every difference loses,

    cov(q_a, q_b) = −K·[G(τ + T) − 2·G(τ) + G(τ − T)],   τ = t_b − t_a,   G(x) = x²/2·ln|x| − 3x²/4,   G″ = ln|x|.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.errors import InputError
from surrogate.noise.inversion import inversion_charge

HIGH_PASS = 1.5 - 0.5772156649015329 - math.log(2 * math.pi)
"""c of a sharp high-pass at 1/t: ∫ K/f·T²·sinc²(πfT) df over f > 1/t is K·T²·(ln(t/T) + c) for T ≪ t; c = 3/2 − γ_E −
ln 2π = −0.915 (from ∫ₐ^∞ sin²x/x³ dx = sin²a/2a² + sin 2a/2a − Ci(2a), a = πT/t)."""

LEAST_RATIO = 10.0
"""Times of a calibration over the pulse width from which on the closed form holds to a per cent."""


@dataclass(frozen=True)
class Calibration:
    """When an array was calibrated: on the mean of readings over ``window`` s, which ended ``since`` s ago.

    Raises :class:`InputError` for times that are not positive.
    """

    window: float
    since: float

    def __post_init__(self) -> None:
        for name in ("window", "since"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"noise.calibration.{name} {value!r}: give a positive time in s")

    @property
    def constant(self) -> float:
        """c in K·T²·(ln(since/T) + c): 1 − ln r + 2(1 + r)·ln(1 + r)/r with r = window/since.

        From the means of ln|t − t'| within the reading (ln T − 3/2), within the window, and between the two, for T ≪
        window, since. Where a single reading calibrates (window = T) it is 2·(ln(since/T) + 3/2), twice the logarithm:
        the calibrating reading brings noise of its own.
        """
        r = self.window / self.since
        return 1 - math.log(r) + 2 * (1 + r) * math.log1p(r) / r


@dataclass(frozen=True)
class FlickerNoise:
    """1/f noise of a cell's current: S = K(I)/f with K(I) = ``strength``·I^``exponent``·(1 + q)^−``bend``.

    In weak inversion K goes with I² (number fluctuations: every trapped electron shifts the threshold, g_m = I/nU_T);
    ``bend`` takes the fall of g_m/I in strong inversion. SPICE's KF and AF are ``strength`` (times C_ox·L²) and
    ``exponent``, without a bend. Raises :class:`InputError` for senseless parameters.
    """

    strength: float
    """K at 1 A, A^(2 − exponent)"""
    exponent: float = 2.0
    bend: float = 0.0
    specific_current: float = 1e-6
    """Current at which weak becomes strong inversion, A"""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.strength) and self.strength >= 0):
            raise InputError(f"noise.flicker.strength {self.strength!r}: give a number from 0 on")
        if not (math.isfinite(self.specific_current) and self.specific_current > 0):
            raise InputError(f"noise.flicker.specific_current {self.specific_current!r}: give a positive number")
        for name, value in (("exponent", self.exponent), ("bend", self.bend)):
            if not 0 <= value <= 4:
                raise InputError(f"noise.flicker.{name} {value!r}: give a number from 0 to 4")

    def coefficient(self, current: Tensor) -> Tensor:
        """K of ``current`` A (any shape), A²: the density at 1 Hz times 1 Hz."""
        q = inversion_charge(current, self.specific_current)
        return self.strength * current**self.exponent * (1 + q) ** -self.bend

    def charge_variance(self, current: Tensor, width: Tensor, calibration: Calibration) -> Tensor:
        """Variance of the charge of a pulse of ``width`` s about its calibrated value, C²: K·T²·(ln(since/T) + c)."""
        return self.coefficient(current) * time_factor(width, calibration)


def time_factor(width: Tensor, calibration: Calibration) -> Tensor:
    """T²·(ln(since/T) + c) of every ``width`` T, s². Raises :class:`InputError` where the calibration was too short or
    is too recent for it."""
    longest = float(width.max()) if width.numel() else 0.0
    if LEAST_RATIO * longest > min(calibration.window, calibration.since):
        raise InputError(
            f"noise.calibration: window {calibration.window:g} s and since {calibration.since:g} s must be "
            f"{LEAST_RATIO:g} times the longest pulse, {longest:g} s: lengthen them"
        )
    logarithm = math.log(calibration.since) + calibration.constant
    return width * (width * logarithm - torch.xlogy(width, width))


def contrast_variance(times: Tensor, weights: Tensor, width: float) -> Tensor:
    """Variance per K, s², of Σ w_a·q_a for readings of ``width`` s that begin at ``times`` [a] s.

    Exact for ``weights`` [a] that add up to zero; raises :class:`InputError` for others: their variance is infinite.
    """
    if abs(float(weights.sum())) > 1e-9 * float(weights.abs().sum()):
        raise InputError("weights: do not add up to zero: 1/f noise has only the variance of differences")
    lag = times[:, None] - times[None, :]
    second = _twice_integrated(lag + width) - 2 * _twice_integrated(lag) + _twice_integrated(lag - width)
    return -(weights @ second @ weights)


def _twice_integrated(x: Tensor) -> Tensor:
    """G(x) with G″ = ln|x|."""
    size = x.abs()
    return size * torch.xlogy(size, size) / 2 - 0.75 * size.square()
