"""Predicted voltages at the cuts of a split array: from one small SPICE run of the design's own cell.

Five rows pass through all 32 patterns of activity, with a range of stored states side by side. Read off for each row:
its floating gates, its currents, and how both fall with the bit line's drop. The prediction for an array then
solves the drops of its word and bit lines, which are linear in the currents. It need not be exact: it decides how many
passes a split array takes, never what they converge to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from cosim.spice.ladder import Climber
from cosim.vmm.block_run import block_deck, ideal_drive, read_block
from netlists.circuits.block import Boundary
from netlists.circuits.timeline import Timeline, walk_timeline
from netlists.design import Design, Levels, MosCell
from netlists.devices.choice import device_of
from netlists.graph import near_row
from netlists.mismatch import charge_shift, deviations
from netlists.parasitics.uniform import lines_of

Array = NDArray[np.float64]

ROWS, MIDDLE, CODES = 5, 2, 32
STATES = 16
"""States of the characterisation, side by side."""
LOWERED_STATES = 8
"""States repeated with a lowered clamp."""
LOWERED_CLAMP = 0.05
"""Drop of those clamps, V."""
STATE_GRID = 0.25
"""Ranges of states end on multiples of this, V, so that many arrays share one characterisation."""
LEAST_CURRENT = 1e-15
"""Floor under logarithms of currents, A."""
DROP_ITERATIONS = 6
SWITCH_OHMS = 1.0


@dataclass(frozen=True)
class CellTable:
    """A cell's behaviour against its state in each of five rows of a small array and for each of 32 patterns.

    Bits of a pattern: activity of the own row, near row, far row, second row on the near side, second row on the far
    side. Each spline maps a state in V to an array [5, 32].
    """

    gate: CubicSpline
    """Floating-gate voltage, V"""
    log_current: CubicSpline
    """Logarithm of the current's magnitude in A"""
    gate_by_drop: CubicSpline
    """Fall of the floating gate per volt of the bit line's drop"""
    loss_by_drop: CubicSpline
    """Relative loss of current per volt of the bit line's drop, 1/V"""


@dataclass(frozen=True)
class Prediction:
    """What a split array starts from, and how its cells' currents answer to errors of it."""

    boundary: Boundary
    by_word_line: Array
    """[E + 1, N, M] relative loss of current per volt of the word line's drop, 1/V"""
    by_neighbour: Array
    """[E + 1, N, M] relative change of current per volt of a same-row neighbour's floating gate, 1/V"""


@lru_cache(maxsize=16)
def cell_table(design: Design, climber: Climber, low: float, high: float) -> CellTable:
    """Simulate the table of ``design``'s cell for states from ``low`` to ``high`` V.

    Raises :class:`~cosim.errors.SimulationError` where ngspice cannot simulate it.
    """
    small = design.resized(ROWS, STATES + LOWERED_STATES)
    columns = range(STATES + LOWERED_STATES)
    state, fewer = np.linspace(low, high, STATES), np.linspace(low, high, LOWERED_STATES)
    words = _walk()
    timeline = walk_timeline(small, (words[:, None] >> np.arange(ROWS)) & 1 == 1)
    ideal = _ideal(small, timeline, len(columns))
    drop = np.repeat([0.0, LOWERED_CLAMP], [STATES, LOWERED_STATES]) * _sign(small)
    cells = np.tile(np.concatenate([state, fewer]), (ROWS, 1))
    deck = partial(block_deck, small, columns, cells, timeline, Boundary(ideal, ideal), small.v_idle - drop)
    run, _ = climber.climb(deck, partial(read_block, small, columns, cells, timeline))
    rest, row = _rests(small, words), np.arange(ROWS)[:, None]
    gate = np.moveaxis(run.gate[rest, row], 2, 0)
    log = np.moveaxis(np.log(np.maximum(np.abs(run.cell[rest, row]), LEAST_CURRENT)), 2, 0)
    curve, lowered = CubicSpline(state, gate[:STATES]), gate[STATES:]
    logs = CubicSpline(state, log[:STATES])
    return CellTable(
        gate=curve,
        log_current=logs,
        gate_by_drop=CubicSpline(fewer, (curve(fewer) - lowered) / LOWERED_CLAMP * _sign(small)),
        loss_by_drop=CubicSpline(fewer, (logs(fewer) - log[STATES:]) / LOWERED_CLAMP),
    )


def predict(design: Design, climber: Climber, cells: Array, timeline: Timeline) -> Prediction:
    """Predicted voltages of all word-line nets and floating gates of an array of transistors ``cells`` [N, M] V.

    Raises :class:`~cosim.errors.SimulationError` where ngspice cannot simulate the design's cell.
    """
    spread = deviations(design)
    held = cells - charge_shift(design)
    conducting = cells if spread is None else cells - spread.threshold  # the state of a nominal cell of this current
    low = float(np.floor(min(held.min(), conducting.min()) / STATE_GRID) * STATE_GRID)
    high = float(np.ceil(max(held.max(), conducting.max()) / STATE_GRID) * STATE_GRID)
    table = cell_table(_cell_only(design), replace(climber, keep=None), low, max(high, low + STATE_GRID))
    code, active, like = _codes(design, timeline.active), timeline.active[:, :, None], _table_rows(design)

    def at(spline: CubicSpline, code: NDArray[np.int64] = code, state: Array = conducting) -> Array:
        """[E + 1, N, M] values of ``spline`` at every cell's state and pattern."""
        values = np.stack([spline(state[row])[:, like[row]] for row in range(len(cells))])
        return np.moveaxis(values, 2, 0)[code, np.arange(len(cells))]

    swing = design.v_idle - design.v_active
    gate, by_bit_line = at(table.gate, state=held), at(table.loss_by_drop)
    # per volt of the floating gate as it is now, which a state in V (all rows idle) moves by another amount
    slope = at(table.log_current.derivative()) / at(table.gate.derivative())
    follows = np.where(active, (at(table.gate, code & ~1, held) - gate) / swing, 0.0)
    by_word_line = np.abs(slope) * (1 - follows) + by_bit_line
    factor = 1.0 if spread is None else spread.factor
    current = alone = np.where(active, factor * np.exp(at(table.log_current)), 0.0)
    for _ in range(DROP_ITERATIONS):
        word, bit = word_line_drop(design, current), bit_line_drop(design, current)
        current = alone * np.exp(-by_word_line * word - by_bit_line * bit)
    raised = _sign(design) * word_line_drop(design, current)
    fallen = _sign(design) * bit_line_drop(design, current)
    near = np.abs(at(table.gate, code & ~2) - at(table.gate, code | 2)) / abs(swing)
    return Prediction(
        boundary=Boundary(
            word_line=_ideal(design, timeline, cells.shape[1]) + raised,
            gate=gate + follows * raised - at(table.gate_by_drop) * fallen,
        ),
        by_word_line=by_word_line,
        by_neighbour=slope * np.where(near > 0, near, 1.0) * _neighbour_share(design),
    )


