"""The fast engine in fused kernels, for float32 on the CPU: what :mod:`surrogate.fast.engine` does in torch."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

import torch
from torch import Tensor

from surrogate.fast.calls import call, exact_backward, exact_forward
from surrogate.fast.clock import grid_of
from surrogate.fast.library import library
from surrogate.fast.rooms import Room, Rooms
from surrogate.fast.tiles import CellModel, TileFunctions

LANES = 8
"""Numbers in a vector of the kernels."""

LINE = 16
"""Numbers in a line of the processor's cache."""


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


class _Seeing(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in ("tiles", "n", "width", "slots", "grid", "terms", "drop_terms")),
        ("edge_time", ctypes.c_float),
        *((name, ctypes.c_void_p) for name in ("kernel", "drop_kernel", "change", "drop_change")),
    )


class Kernels:
    """The engine in fused kernels, for cells of one :class:`CellModel` in float32."""

    def __init__(self, cell: CellModel) -> None:
        tables = cell.tables
        self.sizes = (tables.terms, tables.drop_terms)
        self.edge_time = cell.edge_time
        kernels = (tables.kernel.contiguous(), tables.kernel[..., : tables.drop_terms].contiguous())
        self.features = (*kernels, *map(_changes, kernels))
        self.kept = (
            *(_widened(tables.fall.values, 1), _widened(tables.mean.values, 1), _widened(tables.functions.values, 2)),
            *(cell.edge_shift, cell.edge_fall, tables.strength[:, : tables.drop_terms].contiguous()),
        )
        self.floats = (
            *(cell.gate_row, cell.gate_column, tables.mean_fall, cell.driver, cell.word_line),
            *(cell.switch, cell.bit_line, cell.sensitivity),
        )
        self.rooms = Rooms()
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


def _changes(kernel: Tensor) -> Tensor:
    """What the way back asks of a ``kernel`` [N, 16, Q]: [N, Q, 4, 8] by how much each of the four neighbours raises
    the current in the eight patterns of the other three, and [N, Q, 2, 8] the current in all sixteen patterns."""
    current = kernel.double().mT.unflatten(-1, (2, 2, 2, 2)).clone()
    for neighbour in range(2, 6):
        current.select(neighbour, 1).add_(current.select(neighbour, 0))
    by = [current.diff(dim=5 - k).flatten(2) for k in range(4)]
    return torch.cat([torch.stack(by, dim=2), current.reshape(*current.shape[:2], 2, 8)], dim=2).float().contiguous()


def beside(like: Tensor, tiles: int, rows: int, columns: int) -> list[Tensor]:
    """Room for what the functions of tiles hold beside current and amplitude: mean, strength, response, curvature,
    share."""
    return [like.new_empty(tiles, rows), like.new_empty(tiles, 5), *like.new_empty(3, tiles, columns)]


def way_back(kernels: Kernels, like: Tensor, tiles: int, rows: int, columns: int) -> Room:
    """Room for what is kept of tiles' functions for their gradient."""
    return kernels.rooms.kept(like, (tiles, rows), (tiles, columns), *[(tiles, rows, columns)] * 4)


class _TileFunctions(torch.autograd.Function):
    @staticmethod
    @exact_forward
    def forward(ctx, state: Tensor, kernels: Kernels):  # type: ignore[no-untyped-def,override]
        state = state.contiguous()
        k, n, m = state.shape
        terms, drop_terms = kernels.sizes
        current, amplitude = state.new_empty(k, terms * n, m), state.new_empty(k, drop_terms * n, m)
        rest, kept = beside(state, k, n, m), way_back(kernels, state, k, n, m)
        mean, strength, *drop = rest
        out = (current, amplitude, mean, *drop, strength, *kept.tensors)
        call("fg_tile_forward", kernels.description(n, m), k, terms, drop_terms, state, *out)
        ctx.kernels, ctx.kept = kernels, kept
        ctx.mark_non_differentiable(*rest)
        return current, amplitude, *rest

    @staticmethod
    def backward(ctx, to_current, to_amplitude, *_):  # type: ignore[no-untyped-def,override]
        kept, kernels = ctx.kept.tensors, ctx.kernels
        k, n, m = kept[2].shape
        to_state = torch.empty_like(kept[2])
        given = (*kept, to_current.contiguous(), to_amplitude.contiguous(), to_state)
        call("fg_tile_backward", kernels.description(n, m), k, *kernels.sizes, *given)
        return to_state, None


