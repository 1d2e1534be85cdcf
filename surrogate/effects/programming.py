"""Programming errors of cells: as large everywhere, proportional to the current, or as measured; and write–verify,
which programs again what is out of tolerance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from surrogate.effects.effect import OnCurrents, normal, not_negative
from surrogate.errors import InputError
from surrogate.mapping import CurrentRange
from surrogate.surrogate import Surrogate


@dataclass(frozen=True)
class IndependentError(OnCurrents):
    """Normal errors as large for every current: ``sigma`` times that of the largest weight (the state-independent error
    of Xiao et al., "On the accuracy of analog neural network inference accelerators", 2022)."""

    sigma: float

    def __post_init__(self) -> None:
        _share("sigma", self.sigma)

    def check(self, currents: CurrentRange, surrogate: Surrogate) -> None:
        """See :class:`Effect`."""
        if self.sigma * currents.high >= currents.high - currents.low:
            raise InputError(
                f"sigma {self.sigma:g}: an error as large as the range of currents, {currents.low:g} … "
                f"{currents.high:g} A: lower it or widen the range"
            )

    def apply(self, current: Tensor, largest: float, generator: Generator | None) -> Tensor:
        """See :class:`OnCurrents`."""
        return current + self.sigma * largest * normal(current, generator) if self.sigma else current


@dataclass(frozen=True)
class ProportionalError(OnCurrents):
    """Normal errors of ``sigma`` times the current itself (the state-proportional error of Xiao et al., 2022)."""

    sigma: float

    def __post_init__(self) -> None:
        _share("sigma", self.sigma)

    def apply(self, current: Tensor, largest: float, generator: Generator | None) -> Tensor:
        """See :class:`OnCurrents`."""
        return current * (1 + self.sigma * normal(current, generator)) if self.sigma else current


@dataclass(frozen=True)
class MeasuredError(OnCurrents):
    """Normal errors whose standard deviation ``sigmas`` A was measured at ``currents`` A, rising, and is interpolated
    linearly between them and constant beyond."""

    currents: tuple[float, ...]
    sigmas: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.currents) != len(self.sigmas) or len(self.currents) < 2:
            raise InputError(f"currents {len(self.currents)}, sigmas {len(self.sigmas)}: give as many of both, two on")
        for name, values in (("currents", self.currents), ("sigmas", self.sigmas)):
            for value in values:
                not_negative(name, value, "A")
        if any(b <= a for a, b in zip(self.currents, self.currents[1:], strict=False)):
            raise InputError("currents: not rising: sort the table by current, one row each")

    def check(self, currents: CurrentRange, surrogate: Surrogate) -> None:
        """See :class:`Effect`."""
        if currents.high < self.currents[0] or currents.low > self.currents[-1]:
            raise InputError(
                f"currents {self.currents[0]:g} … {self.currents[-1]:g} A of the measured errors: beyond all of the "
                f"cells', {currents.low:g} … {currents.high:g} A: measure there, or give both in A"
            )
        cells = torch.tensor([currents.low, *self.currents, currents.high], dtype=torch.float64)
        sigma = float(self.deviation(cells.clamp(currents.low, currents.high)).amax())
        if sigma >= currents.high - currents.low:
            raise InputError(
                f"sigmas up to {sigma:g} A: an error as large as the range of currents, {currents.low:g} … "
                f"{currents.high:g} A: lower it or widen the range"
            )

    def deviation(self, current: Tensor) -> Tensor:
        """Standard deviation A at ``current`` A."""
        x, y = (torch.tensor(v, dtype=torch.float64, device=current.device) for v in (self.currents, self.sigmas))
        at = current.detach().double().clamp(float(x[0]), float(x[-1]))
        k = torch.searchsorted(x, at.contiguous()).clamp(1, len(x) - 1)
        share = (at - x[k - 1]) / (x[k] - x[k - 1])
        return (y[k - 1] + share * (y[k] - y[k - 1])).to(current)

    def apply(self, current: Tensor, largest: float, generator: Generator | None) -> Tensor:
        """See :class:`OnCurrents`."""
        if not any(self.sigmas):
            return current
        return current + self.deviation(current) * normal(current, generator)


ProgrammingError = IndependentError | ProportionalError | MeasuredError


@dataclass(frozen=True)
class WriteVerify(OnCurrents):
    """Cells are read after programming with ``error``; those further off than ``tolerance`` (of the largest weight's
    current) are programmed again, ``attempts`` times at most. What is left is the error's distribution cut off at the
    tolerance, but for the few that never came within it."""

    error: ProgrammingError
    tolerance: float
    attempts: int = 20

    def __post_init__(self) -> None:
        _share("tolerance", self.tolerance)
        if type(self.attempts) is not int or not 1 <= self.attempts <= 1000:
            raise InputError(f"attempts {self.attempts!r}: give a whole number from 1 to 1000")
        if not isinstance(self.error, MeasuredError):
            self._require_reached(self.error.sigma)

    def check(self, currents: CurrentRange, surrogate: Surrogate) -> None:
        """See :class:`Effect`."""
        self.error.check(currents, surrogate)
        if isinstance(self.error, MeasuredError):
            largest = torch.tensor([currents.high], dtype=torch.float64)
            self._require_reached(float(self.error.deviation(largest)) / currents.high)

    def _require_reached(self, sigma: float) -> None:
        """Raise :class:`InputError` where cells of the largest current, whose error is ``sigma`` of it, mostly stay
        beyond the tolerance."""
        if self.reached(sigma) < LEAST_REACHED:
            raise InputError(
                f"tolerance {self.tolerance:g}: below the error {sigma:.3g} so far that {self.attempts} "
                f"attempts bring only {self.reached(sigma):.0%} of cells within it: raise one of them"
            )

    def reached(self, sigma: float) -> float:
        """Share of cells that come within the tolerance where the error is ``sigma`` of the largest current."""
        once = math.erf(self.tolerance / (math.sqrt(2) * sigma)) if sigma else 1.0
        return float(1 - (1 - once) ** self.attempts)

    def apply(self, current: Tensor, largest: float, generator: Generator | None) -> Tensor:
        """See :class:`OnCurrents`."""
        off = self.error.apply(current, largest, generator) - current
        for _ in range(self.attempts - 1):
            beyond = (off.detach() / largest).abs() > self.tolerance
            if not bool(beyond.any()):
                break
            again = self.error.apply(current[beyond], largest, generator) - current[beyond]
            off = off.masked_scatter(beyond, again)
        return current + off


LEAST_REACHED = 0.9
"""Share of cells that write–verify must be able to bring within its tolerance."""


def _share(name: str, value: object) -> None:
    not_negative(name, value)
    if isinstance(value, (int, float)) and value >= 1:
        raise InputError(f"{name} {value:g}: not below the largest weight's current: give a share of it below 1")
