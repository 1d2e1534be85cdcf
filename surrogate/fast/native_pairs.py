"""Differences of column pairs (:mod:`surrogate.fast.pairs`) in fused kernels, for float32 on the CPU."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

import torch
from torch import Tensor

from surrogate.fast.clock import grid_of
from surrogate.fast.native import Kernels, call
from surrogate.fast.pairs import PairFunctions, parts
from surrogate.fast.windows import Windows


def pair_sums(kernels: Kernels, pairs: PairFunctions, image: Tensor, windows: Windows, slots: int) -> Tensor:
    """:meth:`surrogate.fast.engine.FastEngine.pair_sums` of ``image`` [B, H, W, ch]."""
    rest = (pairs.mean, pairs.strength, *pairs.drop)
    charge: Tensor = _PairSums.apply(image, pairs.current, pairs.amplitude, rest, kernels, windows, slots)
    return charge


_NAMES = ("height", "width", "channels", "high", "wide", "down", "right", "down_apart", "right_apart", "out_high")


class _Windows(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_int64) for name in (*_NAMES, "out_wide", "rows"))


def _description(windows: Windows, image: Tensor) -> _Windows:
    sizes = (*image.shape[1:], *windows.size, *windows.stride, *windows.dilation, *windows.positions(image))
    return _Windows(*sizes, windows.used_rows)


class _Seen(NamedTuple):
    """What the drop and the current see of the pulses of one part."""

    pulse: Tensor
    elapsed: Tensor
    slope: Tensor
    slot: Tensor
    square: Tensor
    level: Tensor
    steady: Tensor
    seen: Tensor


class _Part:
    """Buffers of one size of part, used again and again."""

    def __init__(self, kernels: Kernels, windows: Windows, slots: int, vmms: int, like: Tensor) -> None:
        terms, drop_terms = kernels.sizes
        self.size, self.kernels, self.slots = (windows.row_tiles, vmms, windows.used_rows), kernels, slots
        k, b, n = self.size
        self.seen = _Seen(
            pulse=like.new_zeros(k, b, n),
            elapsed=like.new_empty(k, b, slots, n),
            slope=like.new_empty(k, b, n),
            slot=torch.empty(k, b, n, dtype=torch.int32),
            square=like.new_empty(k, b, slots),
            level=like.new_empty(k, b, slots),
            steady=like.new_empty(k, b, terms * n),
            seen=like.new_empty(k, b * slots, drop_terms * n),
        )

    def fill(self, image: Tensor, description: _Windows, first: int, mean: Tensor, strength: Tensor) -> _Seen:
        """Take the pulses of the VMMs from ``first`` on, and all that follows from them."""
        (k, b, n), s, kernels = self.size, self.seen, self.kernels
        terms, drop_terms = kernels.sizes
        call("fg_gather", description, first, b, image, s.pulse)
        call("fg_mean_clock", k, b, n, self.slots, grid_of(self.slots, drop_terms), s.pulse, mean, strength, *s[1:6])
        call("fg_crosstalk_forward", k * b, n, terms, s.pulse, kernels.edge_time, kernels.kernel, s.steady)
        call("fg_crosstalk_forward", k * b * self.slots, n, drop_terms, s.elapsed, 0.0, kernels.drop_kernel, s.seen)
        return s


class _PairSums(torch.autograd.Function):
    @staticmethod
    def forward(ctx, image, current, amplitude, rest, kernels, windows, slots):  # type: ignore[no-untyped-def,override]
        image = image.contiguous()
        vmms, pairs = windows.vmms(image), current.shape[-1]
        mean, strength, *drop = rest
        out, description = image.new_zeros(vmms, pairs), _description(windows, image)
        part, slopes = None, []
        for first, last in parts(vmms, windows.row_tiles * windows.used_rows):
            if part is None or part.size[1] != last - first:
                part = _Part(kernels, windows, slots, last - first, image)
            s, charge = part.fill(image, description, first, mean, strength), out[first:last]
            for steady, tile in zip(s.steady, current, strict=True):
                charge.addmm_(steady, tile)
            projection = torch.bmm(s.seen, amplitude)
            sizes = (windows.row_tiles, last - first, slots, pairs)
            call("fg_remaining_pairs", *sizes, s.square, s.level, *drop, charge, projection)
            if any(ctx.needs_input_grad):
                slopes.append(projection)
        ctx.kernels, ctx.windows, ctx.slots, ctx.rest = kernels, windows, slots, rest
        ctx.save_for_backward(image, current, amplitude, *slopes)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):  # type: ignore[no-untyped-def,override]
        image, current, amplitude, *slopes = ctx.saved_tensors
        kernels, windows, slots = ctx.kernels, ctx.windows, ctx.slots
        gradient, description = gradient.contiguous(), _description(windows, image)
        vmms, pairs = gradient.shape
        mean, strength, *_ = ctx.rest
        to_current, to_amplitude = torch.zeros_like(current), torch.zeros_like(amplitude)
        to_image = torch.zeros_like(image) if ctx.needs_input_grad[0] else None
        part = None
        for (first, last), slope in zip(parts(vmms, windows.row_tiles * windows.used_rows), slopes, strict=True):
            if part is None or part.size[1] != last - first:
                part = _Part(kernels, windows, slots, last - first, image)
            s, g = part.fill(image, description, first, mean, strength), gradient[first:last]
            apart = slope.view(windows.row_tiles, last - first, slots, 2, pairs)
            projection = (apart * g[:, None, None]).view_as(slope)
            to_amplitude.baddbmm_(s.seen.mT, projection)
            for tile, steady in zip(to_current, s.steady, strict=True):
                tile.addmm_(steady.mT, g)
            if to_image is not None:
                to_pulse = _to_pulses(part, projection, amplitude, g, current)
                call("fg_scatter", description, first, last - first, to_pulse, to_image)
        return to_image, to_current, to_amplitude, None, None, None, None


def _to_pulses(part: _Part, projection: Tensor, amplitude: Tensor, gradient: Tensor, current: Tensor) -> Tensor:
    """Gradient [R, b, n] to the pulses of a part; what ``part`` holds of them is used up."""
    (k, b, n), s, kernels, slots = part.size, part.seen, part.kernels, part.slots
    terms, drop_terms = kernels.sizes
    torch.bmm(projection, amplitude.mT, out=s.seen)
    to_elapsed = torch.zeros_like(s.elapsed)
    given = (s.elapsed, 0.0, kernels.drop_kernel, s.seen, to_elapsed)
    call("fg_crosstalk_backward", k * b * slots, n, drop_terms, *given)
    if slots > 1:
        to_elapsed = to_elapsed.gather(-2, s.slot[..., None, :].long())
    to_pulse = to_elapsed.view_as(s.slope).mul_(s.slope)
    for steady, tile in zip(s.steady, current, strict=True):
        torch.mm(gradient, tile.T, out=steady)
    given = (s.pulse, kernels.edge_time, kernels.kernel, s.steady, to_pulse)
    call("fg_crosstalk_backward", k * b, n, terms, *given)
    return to_pulse