def width(vmms: int) -> int:
    """Lanes for ``vmms`` VMMs: whole lines of the cache, an odd number of them, so that rows do not fall on the same
    places of it."""
    return LINE * (-(-vmms // LINE) | 1)


class Seen(NamedTuple):
    """What current and drop see of the pulses of R tiles of n rows, in w lanes of a VMM each."""

    pulse: Tensor
    """[R, n, w]"""
    elapsed: Tensor
    """[R, slots, n, w]"""
    slope: Tensor
    """[R, n, w] of the clock where each pulse ends"""
    slot: Tensor
    """[R, n, w] in which it ends"""
    square: Tensor
    """[R, slots, w]"""
    level: Tensor
    """[R, slots, w]"""
    steady: Tensor
    """[R, r·n, w]"""
    seen: Tensor
    """[R, slots, d·n, w]"""

    def derive(self, kernels: Kernels, mean: Tensor, strength: Tensor) -> None:
        """Compute all the rest from the pulses and the tiles' mean columns [R, n], [R, 5]."""
        clock = (self.elapsed, self.slope, self.slot, self.square, self.level)
        call("fg_seen", self._seeing(kernels), self.pulse, mean, strength, *clock, self.steady, self.seen)

    def to_pulses(self, kernels: Kernels, to_steady: Tensor, to_seen: Tensor, to_pulse: Tensor) -> None:
        """Fill ``to_pulse`` [R, n, w], which may be the pulses themselves, with the gradient to them from those to
        ``steady`` and ``seen``."""
        given = (self.pulse, self.elapsed, self.slope, self.slot, to_steady, to_seen)
        call("fg_pulses", self._seeing(kernels), *given, to_pulse)

    def _seeing(self, kernels: Kernels) -> _Seeing:
        r, slots, n, w = self.elapsed.shape
        terms, drop_terms = kernels.sizes
        sizes = (r, n, w, slots, grid_of(slots, drop_terms), terms, drop_terms)
        return _Seeing(*sizes, kernels.edge_time, *(values.data_ptr() for values in kernels.features))


def shapes_seen(kernels: Kernels, tiles: int, rows: int, vmms: int, slots: int) -> tuple[tuple[int, ...], ...]:
    """Shapes of all in :class:`Seen` but the slots in which pulses end, for ``vmms`` VMMs."""
    (terms, drop_terms), w = kernels.sizes, width(vmms)
    shapes = ((tiles, rows, w), (tiles, slots, rows, w), (tiles, rows, w), (tiles, slots, w), (tiles, slots, w))
    return (*shapes, (tiles, terms * rows, w), (tiles, slots, drop_terms * rows, w))


def seen_in(tensors: list[Tensor]) -> Seen:
    """Room for what is seen, in ``tensors`` of :func:`shapes_seen`."""
    pulse, elapsed, slope, square, level, steady, seen = tensors
    slot = pulse.new_empty(pulse.shape if elapsed.shape[1] > 1 else 0, dtype=torch.int32)
    return Seen(pulse, elapsed, slope, slot, square, level, steady, seen)


class _Charges(torch.autograd.Function):
    @staticmethod
    @exact_forward
    def forward(ctx, duration: Tensor, current: Tensor, amplitude: Tensor, rest, kernels, slots):  # type: ignore[no-untyped-def,override]
        k, b, n = duration.shape
        mean, strength, *drop = rest
        room = kernels.rooms.kept(duration, *shapes_seen(kernels, k, n, b, slots))
        seen = seen_in(room.tensors)
        seen.pulse[..., :b] = duration.mT
        seen.pulse[..., b:] = 0
        seen.derive(kernels, mean, strength)
        charge, slope = torch.bmm(current.mT, seen.steady), torch.matmul(amplitude.mT[:, None], seen.seen)
        sizes = (k, charge.shape[-1], slots, current.shape[-1], 1, 0)
        call("fg_remaining_charge", *sizes, seen.square, seen.level, *drop, charge, slope)
        ctx.kernels, ctx.vmms, ctx.room, ctx.seen = kernels, b, room, seen
        ctx.save_for_backward(slope, current, amplitude)
        return charge[..., :b].mT

    @staticmethod
    @torch.autograd.function.once_differentiable
    @exact_backward
    def backward(ctx, gradient: Tensor):  # type: ignore[no-untyped-def,override]
        (slope, current, amplitude), seen = ctx.saved_tensors, ctx.seen
        given = torch.nn.functional.pad(gradient.mT, (0, slope.shape[-1] - ctx.vmms))
        projected = slope * given[:, None]
        to_current = torch.bmm(seen.steady, given.mT)
        to_amplitude = torch.matmul(seen.seen, projected.mT).sum(1)
        to_steady, to_seen = torch.bmm(current, given), torch.matmul(amplitude[:, None], projected)
        to_duration = torch.empty_like(seen.pulse)
        seen.to_pulses(ctx.kernels, to_steady, to_seen, to_duration)
        return to_duration[..., : ctx.vmms].mT, to_current, to_amplitude, None, None, None
