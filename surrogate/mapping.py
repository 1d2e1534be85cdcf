"""From levels to cells: their target currents, and the stored state that shows a target current."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.cell import cell_current, gate_fall
from surrogate.engine import LinearEngine, SwitchedEngine
from surrogate.errors import InputError
from surrogate.fast.curve import Curve, tabulated
from surrogate.model import array_edge
from surrogate.surrogate import Surrogate
from surrogate.switched.cell import Shared, state_for

TABLE_POINTS = 2001

EDGE_PASSES = 2
"""Corrections of the fall of floating gates at the array's edge; each gains a factor of about fifty."""


@dataclass(frozen=True)
class CurrentRange:
    """One-hot read currents that cells are programmed to, A."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high:
            raise InputError(f"current range {self.low:g} … {self.high:g} A: needs 0 < low < high")


def level_currents(level: Tensor, currents: CurrentRange) -> Tensor:
    """Target currents A of cells at ``level`` (any shape): 0 is the lowest, 1 the highest one."""
    return currents.low + (currents.high - currents.low) * level


class InverseCurve:
    """State that shows a target current when its cell is read alone: a differentiable table of the fitted curve."""

    def __init__(self, surrogate: Surrogate, currents: CurrentRange, rows: int) -> None:
        p = surrogate.parameters
        domain = surrogate.domain
        state = torch.linspace(domain.state_min - 2, domain.state_max + 2, TABLE_POINTS, dtype=torch.float64)
        current = torch.zeros_like(state)
        for _ in range(30):
            drop, rise = torch.exp(p.log_switch) * current, torch.exp(p.log_driver) * current
            current = cell_current(p, state - p.sensitivity * drop - rise, drop).reshape(-1)
        log_current = torch.log(current * surrogate.current_scale)
        if bool((log_current.diff() <= 0).any()):
            raise InputError("surrogate: its cell curve is not monotone over the domain: fit it to more data")
        least = torch.searchsorted(state, torch.tensor(domain.state_min, dtype=torch.float64))
        self.least = float(torch.exp(log_current[least]))
        """current of the least conducting cell of the domain, A"""
        for value in (currents.low, currents.high):
            if not float(log_current[0]) <= float(torch.log(torch.tensor(value))) <= float(log_current[-1]):
                raise InputError(f"weights: current {value:g} A is outside the surrogate's domain: narrow the range")
        self.state = state
        self.log_current = log_current
        self.edge = array_edge(p, rows)
        self.special_rows = ((self.edge.shift != 0) | (self.edge.fall != 0)).nonzero().flatten()
        self.curve = Curve(self._inside, *log_current[[0, -1]].exp().tolist())

    def __call__(self, current: Tensor) -> Tensor:
        """States [..., n, M] of target ``current`` [..., n, M] A on the first n rows, in its dtype, corrected at the
        array's edge."""
        if tabulated(current):
            state: Tensor = _States.apply(current, self)
            return state
        return self.at_edge(self._inside(current.double()), torch.arange(current.shape[-2])).to(current.dtype)

    def _inside(self, current: Tensor) -> Tensor:
        """States (any shape) of target ``current`` A away from the array's edge."""
        target = torch.log(current)
        k = torch.searchsorted(self.log_current, target.detach().contiguous()).clamp(1, TABLE_POINTS - 1)
        x0, x1 = self.log_current[k - 1], self.log_current[k]
        y0, y1 = self.state[k - 1], self.state[k]
        return y0 + (y1 - y0) * (target - x0) / (x1 - x0)

    def at_edge(self, state: Tensor, rows: Tensor) -> Tensor:
        """``state`` [..., k, M] of cells inside the array, corrected for the ``rows`` [k] that they lie in."""
        shift, fall = (values[rows, None].to(state) for values in (self.edge.shift, self.edge.fall))
        stored = state - shift
        for _ in range(EDGE_PASSES):
            stored = state - shift - fall * gate_fall(stored)
        return stored


class _States(torch.autograd.Function):
    """States by the tabulated curve, corrected in the few rows where that changes them."""

    @staticmethod
    def forward(ctx, current: Tensor, inverse: InverseCurve) -> Tensor:  # type: ignore[no-untyped-def,override]
        state, slope = inverse.curve(current)
        rows = inverse.special_rows[inverse.special_rows < current.shape[-2]]
        with torch.inference_mode(False), torch.enable_grad():
            inside = state[..., rows, :].clone().requires_grad_(True)
            stored = inverse.at_edge(inside, rows)
            (growth,) = torch.autograd.grad(stored.sum(), inside)
        state[..., rows, :] = stored.detach()
        slope[..., rows, :] *= growth
        ctx.save_for_backward(slope)
        return state

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[no-untyped-def,override]
        (slope,) = ctx.saved_tensors
        return gradient * slope, None


class Proportional:
    """State of a linear cell that conducts a target current at the read voltage, wires left out."""

    least = 0.0

    def __init__(self, surrogate: Surrogate) -> None:
        self.scale = surrogate.current_scale

    def __call__(self, current: Tensor) -> Tensor:
        """States of target ``current`` A."""
        return current / self.scale


class Accessed:
    """State of a resistive cell behind its access device that conducts a target current between ideal lines."""

    least = 0.0

    def __init__(self, cells: Shared, current_scale: float) -> None:
        self.scale, self.shared = current_scale, cells

    def __call__(self, current: Tensor) -> Tensor:
        """States of target ``current`` A."""
        return state_for(self.shared, current / self.scale).to(current.dtype)


Inverse = InverseCurve | Proportional | Accessed


def inverse_curve(surrogate: Surrogate, currents: CurrentRange, rows: int) -> Inverse:
    """States of target currents, for the surrogate's kind of cell."""
    if isinstance(surrogate.engine, LinearEngine):
        return Proportional(surrogate)
    if isinstance(surrogate.engine, SwitchedEngine):
        return Accessed(surrogate.engine.cells, surrogate.current_scale)
    return InverseCurve(surrogate, currents, rows)


def program(surrogate: Surrogate, inverse: Inverse, target: Tensor, passes: int = 12) -> Tensor:
    """States [..., N, M] that show ``target`` [..., N, M] A in a one-hot read of the whole array, as write–verify
    programming reaches: neighbours' floating gates and shared drivers included."""
    wanted = inverse(target.double())
    state = wanted
    for _ in range(passes):
        state = state + wanted - inverse(surrogate.one_hot_current(state))
    return state
