"""1/f noise: S(f) = K/f^α, from slow traps; what is left of it after a calibration, and how readings go together.

A 1/f process has no variance of its own: only differences do. Its covariance is, up to a constant that every difference
loses, −K·A·ℓ(t) with ℓ(t) = (|t|^p − 1)/p, p = α − 1 and A = Γ(1 − p)·sin(πα/2)·(2π)^p, the cosine transform of K/f^α;
for α = 1 that is −K·ln|t|. Readings q_a = ∫ i dt over [t_a, t_a + T] then have, up to such a constant,

    cov(q_a, q_b) = −K·A·[G(τ + T) − 2·G(τ) + G(τ − T)],   τ = t_b − t_a,   G″ = ℓ.
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
        """c in K·T²·(ln(since/T) + c) of noise with α = 1: 1 − ln r + 2(1 + r)·ln(1 + r)/r with r = window/since.

        From the means of ln|t − t'| within the reading (ln T − 3/2), within the window, and between the two, for T ≪
        window, since. Where a single reading calibrates (window = T) it is 2·(ln(since/T) + 3/2), twice the logarithm:
        the calibrating reading brings noise of its own.
        """
        r = self.window / self.since
        return 1 - math.log(r) + 2 * (1 + r) * math.log1p(r) / r


@dataclass(frozen=True)
class FlickerNoise:
    """1/f noise of a cell's current: S = K(I)/f^α with K(I) = ``strength``·I^``exponent``·(1 + q)^−``bend``.

    In weak inversion K goes with I² (number fluctuations: every trapped electron shifts the threshold, g_m = I/nU_T);
    ``bend`` takes the fall of g_m/I in strong inversion. SPICE's KF and AF are ``strength`` (times C_ox·L²) and
    ``exponent``, without a bend, its EF is ``slope``. Raises :class:`InputError` for senseless parameters.
    """

    strength: float
    """K at 1 A, A^(2 − exponent)·Hz^(α − 1)"""
    exponent: float = 2.0
    bend: float = 0.0
    specific_current: float = 1e-6
    """Current at which weak becomes strong inversion, A"""
    slope: float = 1.0
    """α, of the spectrum, 0.5 … 1.5"""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.strength) and self.strength >= 0):
            raise InputError(f"noise.flicker.strength {self.strength!r}: give a number from 0 on")
        if not (math.isfinite(self.specific_current) and self.specific_current > 0):
            raise InputError(f"noise.flicker.specific_current {self.specific_current!r}: give a positive number")
        for name, least, most in (("exponent", 0.0, 4.0), ("bend", -4.0, 4.0), ("slope", 0.5, 1.5)):
            value = getattr(self, name)
            if not least <= value <= most:
                raise InputError(f"noise.flicker.{name} {value!r}: give a number from {least:g} to {most:g}")

    def coefficient(self, current: Tensor) -> Tensor:
        """K of ``current`` A (any shape): the density at 1 Hz, A²/Hz."""
        q = inversion_charge(current, self.specific_current)
        return self.strength * current**self.exponent * (1 + q) ** -self.bend

    def charge_variance(self, current: Tensor, width: Tensor, calibration: Calibration) -> Tensor:
        """Variance of the charge of a pulse of ``width`` s about its calibrated value, C²: K·T²·(ln(since/T) + c) for
        α = 1."""
        return self.coefficient(current) * time_factor(width, calibration, self.slope)


def time_factor(width: Tensor, calibration: Calibration, slope: float = 1.0) -> Tensor:
    """Variance per K of every ``width`` T, s²: T²·(ln(since/T) + c) for ``slope`` 1, in general T²·A·(2·ℓ_between −
    ℓ_reading − ℓ_window) with the means of ℓ over pairs of times.

    Raises :class:`InputError` where the calibration was too short or is too recent for the closed form.
    """
    longest = float(width.max()) if width.numel() else 0.0
    if LEAST_RATIO * longest > min(calibration.window, calibration.since):
        raise InputError(
            f"noise.calibration: window {calibration.window:g} s and since {calibration.since:g} s must be "
            f"{LEAST_RATIO:g} times the longest pulse, {longest:g} s: lengthen them"
        )
    p, window, since = slope - 1, calibration.window, calibration.since
    ends = torch.tensor([since, since + window, window], dtype=torch.float64)
    powers = _power(ends.log(), p)
    between = float(((since + window) * powers[1] - since * powers[0]) / window - 1) / (1 + p)
    within_window = float(_power(ends[2].log() - _pairs(p), p))
    reading = _power(torch.log(width.clamp_min(torch.finfo(width.dtype).tiny)) - _pairs(p), p)
    return width.square() * _amount(p) * (2 * between - within_window - reading)


def contrast_variance(times: Tensor, weights: Tensor, width: float, slope: float = 1.0) -> Tensor:
    """Variance per K, s², of Σ w_a·q_a for readings of ``width`` s that begin at ``times`` [a] s.

    Exact for ``weights`` [a] that add up to zero; raises :class:`InputError` for others: their variance is infinite.
    """
    if abs(float(weights.sum())) > 1e-9 * float(weights.abs().sum()):
        raise InputError("weights: do not add up to zero: 1/f noise has only the variance of differences")
    p, lag = slope - 1, times[:, None] - times[None, :]
    second = _twice_integrated(lag + width, p) - 2 * _twice_integrated(lag, p) + _twice_integrated(lag - width, p)
    return -_amount(p) * (weights @ second @ weights)


def _amount(p: float) -> float:
    """A."""
    return math.gamma(1 - p) * math.sin(math.pi * (1 + p) / 2) * (2 * math.pi) ** p


def _power(logarithm: Tensor, p: float) -> Tensor:
    """(x^p − 1)/p of ln x; ln x itself for p = 0."""
    return torch.expm1(p * logarithm) / p if p else logarithm


def _pairs(p: float) -> float:
    """What the mean of ℓ over pairs of times in an interval is shorter by, as a logarithm of its length: x^p·2/((1 +
    p)(2 + p)) is x^p at ln x less this; 3/2 for p = 0."""
    return (math.log1p(p) + math.log1p(p / 2)) / p if p else 1.5


def _twice_integrated(x: Tensor, p: float) -> Tensor:
    """G(x) with G″ = ℓ."""
    size = x.abs().clamp_min(1e-300)
    return size.square() / 2 * _power(size.log() - _pairs(p), p)
