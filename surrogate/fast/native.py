"""The fast engine in fused kernels, for float32 on the CPU: what :mod:`surrogate.fast.engine` does in torch."""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from surrogate.fast.clock import grid_of
from surrogate.fast.library import library
from surrogate.fast.tiles import CellModel, TileFunctions

LANES = 8
"""Numbers in a vector of the kernels."""


SIZES = {(2, 1), (3, 1), (3, 2), (4, 2), (4, 3), (5, 3)}
"""Products of current and drop that the kernels are built for."""


def usable(tensor: Tensor, sizes: tuple[int, int]) -> bool:
    """Whether the kernels exist and can compute with ``tensor`` at ``sizes``."""
    able = tensor.dtype == torch.float32 and tensor.device.type == "cpu" and sizes in SIZES
    return able and library() is not None


class _Cell(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in ("rows", "columns", "points")),
        *((name, ctypes.c_float) for name in ("low", "per_step")),
        *((f"{name}_table", ctypes.c_void_p) for name in ("fall", "mean", "function")),
        *((name, ctypes.c_void_p) for name in ("edge_shift", "edge_fall", "strength")),
        *((name, ctypes.c_float) for name in ("gate_row", "gate_column", "mean_fall", "driver", "word_line")),
        *((name, ctypes.c_float) for name in ("switch", "bit_line", "sensitivity")),
    )


class Kernels:
    """The engine in fused kernels, for cells of one :class:`CellModel` in float32."""

    def __init__(self, cell: CellModel) -> None:
        tables = cell.tables
        kernel = torch.nn.functional.pad(tables.kernel.permute(1, 2, 0), (0, -tables.kernel.shape[0] % LANES))
        self.sizes = (tables.terms, tables.drop_terms)
        self.edge_time = cell.edge_time
        self.kernel = kernel.contiguous()
        self.drop_kernel = kernel[:, : tables.drop_terms].contiguous()
        self.kept = (
            *(_widened(tables.fall.values, 1), _widened(tables.mean.values, 1), _widened(tables.functions.values, 2)),
            *(cell.edge_shift, cell.edge_fall, tables.strength[:, : tables.drop_terms].contiguous()),
        )
        self.floats = (
            *(cell.gate_row, cell.gate_column, tables.mean_fall, cell.driver, cell.word_line),
            *(cell.switch, cell.bit_line, cell.sensitivity),
        )
        self.grid = (tables.mean.values.shape[0], tables.mean.low, 1 / tables.mean.step)

    def description(self, rows: int, columns: int) -> _Cell:
        """The C structure; it points into tensors that this object keeps."""
        return _Cell(rows, columns, *self.grid, *(v.data_ptr() for v in self.kept), *self.floats)

    def functions(self, state: Tensor) -> TileFunctions:
        """:func:`surrogate.fast.tiles.tile_functions`."""
        return TileFunctions(*_TileFunctions.apply(state, self))

    def charges(self, tiles: TileFunctions, duration: Tensor, slots: int) -> Tensor:
        """:meth:`surrogate.fast.engine.Plain.charges`."""
        rest = (tiles.mean, tiles.strength, tiles.response, tiles.curvature, tiles.share)
        charge: Tensor = _Charges.apply(duration, tiles.current, tiles.amplitude, rest, self, slots)
        return charge


def _widened(values: Tensor, parts: int) -> Tensor:
    """Rows of a table, in equal ``parts`` filled up to a multiple of the vector length."""
    split = [torch.nn.functional.pad(v, (0, -v.shape[1] % LANES)) for v in values.chunk(parts, dim=1)]
    return torch.cat(split, dim=1).contiguous()


Given = Tensor | int | float | ctypes.Structure | None


def call(name: str, *given: Given) -> None:
    """Call a kernel; tensors must be contiguous."""
    if getattr(library(), name)(*map(_as_c, given)):
        raise ValueError(f"{name}: no kernel for this number of terms")


def _as_c(value: Given):  # type: ignore[no-untyped-def]
    if value is None:
        return None
    if isinstance(value, Tensor):
        return ctypes.c_void_p(value.data_ptr())
    if isinstance(value, int):
        return ctypes.c_int64(value)
    return ctypes.byref(ctypes.c_float(value) if isinstance(value, float) else value)


