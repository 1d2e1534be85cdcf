"""Weights of few bits as whole numbers, gradients passed straight through."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


class _Rounded(torch.autograd.Function):
    @staticmethod
    def forward(_ctx, value: Tensor) -> Tensor:  # type: ignore[no-untyped-def,override]
        return torch.round(value)

    @staticmethod
    def backward(_ctx, gradient: Tensor) -> Tensor:  # type: ignore[no-untyped-def,override]
        return gradient


def rounded(value: Tensor) -> Tensor:
    """``value`` at the nearest whole numbers, its gradient as if it were not rounded (Bengio et al., 2013)."""
    whole: Tensor = _Rounded.apply(value)
    return whole


def signs(weight: Tensor) -> Tensor:
    """−1 or 1, gradients as of ``weight``: weights of one bit."""
    return torch.where(weight < 0, -1.0, 1.0).to(weight) + (weight - weight.detach())


@dataclass(frozen=True)
class Unsigned:
    """Whole numbers 0 … 2^bits − 1 that stand for weights −1 … 1, w = (u − zero)/top: u = :attr:`zero` is exactly
    w = 0, as two's complement with its sign bit inverted. One bit is a sign alone."""

    bits: int

    @property
    def top(self) -> float:
        """Of the largest weight, u − zero."""
        return float(2 ** (self.bits - 1) - 1) if self.bits > 1 else 0.5

    @property
    def zero(self) -> float:
        """What stands for w = 0."""
        return float(2 ** (self.bits - 1)) if self.bits > 1 else 0.5

    def of(self, weight: Tensor) -> Tensor:
        """u of ``weight`` in −1 … 1."""
        return self.zero + (rounded(self.top * weight) if self.bits > 1 else self.top * signs(weight))


@dataclass(frozen=True)
class Magnitude:
    """Whole numbers −top … top that stand for weights −1 … 1, one of ``bits`` being the sign."""

    bits: int

    @property
    def bits_of_size(self) -> int:
        """Bits of the size; of one bit in all, 1: the size is always 1."""
        return max(1, self.bits - 1)

    @property
    def top(self) -> int:
        """Size of the largest weight."""
        return 2**self.bits_of_size - 1

    def of(self, weight: Tensor) -> Tensor:
        """Number of ``weight`` in −1 … 1."""
        return rounded(self.top * weight) if self.bits > 1 else signs(weight)


def kept(weight: Tensor, bits: int | None) -> Tensor:
    """``weight`` in −1 … 1 as ``bits`` bits keep it, None: as it is; the same for every mapping."""
    if bits is None:
        return weight
    return signs(weight) if bits == 1 else rounded((2 ** (bits - 1) - 1) * weight) / (2 ** (bits - 1) - 1)
