"""Inputs rounded to pulse widths in a fused kernel."""

from __future__ import annotations

import torch
from torch import Tensor

from surrogate.fast.calls import call


class _Codes(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, scale: float, top: int) -> Tensor:  # type: ignore[no-untyped-def,override]
        code = torch.empty_like(x)
        if x.stride() != code.stride():
            x = x.contiguous(memory_format=torch.contiguous_format)
            code = torch.empty_like(x)
        call("fg_codes", x.numel(), scale, float(top), x, code)
        ctx.scale = scale
        ctx.save_for_backward(x)
        return code

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[no-untyped-def,override]
        (x,) = ctx.saved_tensors
        to_x = torch.empty_like(x)
        if gradient.stride() != to_x.stride():
            gradient = torch.empty_like(x).copy_(gradient)
        call("fg_codes_backward", x.numel(), ctx.scale, x, gradient, to_x)
        return to_x, None, None


def codes(x: Tensor, scale: float, top: int) -> Tensor:
    """``x`` / ``scale`` (any shape, float32 on the CPU) clipped to 0 … 1 and rounded to multiples of 1 / ``top``,
    gradients passed straight through inside that range."""
    code: Tensor = _Codes.apply(x, scale, top)
    return code
