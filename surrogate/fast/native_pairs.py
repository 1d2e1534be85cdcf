"""Differences of column pairs (:mod:`surrogate.fast.pairs`) in fused kernels, for float32 on the CPU."""

from __future__ import annotations

import ctypes
import math

import torch
from torch import Tensor

from surrogate.fast.calls import call, exact_backward, exact_forward
from surrogate.fast.native import Kernels, Seen, beside, seen_in, shapes_seen, way_back, width
from surrogate.fast.pairs import PairFunctions, parts, sides_apart
from surrogate.fast.rooms import Room, in_place
from surrogate.fast.windows import Windows


def pair_sums(kernels: Kernels, pairs: PairFunctions, image: Tensor, windows: Windows, slots: int) -> Tensor:
    """:meth:`surrogate.fast.engine.FastEngine.pair_sums` of ``image`` [B, H, W, ch]."""
    rest = (pairs.mean, pairs.strength, *pairs.drop)
    charge: Tensor = _PairSums.apply(image, pairs.current, pairs.amplitude, rest, kernels, windows, slots)
    return charge


def pair_functions(kernels: Kernels, state: Tensor, pairs: int) -> PairFunctions:
    """Functions of the first ``pairs`` pairs of columns of tiles ``state`` u [R, C, n, M]."""
    current, amplitude, mean, strength, *drop = _PairFunctions.apply(state, kernels, pairs)
    sides = state.shape[1]
    mean, strength = (values.unflatten(0, (-1, sides)).mean(1) for values in (mean, strength))
    response, curvature, share = (sides_apart(values, sides, pairs) for values in drop)
    return PairFunctions(current, amplitude, mean, strength, (response, curvature, share))


class _PairFunctions(torch.autograd.Function):
    """:func:`surrogate.fast.tiles.tile_functions`, taken apart where they still are in the cache."""

    @staticmethod
    @exact_forward
    def forward(ctx, state: Tensor, kernels: Kernels, pairs: int):  # type: ignore[no-untyped-def,override]
        state = state.contiguous()
        r, sides, n, m = state.shape
        terms, drop_terms = kernels.sizes
        current, amplitude = state.new_empty(r, terms * n, pairs), state.new_empty(r, drop_terms * n, 2 * pairs)
        rest, kept = beside(state, r * sides, n, m), way_back(kernels, state, r * sides, n, m)
        sizes = (r * sides, sides, pairs, *kernels.sizes)
        mean, strength, *drop = rest
        out = (current, amplitude, mean, *drop, strength, *kept.tensors)
        call("fg_pair_forward", kernels.description(n, m), *sizes, state, *out)
        ctx.kernels, ctx.sizes, ctx.kept = kernels, sizes, kept
        ctx.mark_non_differentiable(*rest)
        return current, amplitude, *rest

    @staticmethod
    @torch.autograd.function.once_differentiable
    @exact_backward
    def backward(ctx, to_current, to_amplitude, *_):  # type: ignore[no-untyped-def,override]
        kept = ctx.kept.tensors
        (n, m), sides = kept[2].shape[1:], ctx.sizes[1]
        to_state = torch.empty_like(kept[2])
        given = (*kept, to_current.contiguous(), to_amplitude.contiguous(), to_state)
        call("fg_pair_backward", ctx.kernels.description(n, m), *ctx.sizes, *given)
        return to_state.unflatten(0, (-1, sides)), None, None


Shapes = tuple[tuple[int, ...], ...]

_NAMES = ("height", "width", "channels", "high", "wide", "down", "right", "down_apart", "right_apart", "out_high")


class _Windows(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_int64) for name in (*_NAMES, "out_wide", "tiles", "rows"))


def _description(windows: Windows, image: Tensor) -> _Windows:
    sizes = (*image.shape[1:], *windows.size, *windows.stride, *windows.dilation, *windows.positions(image))
    return _Windows(*sizes, windows.row_tiles, windows.used_rows)


