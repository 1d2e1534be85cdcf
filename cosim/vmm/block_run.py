"""One block of columns in ngspice: its deck, and what its lines and floating gates do, rest by rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cosim.vmm.charges import cell_currents, quadrature
from cosim.vmm.checks import check_balance, check_gates, check_integrators, table_of
from cosim.vmm.sample import current_sign
from netlists.circuits.block import Boundary, block_cards, saved_vectors, source_cards
from netlists.circuits.circuit import INTEGRATOR_FARADS
from netlists.circuits.deck import Options, Transient, deck_text
from netlists.circuits.timeline import Timeline
from netlists.design import Design
from netlists.mismatch import charge_shift

Array = NDArray[np.float64]


@dataclass(frozen=True)
class BlockRun:
    """Result of one block of B columns (E + 1 rests, N rows); currents flow from bit line to word line."""

    charge: Array
    """[B] charge of every bit line, C, with what shortened rests left out"""
    clamp: Array
    """[E + 1, B] current of every clamp at the end of every rest, A"""
    cell: Array
    """[E + 1, N, B] current of every cell at the end of every rest, A"""
    gate: Array
    """[E + 1, N, B] floating-gate voltages at the end of every rest, V"""
    energy: float
    """Energy delivered by clamps and word-line drivers during the transient itself, heat in the lines included, J"""
    gate_return: float
    """Largest difference of a floating gate's voltage between end and start, V"""
    attempt: int = 0
    """Rung of the ladder that converged"""


def block_deck(
    design: Design,
    columns: range,
    cells: Array,
    timeline: Timeline,
    boundary: Boundary,
    clamp_volts: Array,
    options: Options,
) -> str:
    """The deck of a block of ``cells`` [N, M] V of the whole array, its clamps at ``clamp_volts`` [M]."""
    circuit = block_cards(design, columns) + source_cards(design, columns, cells, timeline, boundary, clamp_volts)
    analysis = Transient(t_stop=timeline.t_stop, t_max_step=timeline.t_stop / 10)
    return deck_text(circuit, analysis, options, saved_vectors(design, columns), design.read.temperature)


def read_block(
    design: Design, columns: range, stored: Array, timeline: Timeline, vectors: Mapping[str, Array]
) -> BlockRun:
    """The run of a deck of :func:`block_deck` of the whole array's ``stored`` [N, M] V from its ``vectors``.

    Raises :class:`~cosim.spice.ngspice.RunFailure` where a check fails.
    """
    rows, width = design.array.rows, len(columns)
    time, table = table_of(vectors, saved_vectors(design, columns), timeline.t_stop)
    clamp, node, line, cells = np.split(table, np.cumsum([width, width, rows]))
    clamp = -clamp
    cell, gates = cell_currents(cells, rows * width)
    cell = current_sign(design) * cell
    charge = (cell @ quadrature(time, timeline.begin, timeline.t_edge)).reshape(rows, width).sum(axis=0)
    # ngspice's breakpoints may come a rounding error before the rest's end; a millionth of an edge is far more.
    at = np.searchsorted(time, timeline.rest_end - 1e-6 * timeline.t_edge).clip(max=len(time) - 1)
    whole = charge + timeline.stretch @ clamp[:, at].T
    check_integrators(charge, INTEGRATOR_FARADS * (node[:, -1] - node[:, 0]), whole)
    passed = np.clip((time[:, None] - timeline.begin) / timeline.t_edge, 0.0, 1.0)
    active = timeline.active.astype(np.float64)
    drive = ideal_drive(design, active[0] + passed @ np.diff(active, axis=0)).T
    energy = float(np.trapezoid(design.v_idle * clamp.sum(axis=0) - (drive * line).sum(axis=0), time))
    check_balance(time, clamp, line, energy, design.read.voltage)
    return BlockRun(
        charge=whole,
        clamp=clamp[:, at].T,
        cell=cell[:, at].T.reshape(len(at), rows, width),
        gate=gates[:, at].T.reshape(len(at), rows, width),
        energy=energy,
        gate_return=check_gates(gates, (stored - charge_shift(design))[:, columns].ravel()),
    )


def ideal_drive(design: Design, level: ArrayLike) -> Array:
    """Voltage of word-line drivers of activation ``level`` 0 … 1 (any shape), V."""
    return design.v_idle + (design.v_active - design.v_idle) * np.asarray(level, dtype=np.float64)
