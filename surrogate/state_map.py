"""From programmed floating-gate voltage to the model's state u, and back."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

MAP_TERMS = 4


def map_powers(volts: Tensor, centre: float, unit: float) -> Tensor:
    """((V − centre)/unit)^k [..., :data:`MAP_TERMS`] of ``volts`` (any shape)."""
    return ((volts - centre) / unit)[..., None] ** torch.arange(MAP_TERMS)


@dataclass(frozen=True)
class StateMap:
    """u = Σ c_k ((V − centre)/unit)^k: the stored charge as a monotone function of the idle floating-gate voltage."""

    coefficients: Tensor
    centre: float
    unit: float

    def __call__(self, volts: Tensor) -> Tensor:
        """State of cells programmed to ``volts`` V (any shape)."""
        t = (volts - self.centre) / self.unit
        total = torch.zeros_like(t)
        for c in reversed(self.coefficients.unbind(0)):
            total = total * t + c
        return total

    def powers(self, volts: Tensor) -> Tensor:
        """[..., :data:`MAP_TERMS`] derivatives of the state by the coefficients at ``volts`` (any shape)."""
        return map_powers(volts, self.centre, self.unit)

    def inverse(self, state: Tensor, iterations: int = 30) -> Tensor:
        """Voltage that programs ``state``, V. Raises ``ValueError`` where the map is not invertible there."""
        c = self.coefficients
        t = (state - c[0]) / c[1]
        for _ in range(iterations):
            value = ((c[3] * t + c[2]) * t + c[1]) * t + c[0]
            slope = (3 * c[3] * t + 2 * c[2]) * t + c[1]
            t = t - (value - state) / slope
        volts = self.centre + self.unit * t
        if not torch.allclose(self(volts), state, atol=1e-6):
            raise ValueError("state outside the range that the fitted voltage map covers: fit over a wider range")
        return volts