class _Parts:
    """The VMMs of all windows of an image, in parts that share their room."""

    def __init__(self, kernels: Kernels, windows: Windows, image: Tensor, slots: int) -> None:
        self.kernels, self.windows, self.slots = kernels, windows, slots
        self.description, vmms = _description(windows, image), windows.vmms(image)
        self.limits = parts(vmms, windows.row_tiles * windows.used_rows)
        self.arrays = (windows.row_tiles, windows.used_rows)
        self.planes = image.permute(0, 3, 1, 2).contiguous()
        """[B, ch, H, W]: windows side by side are neighbours in it"""

    def seen(self) -> list[Shapes]:
        """Shapes of what is seen of each part."""
        return [shapes_seen(self.kernels, *self.arrays, last - first, self.slots) for first, last in self.limits]

    def slopes(self, pairs: int) -> list[Shapes]:
        """Shape of each part's derivatives [R, slots, 2P, w] of the drop."""
        fixed = (self.windows.row_tiles, self.slots, 2 * pairs)
        return [((*fixed, width(last - first)),) for first, last in self.limits]

    def lasting(self, parts: list[Shapes]) -> tuple[Room, list[list[Tensor]]]:
        """Room for tensors of all ``parts``, from forward to backward pass."""
        room = self.kernels.rooms.kept(self.planes, *((sum(map(math.prod, shapes)),) for shapes in parts))
        return room, [in_place(*both) for both in zip(room.tensors, parts, strict=True)]

    def passing(self, parts: list[Shapes]) -> tuple[Room, list[list[Tensor]]]:
        """The same until the next part comes, which takes the same room."""
        room = self.kernels.rooms.passing(self.planes, (sum(map(math.prod, parts[0])),))
        return room, [in_place(room.tensors[0], shapes) for shapes in parts]

    def look(self, first: int, last: int, tensors: list[Tensor], rest: tuple[Tensor, Tensor]) -> Seen:
        """What is seen of a part by mean columns ``rest`` [R, n], [R, 5], in ``tensors`` of :meth:`seen`."""
        seen = seen_in(tensors)
        call("fg_gather", self.description, first, last - first, seen.pulse.shape[-1], self.planes, seen.pulse)
        seen.derive(self.kernels, *rest)
        return seen

    def scatter(self, first: int, last: int, to_pulse: Tensor, to_planes: Tensor) -> None:
        """Add the gradient to the pulses of a part to that to the planes."""
        call("fg_scatter", self.description, first, last - first, to_pulse.shape[-1], to_pulse, to_planes)


class _PairSums(torch.autograd.Function):
    @staticmethod
    @exact_forward
    def forward(ctx, image, current, amplitude, rest, kernels, windows, slots):  # type: ignore[no-untyped-def,override]
        mean, strength, *drop = rest
        tiles, _, pairs = current.shape
        work = _Parts(kernels, windows, image, slots)
        out, flat = image.new_empty(pairs, work.limits[-1][1]), current.flatten(0, 1)
        graded = any(ctx.needs_input_grad)
        slopes = (work.lasting if graded else work.passing)(work.slopes(pairs))
        seen = (work.lasting if graded and slots == 1 else work.passing)(work.seen())
        for (first, last), tensors, (slope,) in zip(work.limits, seen[1], slopes[1], strict=True):
            s = work.look(first, last, tensors, (mean, strength))
            charge = torch.mm(flat.T, s.steady.flatten(0, 1))
            torch.matmul(amplitude.mT[:, None], s.seen, out=slope)
            sizes = (tiles, charge.shape[-1], slots, 2 * pairs, 2, 1)
            call("fg_remaining_charge", *sizes, s.square, s.level, *drop, charge, slope)
            out[:, first:last] = charge[:, : last - first]
        if graded:
            ctx.work, ctx.rest, ctx.slopes, ctx.seen = work, (mean, strength), slopes, seen if slots == 1 else None
        else:
            del seen, slopes
            kernels.rooms.clear()
        ctx.save_for_backward(current, amplitude)
        return out.T

    @staticmethod
    @torch.autograd.function.once_differentiable
    @exact_backward
    def backward(ctx, gradient):  # type: ignore[no-untyped-def,override]
        current, amplitude = ctx.saved_tensors
        work, given, flat = ctx.work, gradient.contiguous(), current.flatten(0, 1)
        tiles, _, pairs = current.shape
        to_current, to_amplitude = torch.zeros_like(flat), torch.zeros_like(amplitude)
        to_planes = torch.zeros_like(work.planes) if ctx.needs_input_grad[0] else None
        kept, ctx.seen = ctx.seen, None
        _room, each = kept or work.passing(work.seen())
        for (first, last), tensors, (slope,) in zip(work.limits, each, ctx.slopes[1], strict=True):
            s = seen_in(tensors) if kept else work.look(first, last, tensors, ctx.rest)
            g, projection = slope.new_empty(pairs, slope.shape[-1]), torch.empty_like(slope)
            sizes = (tiles * work.slots, last - first, pairs, slope.shape[-1])
            call("fg_pair_projection", *sizes, given[first:last], slope, g, projection)
            to_current.addmm_(s.steady.flatten(0, 1), g.T)
            for slot in range(work.slots):
                to_amplitude.baddbmm_(s.seen[:, slot], projection[:, slot].mT)
            if to_planes is not None:
                torch.mm(flat, g, out=s.steady.view(-1, g.shape[-1]))
                torch.matmul(amplitude[:, None], projection, out=s.seen)
                s.to_pulses(work.kernels, s.steady, s.seen, s.pulse)
                work.scatter(first, last, s.pulse, to_planes)
        to_image = None if to_planes is None else to_planes.permute(0, 2, 3, 1)
        return to_image, to_current.unflatten(0, (tiles, -1)), to_amplitude, None, None, None, None
