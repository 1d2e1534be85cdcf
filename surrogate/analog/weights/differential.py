"""Differential pairs: each output's positive columns less its negative ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.analog.weights.encoding import Encoding, ReadBack
from surrogate.analog.weights.integers import Magnitude, Unsigned
from surrogate.analog.weights.slices import Slices
from surrogate.analog.weights.stored import LINEAR, StoredCurve
from surrogate.mapping import CurrentRange


@dataclass(frozen=True)
class OneSided(Encoding):
    """The size of a weight on the side of its sign, the other side at ``zero``, the level of weight zero: at 0 the
    mapping is proportional. ``bits`` count the sign; None: not quantised. Columns: slice by slice, + then −."""

    bits: int | None = None
    slices: int = 1
    zero: float = 0.0
    curve: StoredCurve = LINEAR

    @property
    def columns(self) -> int:
        """See :class:`Encoding`."""
        return 2 * self.slices

    def levels(self, weight: Tensor) -> Tensor:
        """See :class:`Encoding`."""
        number, cells = weight.clamp(-1, 1), Slices(1, 1)
        if self.bits is not None:
            magnitude = Magnitude(self.bits)
            number, cells = magnitude.of(number), Slices(magnitude.bits_of_size, self.slices)
        sides = [cells.levels(side.clamp(min=0)) for side in (number, -number)]
        if self.zero:
            sides = [self.zero + (1 - self.zero) * side for side in sides]
        return _pairs(sides[0], sides[1], self.curve)

    def read_back(self, currents: CurrentRange, scale: float) -> ReadBack:
        """See :class:`Encoding`."""
        cells = Slices(1 if self.bits is None else Magnitude(self.bits).bits_of_size, self.slices)
        return _differences(cells, 1 / (1 - self.zero))


@dataclass(frozen=True)
class TwoSided(Encoding):
    """Both sides programmed: zero is the middle of the range on each, a weight raises one and lowers the other. As
    :class:`OneSided` otherwise, but with a bit more on every side."""

    bits: int | None = None
    slices: int = 1
    curve: StoredCurve = LINEAR

    @property
    def columns(self) -> int:
        """See :class:`Encoding`."""
        return 2 * self.slices

    def levels(self, weight: Tensor) -> Tensor:
        """See :class:`Encoding`."""
        clipped = weight.clamp(-1, 1)
        if self.bits is None:
            return _pairs((1 + clipped)[..., None] / 2, (1 - clipped)[..., None] / 2, self.curve)
        number, cells = Unsigned(self.bits), Slices(self.bits, self.slices)
        positive = number.of(clipped)
        return _pairs(cells.levels(positive), cells.levels(2 * number.zero - positive), self.curve)

    def read_back(self, currents: CurrentRange, scale: float) -> ReadBack:
        """See :class:`Encoding`."""
        if self.bits is None:
            return _differences(Slices(1, 1), 1.0)
        return _differences(Slices(self.bits, self.slices), (2**self.bits - 1) / (2 * Unsigned(self.bits).top))


def _pairs(positive: Tensor, negative: Tensor, curve: StoredCurve) -> Tensor:
    """Columns [..., o·2k] of the k cells of each side [..., o, k]."""
    return torch.stack([curve(positive), curve.negative(negative)], dim=-1).flatten(-3)


def _differences(cells: Slices, factor: float) -> ReadBack:
    worth, whole = cells.worth, 2**cells.bits - 1
    return ReadBack(tuple(sign * factor * value / whole for value in worth for sign in (1, -1)))
