"""One column an output and slice: zero in the middle of the range, what that adds to every charge subtracted again."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from surrogate.analog.weights.encoding import Encoding, ReadBack
from surrogate.analog.weights.integers import Unsigned
from surrogate.analog.weights.slices import Slices
from surrogate.analog.weights.stored import LINEAR, StoredCurve
from surrogate.mapping import CurrentRange


@dataclass(frozen=True)
class OffsetColumn(Encoding):
    """A weight of −1 … 1 as a level of 0 … 1. The offset is either computed of the widths, which are known digitally,
    or measured (``unit_cells``): by one more column in every array, of cells in the middle of the range."""

    bits: int | None = None
    slices: int = 1
    unit_cells: bool = False
    curve: StoredCurve = LINEAR

    @property
    def columns(self) -> int:
        """See :class:`Encoding`."""
        return self.slices

    @property
    def shared_level(self) -> float | None:
        """See :class:`Encoding`."""
        return 0.5 if self.unit_cells else None

    def levels(self, weight: Tensor) -> Tensor:
        """See :class:`Encoding`."""
        clipped = weight.clamp(-1, 1)
        if self.bits is None:
            return self.curve((1 + clipped) / 2)
        return self.curve(Slices(self.bits, self.slices).levels(Unsigned(self.bits).of(clipped))).flatten(-2)

    def read_back(self, currents: CurrentRange, scale: float) -> ReadBack:
        """See :class:`Encoding`. With Q_s = (low·ΣT + swing·Σ_i T_i·level_is) the number is Σ_s worth_s·level_s."""
        low, swing = currents.low / scale, (currents.high - currents.low) / scale
        if self.bits is None:
            top, zero, cells = 0.5, 0.5, Slices(1, 1)
        else:
            number = Unsigned(self.bits)
            top, zero, cells = number.top, number.zero, Slices(self.bits, self.slices)
        factors = tuple(value / top for value in cells.worth)
        offset = sum(factors) * low + zero / top * swing
        if not self.unit_cells:
            return ReadBack(factors, per_width=-offset)
        return ReadBack(factors, per_shared=-offset / (low + 0.5 * swing))
