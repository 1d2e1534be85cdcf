"""Inputs as pulse widths: their range and their resolution."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from surrogate.analog.weights.integers import Unsigned, rounded
from surrogate.analog.weights.ranges import RangeRule, some_of
from surrogate.errors import InputError
from surrogate.fast.codes import codes
from surrogate.fast.curve import tabulated

if TYPE_CHECKING:
    from surrogate.analog.mapping import LayerSettings

WHOLE_WIDTH = RangeRule(by="percentile", percentile=99.9)
"""Inputs above this quantile of their sizes saturate the pulse width."""


def pulse_codes(x: Tensor, bits: int) -> Tensor:
    """``x`` in 0..1 rounded to ``bits`` bits (still in 0..1), gradients passed straight through inside the range."""
    top = 2**bits - 1
    return rounded(x.clamp(0, 1) * top) / top


def signed_codes(x: Tensor, bits: int, signed: bool) -> Tensor:
    """:func:`pulse_codes` of ``x`` in one phase [1, ...], or ``signed`` in two [2, ...], of which the second one is
    subtracted."""
    return pulse_codes(torch.stack([x, -x]) if signed else x[None], bits)


def codes_of(given: Tensor, full: Tensor, settings: LayerSettings) -> Tensor:
    """Pulse widths [P, ...] over t_max of inputs ``given`` [...] whose range is ``full``."""
    if not settings.signed and not full.requires_grad and tabulated(given):
        return codes(given, float(full), 2**settings.bits - 1)[None]
    x = given / full
    if settings.signed and settings.signed_as == "offset":
        return Unsigned(settings.bits).of(x.clamp(-1, 1))[None] / (2**settings.bits - 1)
    return signed_codes(x, settings.bits, settings.signed)


def zero_code(bits: int) -> tuple[float, float]:
    """Pulse widths over t_max of zero, and of the largest input beyond it, where zero is half of the width."""
    number = Unsigned(bits)
    return number.zero / (2**bits - 1), number.top / (2**bits - 1)


def read_codes(codes: Tensor, settings: LayerSettings) -> Tensor:
    """What inputs of pulse widths ``codes`` [P, ...] stand for, over their range, [...]."""
    if not settings.signed:
        return codes[0]
    if settings.signed_as == "phases":
        return codes[0] - codes[1]
    zero, top = zero_code(settings.bits)
    return (codes[0] - zero) / top


def input_range(given: Tensor, rule: RangeRule = WHOLE_WIDTH, steps: int | None = None) -> Tensor:
    """The size of inputs ``given`` that takes the whole pulse width, which is told in ``steps``. Raises
    :class:`InputError` where all are zero."""
    size = given.abs().flatten()
    some = some_of(size)
    top = rule.spans(some[None], steps)[0] if len(some) else torch.zeros(())
    top = top if float(top) > 0 else size.max()
    if not 0 < float(top) < float("inf"):
        raise InputError("inputs all zero or not finite: calibrate with real data")
    return top
