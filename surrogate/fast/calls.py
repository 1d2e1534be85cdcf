"""Calls of fused kernels."""

from __future__ import annotations

import ctypes
from functools import partial

import torch
from torch import Tensor

from surrogate.fast.library import library

exact_forward = partial(torch.amp.custom_fwd, device_type="cpu", cast_inputs=torch.float32)
exact_backward = partial(torch.amp.custom_bwd, device_type="cpu")
"""Passes around kernels: their tensors are in float32 under ``torch.autocast``, too."""

KINDS = (torch.float32, torch.int32, torch.int64)
"""What kernels take."""

Given = Tensor | int | float | ctypes.Structure | None


def call(name: str, *given: Given) -> None:
    """Call a kernel; tensors must be contiguous, and of :data:`KINDS`, else ``TypeError``."""
    if getattr(library(), name)(*map(_as_c, given)):
        raise ValueError(f"{name}: no kernel for this number of terms")


def _as_c(value: Given):  # type: ignore[no-untyped-def]
    if value is None:
        return None
    if isinstance(value, Tensor):
        if value.dtype not in KINDS:
            raise TypeError(f"kernels take float32, not {value.dtype}")
        return ctypes.c_void_p(value.data_ptr())
    if isinstance(value, int):
        return ctypes.c_int64(value)
    return ctypes.byref(ctypes.c_float(value) if isinstance(value, float) else value)
