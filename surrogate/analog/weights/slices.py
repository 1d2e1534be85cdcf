"""Whole numbers over several cells of few bits each."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Slices:
    """Numbers 0 … 2^bits − 1 in ``cells`` digits, most significant first, all of as many bits or the first ones of one
    less. The largest digit of a cell is its largest current."""

    bits: int
    cells: int

    @property
    def widths(self) -> tuple[int, ...]:
        """Bits of each cell, most significant first."""
        each, more = divmod(self.bits, self.cells)
        return (*[each] * (self.cells - more), *[each + 1] * more)

    @property
    def worth(self) -> tuple[int, ...]:
        """What a cell at its largest current adds to the number; all of them together are 2^bits − 1."""
        below, values = 0, []
        for width in reversed(self.widths):
            values.append((2**width - 1) * 2**below)
            below += width
        return tuple(reversed(values))

    def levels(self, number: Tensor) -> Tensor:
        """Levels [..., cells] in 0 … 1 of ``number`` [...], whole where there are several cells; its gradient goes
        through the first one, as if that held all of it."""
        if self.cells == 1:
            return (number / self.worth[0])[..., None]
        rest, below, levels = number.detach(), self.bits, []
        for width in self.widths:
            below -= width
            digit = torch.floor(rest / 2**below)
            rest = rest - digit * 2**below
            levels.append(digit / (2**width - 1))
        smooth = number / self.worth[0]
        levels[0] = levels[0] + (smooth - smooth.detach())
        return torch.stack(levels, dim=-1)
