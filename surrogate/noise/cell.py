"""All noise of a cell together, and that of a column of cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from surrogate.errors import InputError
from surrogate.noise.channel import ChannelNoise
from surrogate.noise.flicker import Calibration, FlickerNoise, time_factor
from surrogate.noise.telegraph import TelegraphNoise

_PARTS: dict[str, Callable[..., object]] = {
    "channel": ChannelNoise, "flicker": FlickerNoise, "telegraph": TelegraphNoise, "calibration": Calibration,
}  # fmt: skip


@dataclass(frozen=True)
class Term:
    """Variance of a cell's charge by one kind of noise, ``of_width``(T)·``of_current``(I) C², T in s, I in A; ``slow``
    noise goes on from one pulse to the next."""

    of_width: Callable[[Tensor], Tensor]
    of_current: Callable[[Tensor], Tensor]
    slow: bool

    def common(self, run: float) -> float:
        """Variance of the mean current over ``run`` s, over ``of_current``: what all pulses of a run share. Pulses of
        width T differ by of_width(T) − T²·common from pulse to pulse."""
        return float(self.of_width(torch.tensor(run, dtype=torch.float64))) / run**2 if self.slow else 0.0


@dataclass(frozen=True)
class CellNoise:
    """The noise of every cell of an array; a kind that is None is absent. 1/f noise needs to know the ``calibration``.

    Cells are independent of each other. An idle cell adds nothing: it conducts no current.
    """

    channel: ChannelNoise | None = None
    flicker: FlickerNoise | None = None
    telegraph: TelegraphNoise | None = None
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        if self.flicker is not None and self.calibration is None:
            raise InputError("noise.calibration: missing beside noise.flicker: give window and since")

    def charge_variance(self, current: Tensor, width: Tensor) -> Tensor:
        """Variance [..., M] C² of the charges of columns whose cells conduct ``current`` [..., N, M] A for ``width``
        [..., N] s; the differentiable sum of the variances of the cells."""
        total = torch.zeros((), dtype=current.dtype)
        for term in self.terms():
            total = total + (term.of_width(width)[..., None, :] @ term.of_current(current)).squeeze(-2)
        return total.expand(*width.shape[:-1], current.shape[-1])

    def terms(self) -> list[Term]:
        """What each kind adds to the variance of a cell's charge: a function of its width times one of its current."""
        found = []
        if self.channel is not None:
            found.append(Term(_half, self.channel.density, slow=False))
        if self.flicker is not None and self.calibration is not None:
            in_time = partial(time_factor, calibration=self.calibration, slope=self.flicker.slope)
            found.append(Term(in_time, self.flicker.coefficient, slow=True))
        if self.telegraph is not None:
            found.append(Term(self.telegraph.time_factor, self.telegraph.jump_squared, slow=True))
        return found

    @property
    def normal(self) -> CellNoise:
        """Its kinds that have a normal distribution: all but telegraph noise."""
        return replace(self, telegraph=None)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; the inverse is :meth:`of`."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @staticmethod
    def of(values: dict[str, Any]) -> CellNoise:
        """The noise of :meth:`as_dict`. Raises :class:`InputError` that names the key."""
        parts: dict[str, Any] = {}
        for name, given in values.items():
            if name not in _PARTS:
                raise InputError(f"noise.{name}: unknown: use {', '.join(_PARTS)}")
            try:
                parts[name] = _PARTS[name](**{key: float(value) for key, value in given.items()})
            except (TypeError, ValueError, AttributeError) as error:
                message = str(error) if isinstance(error, InputError) else f"noise.{name}: {given!r}: {error}"
                raise InputError(message) from None
        return CellNoise(**parts)


def _half(width: Tensor) -> Tensor:
    return width / 2
