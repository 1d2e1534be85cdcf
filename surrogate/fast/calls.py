"""Calls of fused kernels."""

from __future__ import annotations

import ctypes

from torch import Tensor

from surrogate.fast.library import library

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
