"""Pulses that last longer or shorter than they were told to."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from surrogate.effects.effect import OnWidths, normal, not_negative
from surrogate.errors import InputError
from surrogate.mapping import CurrentRange
from surrogate.surrogate import Surrogate


@dataclass(frozen=True)
class PulseJitter(OnWidths):
    """Normal deviations of ``sigma`` s of every pulse, drawn anew for each; never shorter than nothing."""

    sigma: float

    def __post_init__(self) -> None:
        not_negative("sigma", self.sigma, "s")

    def check(self, currents: CurrentRange, surrogate: Surrogate) -> None:
        """See :class:`Effect`."""
        if self.sigma >= surrogate.time_scale:
            raise InputError(f"jitter {self.sigma:g} s: as long as the longest pulse, {surrogate.time_scale:g} s: "
                             "lower it")  # fmt: skip

    def apply(self, width: Tensor, time_scale: float, generator: Generator | None) -> Tensor:
        """See :class:`OnWidths`."""
        if not self.sigma:
            return width
        return _of_pulses(width, width + self.sigma / time_scale * normal(width, generator))


@dataclass(frozen=True)
class PulseOffset(OnWidths):
    """Every pulse lasts ``seconds`` s longer (shorter where negative) than it was told to, idle rows stay idle."""

    seconds: float

    def __post_init__(self) -> None:
        if isinstance(self.seconds, bool) or not abs(self.seconds) < float("inf"):
            raise InputError(f"seconds {self.seconds!r}: give a number of s")

    def check(self, currents: CurrentRange, surrogate: Surrogate) -> None:
        """See :class:`Effect`."""
        if abs(self.seconds) >= surrogate.time_scale:
            raise InputError(f"offset {self.seconds:g} s: as long as the longest pulse, {surrogate.time_scale:g} s: "
                             "lower it")  # fmt: skip

    def apply(self, width: Tensor, time_scale: float, generator: Generator | None) -> Tensor:
        """See :class:`OnWidths`."""
        return _of_pulses(width, width + self.seconds / time_scale) if self.seconds else width


def _of_pulses(told: Tensor, width: Tensor) -> Tensor:
    return torch.where(told > 0, width.clamp_min(0), told)