def _neighbour_share(design: Design) -> float:
    """Same-row coupling of floating gates over that to the near word line, whose effect the table knows; where there
    is none, over the explicit capacitances alone, an upper bound."""
    c, overlap = design.coupling, device_of(design.cell).overlap_farads if isinstance(design.cell, MosCell) else 0.0
    if c.near_word_line > 0:
        return c.floating_gate_same_row / c.near_word_line
    total = c.own_word_line + c.bit_line + c.substrate + c.floating_gate_same_row + 2 * overlap
    return c.floating_gate_same_row / total


def word_line_drop(design: Design, current: Array) -> Array:
    """[..., N, M] voltage between each cell's word-line net and its driver by the cells' ``current`` [..., N, M], V."""
    if design.parasitics is not None:
        ohms = design.wires.driver_resistance + lines_of(design).word_ohms
        return np.einsum("...im,imk->...ik", current, ohms)
    place, wires = np.arange(design.array.columns), design.wires
    return current @ (wires.driver_resistance + wires.word_line_resistance * np.minimum.outer(place, place))


def bit_line_drop(design: Design, current: Array) -> Array:
    """[..., N, M] voltage between each cell's bit-line net and its clamp by the cells' ``current`` [..., N, M], V."""
    if design.parasitics is not None:
        ohms = design.wires.switch_resistance + lines_of(design).bit_ohms
        return np.einsum("jik,...kj->...ij", ohms, current)
    place, wires = np.arange(design.array.rows), design.wires
    return (wires.switch_resistance + wires.bit_line_resistance * np.minimum.outer(place, place)) @ current


def _ideal(design: Design, timeline: Timeline, columns: int) -> Array:
    """[E + 1, N, M] word-line voltages without any drop, V."""
    return np.repeat(ideal_drive(design, timeline.active)[:, :, None], columns, axis=2)


def _sign(design: Design) -> float:
    """Direction of the cell current from bit line to word line."""
    return float(np.sign(design.v_idle - design.v_active))


def _walk() -> NDArray[np.int64]:
    """Activity of five word lines as bits: Gray code over all of them and back to rest, one edge at a time."""
    words = np.arange(CODES + 1) ^ (np.arange(CODES + 1) >> 1)
    words[-1] = 0
    return words


def _around(design: Design, row: int) -> list[int]:
    """Rows that the bits of a pattern of ``row`` stand for."""
    step = near_row(design, row) - row
    return [row, row + step, row - step, row + 2 * step, row - 2 * step]


def _rests(small: Design, words: NDArray[np.int64]) -> NDArray[np.int64]:
    """[5, 32] rest of the walk in which a row's surroundings show a pattern; rows beyond the edge do not count."""
    rest = np.empty((ROWS, CODES), dtype=np.int64)
    for row in range(ROWS):
        for code in range(CODES):
            lines = [k for bit, k in enumerate(_around(small, row)) if code >> bit & 1 and 0 <= k < ROWS]
            rest[row, code] = np.flatnonzero(words == sum(1 << k for k in lines))[0]
    return rest


def _codes(design: Design, active: NDArray[np.bool_]) -> NDArray[np.int64]:
    """[E + 1, N] pattern of every row's surroundings in every rest; rows beyond the edge are idle."""
    beyond = np.zeros((len(active), 2), bool)
    padded = np.concatenate([beyond, active, beyond], axis=1).astype(np.int64)
    around = np.array([_around(design, row) for row in range(active.shape[1])]) + 2
    return (padded[:, around] << np.arange(ROWS)).sum(axis=2)


def _table_rows(design: Design) -> list[int]:
    """Row of the small array that is most like each row: edge rows have neighbours on one side only."""
    rows = design.array.rows
    turned = design.array.mirrored and rows % 2 == 0
    bottom = {rows - 1: 0, rows - 2: 1} if turned else {rows - 1: ROWS - 1, rows - 2: ROWS - 2}
    return [row if row < MIDDLE else bottom.get(row, MIDDLE) for row in range(rows)]


def _cell_only(design: Design) -> Design:
    """``design`` without what its cell's table does not depend on, so that equal cells share a table."""
    wires = design.wires.model_copy(update={"switch_resistance": SWITCH_OHMS})
    return design.nominal.resized(ROWS, STATES + LOWERED_STATES).model_copy(
        update={"name": "cell", "notes": "", "wires": wires, "levels": Levels(), "parasitics": None}
    )
