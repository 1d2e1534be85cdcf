"""Converters of charges: what each of them converts, over which range, rounded and saturating."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from surrogate.analog.weights.integers import rounded
from surrogate.analog.weights.ranges import RangeRule
from surrogate.fast.pairs import columns_apart
from surrogate.strict import Strict


class Converter(Strict):
    """What the converters of an array see. Their resolution is ``LayerSettings.converter_bits``."""

    of: Literal["column", "pair"] = "column"
    """whether every column has a converter, for charges from 0 on, or every pair one for its difference, of both
    signs"""
    range: RangeRule = RangeRule()
    """which charges of the calibration data the range holds"""
    margin: Annotated[float, Field(ge=1, le=10)] = 1.25
    """by how much the range is larger"""

    def given(self, charge: Tensor) -> Tensor:
        """What converters are given of ``charge`` [..., M]: itself, or the pairs' differences [..., M/2]."""
        return charge if self.of == "column" else columns_apart(charge)

    def columns(self, shown: Tensor) -> Tensor:
        """Columns [..., M] of which :meth:`given` makes ``shown``: of a pair, all of its difference is the first."""
        return shown if self.of == "column" else torch.stack([shown, torch.zeros_like(shown)], dim=-1).flatten(-2)

    def steps(self, bits: int) -> int:
        """Steps of the range, of one sign, that ``bits`` tell apart."""
        return 2**bits - 1 if self.of == "column" else max(1, 2 ** (bits - 1) - 1)

    def codes(self, fraction: Tensor, bits: int) -> Tensor:
        """``fraction`` of the range as ``bits`` show it, saturating, gradients passed straight through inside the
        range."""
        steps = self.steps(bits)
        clipped = fraction.clamp(0 if self.of == "column" else -1, 1)
        return rounded(clipped * steps) / steps
