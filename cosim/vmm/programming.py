"""The cell's read curve in SPICE: which stored voltage gives which one-hot current in this very array."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.errors import InputError
from cosim.spice.device_check import gate_curve
from cosim.spice.ngspice import Ngspice
from cosim.vmm.simulate import simulate
from netlists.design import Design, MosCell, ResistiveCell

POINTS = 48
"""Voltages simulated side by side on neighbouring columns."""

MOST_COUPLED = 0.6
"""Largest part of an active word line's swing that a floating gate follows."""

RESISTIVE_POINTS = 8192
"""Points of a resistive cell's curve, which costs nothing: interpolation in the logarithm errs by less than 1e-6."""


@dataclass(frozen=True)
class ReadCurve:
    """One-hot read current against stored state, of a cell in the middle of a column, alone in its bit line."""

    state: NDArray[np.float64]
    """Floating-gate voltage with all rows idle, V (MOS), or conductance, S (resistive); ``current`` increases."""
    current: NDArray[np.float64]
    """Bit-line current, A."""

    def state_for(self, current: NDArray[np.float64]) -> NDArray[np.float64]:
        """State that gives ``current`` (any shape, A). Raises :class:`InputError` outside the curve."""
        if not (current.min() >= self.current[0] and current.max() <= self.current[-1]):
            raise InputError(
                f"weights: currents {current.min():g} … {current.max():g} A do not lie in the cell's range "
                f"{self.current[0]:g} … {self.current[-1]:g} A at this read voltage: change weights or cell"
            )
        return np.interp(np.log(current), np.log(self.current), self.state)

    def current_for(self, state: NDArray[np.float64]) -> NDArray[np.float64]:
        """Current, A, that cells of ``state`` (any shape) carry. Raises :class:`InputError` outside the curve."""
        order = np.argsort(self.state)
        low, high = self.state[order[0]], self.state[order[-1]]
        if not (state.min() >= low and state.max() <= high):
            raise InputError(
                f"cell: states {state.min():g} … {state.max():g} carry currents far from the weights' range, that of "
                f"states {low:g} … {high:g}: vary less"
            )
        return np.exp(np.interp(state, self.state[order], np.log(self.current[order])))


def read_curve(design: Design, engine: Ngspice) -> ReadCurve:
    """Simulate the read curve of ``design``'s cell, each of :data:`POINTS` states on a column of its own.

    The cell sits among idle neighbours at minimum state; wires are those of a short array; nothing deviates from the
    model (mismatch).
    """
    if isinstance(design.cell, ResistiveCell):
        current = np.geomspace(0.5 * design.weights.current_min, 2 * design.weights.current_max, RESISTIVE_POINTS)
        return ReadCurve(state=design.cell.conductance(current, design.read.voltage), current=current)
    rows = min(design.array.rows, 5)
    row = rows // 2
    small = design.nominal.resized(rows, POINTS)
    duration = np.zeros(rows)
    duration[row] = design.read.t_max
    low, high = 0.2 * design.weights.current_min, 3 * design.weights.current_max
    sweep = _first_sweep(small, engine, low, high)
    for _ in range(2):
        sample = simulate(small, np.tile(sweep, (rows, 1)), duration, engine)
        current = sample.slot_current[-1]
        inside = np.flatnonzero((current > low) & (current < high))
        if len(inside) == 0:
            raise InputError(
                f"cell: no stored voltage gives currents near {low:g} … {high:g} A: change cell or weights"
            )
        lo, hi = max(inside[0] - 1, 0), min(inside[-1] + 1, POINTS - 1)
        coarse, sweep = sweep, np.linspace(sweep[lo], sweep[hi], POINTS)
    keep = np.concatenate([[True], np.diff(np.maximum.accumulate(current)) > 0])
    keep &= current > 0
    return ReadCurve(state=coarse[keep], current=current[keep])


def _first_sweep(design: Design, engine: Ngspice, low: float, high: float) -> NDArray[np.float64]:
    """Stored voltages around those that give currents from ``low`` to ``high`` A.

    Of the built-in transistor they are known; of others the transistor alone says it, and by :data:`MOST_COUPLED` at
    most an active word line pulls a floating gate along.
    """
    assert isinstance(design.cell, MosCell)
    v, sign = design.read.voltage, 1.0 if design.cell.channel == "n" else -1.0
    if design.cell.model is None and design.cell.device == "generic":
        sweep = np.linspace(-0.5 * v, 2.0 * v, POINTS)
        return sweep if sign > 0 else v - sweep
    curve = gate_curve(design.cell, design.read, engine)
    inside = curve.gate[(curve.current > low) & (curve.current < high)]
    if len(inside) == 0:
        raise InputError(f"cell: no gate voltage gives currents near {low:g} … {high:g} A: change cell or weights")
    return np.linspace(inside[0] - sign * 0.1 * v, inside[-1] + sign * MOST_COUPLED * v, POINTS)
