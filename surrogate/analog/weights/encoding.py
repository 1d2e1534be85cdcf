"""What every way to hold weights is: levels of cells, and the sums of charges that bring the weights back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.mapping import CurrentRange


@dataclass(frozen=True)
class ReadBack:
    """An output out of the charges of its columns, Σ_k factors_k·Q_k + per_width·Σ_i T_i + per_shared·Q_shared: exact
    for ideal arrays, in units of the swing (high less low current) times t_max."""

    factors: tuple[float, ...]
    """of an output's neighbouring columns"""
    per_width: float = 0.0
    """of the sum of all widths, which is known digitally, in units of the current scale"""
    per_shared: float = 0.0
    """of the column that all outputs of an array share; 0: there is none"""

    @property
    def is_pairs(self) -> bool:
        """Whether nothing but differences of neighbouring columns (2k less 2k + 1) is asked for."""
        even, odd = self.factors[0::2], self.factors[1::2]
        return self.per_width == self.per_shared == 0 and even == tuple(-f for f in odd)

    def outputs(self, charge: Tensor, width: Tensor, count: int) -> Tensor:
        """The first ``count`` outputs [..., C, count] of arrays' charges [..., C, M] at sums of widths ``width``
        [...]; the shared column follows the outputs' columns."""
        used = len(self.factors) * count
        own = charge[..., :used].unflatten(-1, (count, len(self.factors)))
        plain = self.factors == (1.0, -1.0)
        out = own[..., 0] - own[..., 1] if plain else own @ torch.tensor(self.factors, dtype=own.dtype).to(own)
        if self.per_shared:
            out = out + self.per_shared * charge[..., used : used + 1]
        return out + self.per_width * width[..., None, None] if self.per_width else out

    def of_pairs(self, difference: Tensor) -> Tensor:
        """Outputs [..., o] of differences [..., o·k/2] of neighbouring columns (of :attr:`is_pairs`)."""
        half = self.factors[0::2]
        if half == (1.0,):
            return difference
        return difference.unflatten(-1, (-1, len(half))) @ torch.tensor(half, dtype=difference.dtype).to(difference)


class Encoding(ABC):
    """One way to hold weights of −1 … 1 in cells whose level is 0 at the minimum and 1 at the largest current."""

    @property
    @abstractmethod
    def columns(self) -> int:
        """Columns of one output."""

    @property
    def shared_level(self) -> float | None:
        """Level of the cells in a column that an array's outputs share; None: no such column."""
        return None

    @abstractmethod
    def levels(self, weight: Tensor) -> Tensor:
        """Levels [..., o·k] of ``weight`` [..., o], clipped to −1 … 1, :attr:`columns` k neighbouring ones each;
        differentiable, straight through where it rounds."""

    @abstractmethod
    def read_back(self, currents: CurrentRange, scale: float) -> ReadBack:
        """How outputs follow from charges, with cells of ``currents`` A and charges over ``scale`` A times t_max."""
