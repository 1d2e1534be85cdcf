"""Which part of the values of a range is used: all, a percentile, or what leaves the least mean square error."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from surrogate.strict import Strict

SAMPLE = 2**20
"""Values that a range is chosen by, at most, evenly taken from all."""

GOLDEN = (5**0.5 - 1) / 2

CANDIDATES = 64
"""Ranges that the mean square error is computed for, evenly spaced up to the largest value."""


class RangeRule(Strict):
    """How far a range reaches. ``max``: to the largest size; ``percentile``: to that of the sizes; ``mse``: to where
    rounding and clipping together leave the least mean square error."""

    by: Literal["max", "percentile", "mse"] = "max"
    percentile: Annotated[float, Field(gt=50, le=100)] | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> RangeRule:
        if self.by == "percentile" and self.percentile is None:
            raise ValueError("by: percentile without one: add the key percentile, such as 99.9")
        if self.by != "percentile" and self.percentile is not None:
            raise ValueError(f"percentile {self.percentile:g} has no effect by {self.by}: remove one of them")
        return self

    def spans(self, size: Tensor, levels: int | None) -> Tensor:
        """Ranges [k] of the sizes [k, n] (not negative) of k sets of values that are rounded to ``levels`` steps of
        the range; 0: only their signs are kept; None: not rounded, so that the mean square optimum is the largest
        size."""
        largest = size.amax(1)
        if self.by == "max" or (self.by == "mse" and levels is None):
            return largest
        some = some_of(size)
        if self.by == "percentile":
            assert self.percentile is not None
            found = torch.quantile(some.float(), self.percentile / 100, dim=1).to(size)
            return torch.where(found > 0, found, largest)
        assert levels is not None
        if levels == 0:
            return some.mean(1)
        return _least_error(some, largest, levels)


def some_of(values: Tensor) -> Tensor:
    """:data:`SAMPLE` of ``values`` [..., n] along the last axis, at most: spread evenly by multiples of the golden
    section, as equal steps could meet the same column of every array."""
    count = values.shape[-1]
    if count <= SAMPLE:
        return values
    index = (torch.arange(SAMPLE, dtype=torch.float64, device=values.device) * GOLDEN).frac() * count
    return values[..., index.long()]


def _least_error(size: Tensor, largest: Tensor, levels: int) -> Tensor:
    best, least = largest, torch.full_like(largest, float("inf"))
    for k in range(CANDIDATES, 0, -1):
        span = largest * (k / CANDIDATES)
        step = (span / levels).clamp_min(torch.finfo(size.dtype).tiny)[:, None]
        kept = torch.round(size / step).clamp(max=levels) * step
        error = (kept - size).square().mean(1)
        best, least = torch.where(error < least, span, best), torch.minimum(error, least)
    return best
