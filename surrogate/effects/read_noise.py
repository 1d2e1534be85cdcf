"""Read noise of resistive cells by a stated law: how far a cell's mean current over a pulse is off."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from surrogate.effects.effect import OnCharges, Read, normal, not_negative
from surrogate.errors import InputError
from surrogate.mapping import CurrentRange
from surrogate.surrogate import Surrogate


@dataclass(frozen=True)
class CellReadNoise(OnCharges):
    """A cell's mean current over a pulse of T s is off by a normal share of variance ``white``² ``at`` / T +
    ``flicker``²: white noise averages out with the pulse, 1/f noise (but for a logarithm) does not. Cells and reads are
    independent, so that a column's charge has the variance Σ I² (``white``² ``at`` T + ``flicker``² T²)."""

    white: float
    at: float
    flicker: float = 0.0

    def __post_init__(self) -> None:
        not_negative("white", self.white)
        not_negative("flicker", self.flicker)
        if not 0 < self.at < float("inf"):
            raise InputError(f"at {self.at!r}: give the pulse width of white in s, above 0")

    def check(self, currents: CurrentRange, surrogate: Surrogate) -> None:
        """See :class:`Effect`."""
        share = (self.white**2 * self.at / surrogate.time_scale + self.flicker**2) ** 0.5
        if share * currents.high >= currents.high - currents.low:
            raise InputError(
                f"noise.read_noise: {share:.3g} of a cell's current in the longest pulse, as much as the range of "
                f"currents, {currents.low:g} … {currents.high:g} A: lower it or widen the range"
            )

    def apply(self, charge: Tensor, read: Read, generator: Generator | None) -> Tensor:
        """See :class:`OnCharges`."""
        if not (self.white or self.flicker):
            return charge
        of_width = self.white**2 * self.at / read.time_scale * read.width + self.flicker**2 * read.width.square()
        variance = read.column_sums(of_width, (read.current / read.current_scale).square())
        return charge + variance.clamp_min(torch.finfo(charge.dtype).tiny).sqrt() * normal(charge, generator)
