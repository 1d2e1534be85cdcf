"""Confidence bounds on what SPICE would give for all images, from some that were simulated."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.stats import beta

from surrogate.errors import InputError

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """``low`` … ``high`` holds the true share with the stated confidence; ``estimate`` is the most likely one."""

    estimate: float
    low: float
    high: float


def share_bounds(hits: int, count: int, confidence: float = CONFIDENCE) -> Interval:
    """The share behind ``hits`` of ``count`` independent draws: the exact interval of Clopper and Pearson
    (Biometrika 26, 1934), which covers at least ``confidence`` of the time. Raises :class:`InputError`."""
    if not 0 <= hits <= count or count < 1:
        raise InputError(f"bounds: {hits} of {count}: give 0 … count of at least one draw")
    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, hits, count - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, count - hits)) if hits < count else 1.0
    return Interval(hits / count, low, high)


def accuracy_bounds(
    gained: int, lost: int, count: int, known: float, confidence: float = CONFIDENCE
) -> Interval:
    """Accuracy that SPICE would give for all images, of which the surrogate gets the share ``known`` right.

    Of ``count`` images drawn at random, ``gained`` were right in SPICE alone and ``lost`` in the surrogate alone: the
    difference of two shares, each bounded at half of the error (Bonferroni). The surrogate's accuracy being known for
    all images, this is far tighter than the bounds of the drawn images' own accuracy.
    """
    each = (1 + confidence) / 2
    up, down = share_bounds(gained, count, each), share_bounds(lost, count, each)
    low, high = known + up.low - down.high, known + up.high - down.low
    return Interval(known + up.estimate - down.estimate, max(0.0, low), min(1.0, high))