class _TileFunctions(torch.autograd.Function):
    @staticmethod
    def forward(ctx, state: Tensor, kernels: Kernels):  # type: ignore[no-untyped-def,override]
        state = state.contiguous()
        k, n, m = state.shape
        terms, drop_terms = kernels.sizes
        current, amplitude = state.new_empty(k, terms * n, m), state.new_empty(k, drop_terms * n, m)
        mean, strength, profile = state.new_empty(k, n), state.new_empty(k, 5), state.new_empty(k, n)
        response, curvature, share, kappa = state.new_empty(4, k, m)
        kept = (profile, kappa, *state.new_empty(4, k, n, m))
        out = (current, amplitude, mean, response, curvature, share, strength)
        call("fg_tile_forward", kernels.description(n, m), k, terms, drop_terms, state, *out, *kept)
        ctx.kernels = kernels
        ctx.save_for_backward(*kept)
        ctx.mark_non_differentiable(mean, strength, response, curvature, share)
        return current, amplitude, mean, strength, response, curvature, share

    @staticmethod
    def backward(ctx, to_current, to_amplitude, *_):  # type: ignore[no-untyped-def,override]
        kept, kernels = ctx.saved_tensors, ctx.kernels
        k, n, m = kept[2].shape
        to_state = torch.empty_like(kept[2])
        given = (*kept, to_current.contiguous(), to_amplitude.contiguous(), to_state)
        call("fg_tile_backward", kernels.description(n, m), k, *kernels.sizes, *given)
        return to_state, None


class _Charges(torch.autograd.Function):
    @staticmethod
    def forward(ctx, duration: Tensor, current: Tensor, amplitude: Tensor, rest, kernels, slots):  # type: ignore[no-untyped-def,override]
        duration = duration.contiguous()
        k, b, n = duration.shape
        terms, drop_terms = kernels.sizes
        mean, strength, response, curvature, share = rest
        elapsed, slope = duration.new_empty(k, b, slots, n), torch.empty_like(duration)
        slot = torch.empty(duration.shape, dtype=torch.int32)
        square, level = duration.new_empty(2, k, b, slots)
        clock = (elapsed, slope, slot, square, level)
        call("fg_mean_clock", k, b, n, slots, grid_of(slots, drop_terms), duration, mean, strength, *clock)
        steady = duration.new_empty(k, b, terms * n)
        seen = duration.new_empty(k, b * slots, drop_terms * n)
        call("fg_crosstalk_forward", k * b, n, terms, duration, kernels.edge_time, kernels.kernel, steady)
        call("fg_crosstalk_forward", k * b * slots, n, drop_terms, elapsed, 0.0, kernels.drop_kernel, seen)
        charge, derivative = torch.bmm(steady, current), torch.bmm(seen, amplitude)
        drop = (square, level, response, curvature, share)
        call("fg_remaining_charge", k, b, slots, current.shape[-1], *drop, charge, derivative)
        ctx.kernels, ctx.slots = kernels, slots
        ctx.save_for_backward(duration, elapsed, slope, slot, steady, seen, derivative, current, amplitude)
        return charge

    @staticmethod
    def backward(ctx, gradient: Tensor):  # type: ignore[no-untyped-def,override]
        duration, elapsed, slope, slot, steady, seen, derivative, current, amplitude = ctx.saved_tensors
        kernels, slots = ctx.kernels, ctx.slots
        gradient = gradient.contiguous()
        k, b, n = duration.shape
        terms, drop_terms = kernels.sizes
        projected = (gradient[:, :, None] * derivative.view(k, b, slots, -1)).view(k, b * slots, -1)
        to_amplitude, to_current = torch.bmm(seen.mT, projected), torch.bmm(steady.mT, gradient)
        to_elapsed = torch.zeros_like(elapsed)
        given = (elapsed, 0.0, kernels.drop_kernel, torch.bmm(projected, amplitude.mT), to_elapsed)
        call("fg_crosstalk_backward", k * b * slots, n, drop_terms, *given)
        if slots > 1:
            to_elapsed = to_elapsed.gather(-2, slot[..., None, :].long())
        to_duration = to_elapsed.view_as(slope).mul_(slope)
        given = (duration, kernels.edge_time, kernels.kernel, torch.bmm(gradient, current.mT), to_duration)
        call("fg_crosstalk_backward", k * b, n, terms, *given)
        return to_duration, to_current, to_amplitude, None, None, None
