"""Converters that are off: by an offset and a gain error that all share, and by their scatter from one to the next."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Generator, Tensor

from surrogate.effects.effect import OnCodes, normal, not_negative
from surrogate.errors import InputError


@dataclass(frozen=True)
class _Scattered(OnCodes):
    """An error with a share ``mean`` that all converters have, and a normal deviation ``sigma`` of each."""

    mean: float = 0.0
    sigma: float = 0.0

    def __post_init__(self) -> None:
        _signed("mean", self.mean)
        not_negative("sigma", self.sigma)


@dataclass(frozen=True)
class ConverterOffset(_Scattered):
    """What converters see is higher by ``mean`` of their range, and by a normal deviation ``sigma`` of it each."""

    def apply(self, code: Tensor, generator: Generator | None) -> Tensor:
        """See :class:`OnCodes`."""
        if self.mean:
            code = code + self.mean
        return code + self.sigma * _each(code, generator) if self.sigma else code


@dataclass(frozen=True)
class GainError(_Scattered):
    """What converters see is larger by the share ``mean``, and by a normal deviation ``sigma`` of it each."""

    def apply(self, code: Tensor, generator: Generator | None) -> Tensor:
        """See :class:`OnCodes`."""
        if self.mean:
            code = code * (1 + self.mean)
        return code * (1 + self.sigma * _each(code, generator)) if self.sigma else code


def _each(code: Tensor, generator: Generator | None) -> Tensor:
    """A value for each converter [G, R, C, M] of ``code`` [P, v, G, R, C, M]: it is the same for every VMM."""
    return normal(code, generator, tuple(code.shape[2:]))


def _signed(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -1 < value < 1:
        raise InputError(f"{name} {value!r}: give a share of the range between -1 and 1")
