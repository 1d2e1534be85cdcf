"""Pulse widths of a layer's inputs: their range and their resolution."""

from __future__ import annotations

import torch
from torch import Tensor

from surrogate.errors import InputError

RANGE_QUANTILE = 0.999
"""Inputs above this quantile of their sizes saturate the pulse width."""

SAMPLE = 2**20
"""Values of a layer's input that a quantile is taken of, at most, evenly taken from all."""


def pulse_codes(x: Tensor, bits: int) -> Tensor:
    """``x`` in 0..1 rounded to ``bits`` bits (still in 0..1), gradients passed straight through inside the range."""
    top = 2**bits - 1
    clipped = x.clamp(0, 1)
    return clipped + (torch.round(clipped * top) / top - clipped).detach()


def signed_codes(x: Tensor, bits: int, signed: bool) -> Tensor:
    """:func:`pulse_codes` of ``x`` in one phase [1, ...], or ``signed`` in two [2, ...], of which the second one is
    subtracted."""
    return pulse_codes(torch.stack([x, -x]) if signed else x[None], bits)


def input_range(given: Tensor) -> Tensor:
    """The size of inputs ``given`` that takes the whole pulse width. Raises :class:`InputError` where all are zero."""
    size = given.abs().flatten()
    some = size[:: -(-len(size) // SAMPLE)]
    top = torch.quantile(some.float(), RANGE_QUANTILE) if len(some) else torch.zeros(())
    top = top if float(top) > 0 else size.max()
    if not 0 < float(top) < float("inf"):
        raise InputError("inputs all zero or not finite: calibrate with real data")
    return top
