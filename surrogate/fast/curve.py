"""A smooth function of positive numbers in a fused kernel: a table on a grid of equal steps in each octave, which the
bits of a floating-point number are a place in."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import torch
from torch import Tensor

from surrogate.fast.calls import call
from surrogate.fast.library import library

SHIFT = 15
"""Lower bits of a number that its place in the table leaves out: 256 steps in each octave."""

BEYOND = 10
"""Octaves that a table reaches beyond the numbers that are expected."""


def tabulated(x: Tensor) -> bool:
    """Whether the kernel exists and can compute with ``x``."""
    return x.dtype == torch.float32 and x.device.type == "cpu" and library() is not None


class CCurve(ctypes.Structure):
    """As in kernels/curve.h."""

    _fields_ = (*((name, ctypes.c_int64) for name in ("first", "shift", "points")), ("table", ctypes.c_void_p))


class Curve:
    """``function`` (in float64, elementwise) of float32 numbers, for the most part in ``low`` … ``high``; far beyond
    them constant, and not a number where they are not positive."""

    def __init__(self, function: Callable[[Tensor], Tensor], low: float, high: float) -> None:
        ends = torch.tensor([low * 2.0**-BEYOND, high * 2.0**BEYOND], dtype=torch.float32)
        first, last = (int(bits) >> SHIFT for bits in ends.view(torch.int32))
        grid = (torch.arange(first, last + 2, dtype=torch.int32) << SHIFT).view(torch.float32).double()
        value = function(grid)
        (slope,) = torch.gradient(value, spacing=(grid,))
        self.first, self.table = first, torch.stack([value, slope], dim=1).float()

    def description(self) -> CCurve:
        """The C structure; it points into a tensor that this object keeps."""
        return CCurve(self.first, SHIFT, len(self.table), self.table.data_ptr())

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Values and slopes at ``x`` (any shape); without gradients of their own."""
        x = x.detach().contiguous()
        value, slope = torch.empty_like(x), torch.empty_like(x)
        call("fg_curve", self.description(), x.numel(), x, value, slope)
        return value, slope
