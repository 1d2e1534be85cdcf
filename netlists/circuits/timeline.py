"""The edges of one transient: which word lines are active between them, and how long each rest lasts.

Between two edges nothing changes once the lines have settled, so a rest needs only be as long as that; what its
currents would still have delivered is added afterwards (``stretch``). Every line's voltage is then a sum of ramps, one
for each edge, which is how waveforms at the cut of a split array are described, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netlists.circuits.stimulus import SETTLE_EDGES, t_start
from netlists.design import Design, MosCell
from netlists.devices.choice import device_of
from netlists.parasitics.uniform import lines_of

SETTLED_TIME_CONSTANTS = 12
"""Time constants of the slowest line after which a current counts as settled (6e-6 are left)."""

SETTLED_EDGES = 4
"""Least rest after an edge, in edges."""


@dataclass(frozen=True)
class Timeline:
    """E edges and the E + 1 rests before, between and after them."""

    begin: NDArray[np.float64]
    """[E] time at which each edge begins, s; strictly increasing"""
    active: NDArray[np.bool_]
    """[E + 1, N] active word lines in every rest"""
    stretch: NDArray[np.float64]
    """[E + 1] by how much every rest was shortened, s"""
    t_edge: float
    """Duration of an edge, s"""
    t_stop: float
    """End of the transient, s"""

    @property
    def rest_end(self) -> NDArray[np.float64]:
        """[E + 1] time at which every rest ends, s."""
        return np.append(self.begin, self.t_stop)

    @property
    def corners(self) -> NDArray[np.float64]:
        """Times at which some waveform may bend, s; sorted, the first is 0."""
        times = np.concatenate([[0.0], self.begin, self.begin + self.t_edge])
        return np.unique(times.round(18))

    def ramps(self) -> NDArray[np.float64]:
        """[corners, E] how much of every edge has passed at every corner, 0 … 1."""
        return np.clip((self.corners[:, None] - self.begin) / self.t_edge, 0.0, 1.0)


def settling_time(design: Design) -> float:
    """Time after an edge until every current of ``design`` has settled, s."""
    slowest = max(bit_line_delay(design), word_line_delay(design))
    return max(SETTLED_EDGES * design.read.t_edge, SETTLED_TIME_CONSTANTS * slowest)


def bit_line_delay(design: Design) -> float:
    """Elmore's delay of a whole bit line (of extracted ones the slowest) behind its switch, s; an upper bound of its
    time constant."""
    rows, wires = design.array.rows, design.wires
    if design.parasitics is not None:
        lines = lines_of(design)
        loads = lines.bit_farads + rows * _cell_own_farads(design)
        return float((loads * (wires.switch_resistance + lines.bit_ohms.max(axis=(1, 2)))).max())
    farads = rows * (_cell_farads(design) + wires.bit_line_capacitance + 2 * wires.bit_line_pair_capacitance)
    return farads * (wires.switch_resistance + rows * wires.bit_line_resistance)


def word_line_delay(design: Design) -> float:
    """Elmore's delay of a whole word line (of extracted ones the slowest) behind its driver, s; an upper bound of its
    time constant."""
    columns, wires = design.array.columns, design.wires
    if design.parasitics is not None:
        lines = lines_of(design)
        loads = lines.word_farads + columns * _cell_own_farads(design)
        return float((loads * (wires.driver_resistance + lines.word_ohms.max(axis=(1, 2)))).max())
    farads = columns * (_cell_farads(design) + wires.word_line_capacitance + 2 * wires.word_line_pair_capacitance)
    return farads * (wires.driver_resistance + columns * wires.word_line_resistance)


def _cell_own_farads(design: Design) -> float:
    """What one cell's transistor puts on each of its lines, F."""
    return device_of(design.cell).drain_farads if isinstance(design.cell, MosCell) else 0.0


def _cell_farads(design: Design) -> float:
    """What one cell puts on each of its lines, F."""
    coupling = design.coupling
    return _cell_own_farads(design) + design.wires.crossing_capacitance + coupling.bit_line + coupling.own_word_line


def pulse_timeline(design: Design, duration: NDArray[np.float64]) -> Timeline:
    """The timeline of one VMM: one edge where all pulses of ``duration`` [N] s begin, one at every pulse end."""
    ends = np.unique(duration[duration > 0])
    lengths = np.diff(ends, prepend=0.0)
    least = design.read.t_edge + settling_time(design)
    kept = np.minimum(lengths, least)
    begin = t_start(design) + np.concatenate([[0.0], np.cumsum(kept)])
    active = np.concatenate([np.zeros((1, len(duration)), bool), duration >= np.append(ends, np.inf)[:, None]])
    return Timeline(
        begin=begin,
        active=active,
        stretch=np.concatenate([[0.0], lengths - kept, [0.0]]),
        t_edge=design.read.t_edge,
        t_stop=float(begin[-1] + max(SETTLE_EDGES * design.read.t_edge, least)),
    )


def walk_timeline(design: Design, active: NDArray[np.bool_]) -> Timeline:
    """A timeline that passes through the given activation patterns ``active`` [E + 1, N], each just long enough."""
    rest = design.read.t_edge + settling_time(design)
    begin = t_start(design) + rest * np.arange(len(active) - 1)
    stop = float(begin[-1] + max(SETTLE_EDGES * design.read.t_edge, rest))
    return Timeline(begin, np.asarray(active, bool), np.zeros(len(active)), design.read.t_edge, stop)
