"""States of pairs of cells, one of which holds a weight and the other weight zero, in one fused kernel."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.fast.calls import call
from surrogate.fast.curve import Curve


@dataclass(frozen=True)
class PairCells:
    """Arrays of ``columns``, ``sides`` C of them side by side, each of which has a pair for each of ``fitting``
    outputs; columns without one are at the current ``low``. A weight's own side is at ``low`` + ``swing`` times
    its size, from ``zero`` on, and the other one at ``zero``."""

    columns: int
    sides: int
    fitting: int
    low: float
    swing: float
    zero: float
    curve: Curve
    """state of a current"""
    special_rows: Tensor
    """[k] rows whose states are corrected"""
    corrected: Callable[[Tensor, Tensor], Tensor]
    """(states [..., k, M], rows [k]): what they are there"""

    def states(self, weight: Tensor) -> Tensor:
        """States [R, C, n, M] of ``weight`` [R, n, out] over its range, in float32 on the CPU, clipped to it."""
        state: Tensor = _States.apply(weight, self)
        return state


class _CPairs(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in ("tiles", "rows", "columns", "sides", "outputs", "fitting")),
        *((name, ctypes.c_float) for name in ("low", "swing", "zero")),
    )


def _description(cells: PairCells, weight: Tensor) -> _CPairs:
    r, n, outputs = weight.shape
    sizes = (r * cells.sides, n, cells.columns, cells.sides, outputs, cells.fitting)
    return _CPairs(*sizes, cells.low, cells.swing, cells.zero)


class _States(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weight: Tensor, cells: PairCells) -> Tensor:  # type: ignore[no-untyped-def,override]
        weight = weight.contiguous()
        r, n, _ = weight.shape
        state, slope = weight.new_empty(r, cells.sides, n, cells.columns), torch.empty_like(weight)
        call("fg_pair_states", _description(cells, weight), cells.curve.description(), weight, state, slope)
        rows = cells.special_rows[cells.special_rows < n]
        with torch.inference_mode(False), torch.enable_grad():
            inside = state[..., rows, :].clone().requires_grad_(True)
            stored = cells.corrected(inside, rows)
            (growth,) = torch.autograd.grad(stored.sum(), inside)
        state[..., rows, :] = stored.detach()
        ctx.cells, ctx.rows = cells, rows
        ctx.save_for_backward(weight, slope, growth)
        return state

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[no-untyped-def,override]
        weight, slope, growth = ctx.saved_tensors
        special = torch.full((weight.shape[1],), -1, dtype=torch.int32)
        special[ctx.rows] = torch.arange(len(ctx.rows), dtype=torch.int32)
        to_weight = torch.empty_like(weight)
        given = (len(ctx.rows), special, growth.contiguous(), weight, slope, gradient.contiguous(), to_weight)
        call("fg_pair_weights", _description(ctx.cells, weight), *given)
        return to_weight, None
