"""A whole array in one deck: the monolithic circuit, with every coupling in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from cosim.errors import InputError
from cosim.spice.ladder import Climber
from cosim.spice.ngspice import without_klu
from cosim.vmm.charges import cell_currents, quadrature
from cosim.vmm.checks import check_balance, check_gates, check_integrators, table_of
from cosim.vmm.sample import Sample, current_sign, usable_slots
from netlists.check import check_graph
from netlists.circuits.circuit import INTEGRATOR_FARADS, driver_cards, undriven_circuit
from netlists.circuits.deck import Options, deck_text, transient_for
from netlists.circuits.resistive_circuit import resistive_probe
from netlists.circuits.stimulus import t_start
from netlists.design import Design, MosCell
from netlists.devices.choice import device_of
from netlists.graph import array_graph
from netlists.mismatch import charge_shift
from netlists.resistive import ResistiveCell

Array = NDArray[np.float64]


def vmm_deck(design: Design, cells: Array, duration: Array, options: Options) -> str:
    """The deck of one VMM of the whole array of ``cells`` [N, M] (V or S) with ``duration`` [N] s."""
    shape = (design.array.rows, design.array.columns)
    if np.shape(cells) != shape:
        raise InputError(f"cells: shape {np.shape(cells)} does not fit the design's array of {shape}")
    array = _array_text(design, np.ascontiguousarray(cells, dtype=np.float64).tobytes())
    circuit = array.replace(_DRIVERS, driver_cards(design, duration), 1)
    analysis = transient_for(design)
    temperature, prints = design.read.temperature, _printed(design, analysis.t_stop)
    return deck_text(circuit, analysis, _solvable(design, options), _saved(design), temperature, prints)


def _solvable(design: Design, options: Options) -> Options:
    """``options`` without KLU where cells are behavioural sources: what is shut off is noise in it, and the
    time steps fall below picoseconds (12x3 bent cells: minutes instead of 0.07 s)."""
    behavioural = isinstance(design.cell, ResistiveCell) and not design.cell.is_resistor
    return without_klu(options) if behavioural else options


_DRIVERS = "* drivers\n"


@lru_cache(maxsize=64)
def _array_text(design: Design, cells: bytes) -> str:
    """Text of the array's circuit with :data:`_DRIVERS` where its drivers belong; many VMMs share one array."""
    shape = (design.array.rows, design.array.columns)
    graph = array_graph(design, np.frombuffer(cells, dtype=np.float64).reshape(shape))
    check_graph(graph)
    circuit = undriven_circuit(design, graph)
    circuit.raw_spice = _DRIVERS
    return str(circuit)


def _saved(design: Design) -> list[str]:
    rows, columns = design.array.rows, design.array.columns
    names = [f"i(vclamp_{j})" for j in range(columns)] + [f"v(q_{j})" for j in range(columns)]
    names += [f"i(vdrv_{i})" for i in range(rows)] + [f"v(drv_{i})" for i in range(rows)]
    cells = [f"{i}_{j}" for i in range(rows) for j in range(columns)]
    if isinstance(design.cell, MosCell):
        device = device_of(design.cell)
        names += [device.current_probe("1", f"x{cell}") for cell in cells] + [f"v(fg_{cell})" for cell in cells]
        return names + [device.voltage_probe("1", f"x{cell}") for cell in cells]
    return names + [resistive_probe(design, i, j) for i in range(rows) for j in range(columns)]


def _printed(design: Design, t_stop: float) -> list[str]:
    """Prints every column's charge in C where the deck is run by hand."""
    return [
        line
        for j in range(design.array.columns)
        for line in (
            f"start_{j} find v(q_{j}) at=0",
            f"end_{j} find v(q_{j}) at={t_stop!r}",
            f"charge_{j} param='{current_sign(design) * INTEGRATOR_FARADS!r}*(end_{j}-start_{j})'",
        )
    ]


def simulate_whole(design: Design, cells: Array, duration: Array, climber: Climber) -> Sample:
    """Simulate ``cells`` [N, M] (V or S) with ``duration`` [N] s as one circuit.

    Raises :class:`~cosim.errors.SimulationError` where no rung of the ladder passes every check.
    """
    deck = partial(vmm_deck, design, cells, duration)
    sample, attempt = climber.climb(deck, partial(measure, design, cells, duration))
    return replace(sample, attempt=attempt)


def measure(design: Design, stored: Array, duration: Array, vectors: Mapping[str, Array]) -> Sample:
    """The sample of cells ``stored`` [N, M] (V or S) under ``duration`` [N] s from the ``vectors`` of their deck of
    :func:`vmm_deck`, ``attempt`` 0.

    Raises :class:`~cosim.spice.ngspice.RunFailure` where a check fails.
    """
    rows, columns = design.array.rows, design.array.columns
    time, table = table_of(vectors, _saved(design), transient_for(design).t_stop)
    parts = np.cumsum([columns, columns, rows, rows])
    clamp, _, drive, volts, cells = np.split(table, parts)
    clamp = -clamp
    cell, gates = cell_currents(cells, rows * columns)
    edges = t_start(design) + np.append(0.0, np.unique(duration[duration > 0]))
    charge = (cell @ quadrature(time, edges, design.read.t_edge)).reshape(rows, columns).sum(axis=0)
    check_integrators(charge, integrator_charges(design, vectors), charge)
    energy = float(np.trapezoid(design.v_idle * clamp.sum(axis=0) - (drive * volts).sum(axis=0), time))
    check_balance(time, clamp, drive, energy, design.read.voltage)
    ends = np.unique(duration[duration > 0])
    ends = ends[usable_slots(duration, design.read.t_edge)]
    # ngspice's breakpoints may come a rounding error before the slot's end; a millionth of an edge is far more.
    at = np.searchsorted(time, t_start(design) + ends - 1e-6 * design.read.t_edge).clip(max=len(time) - 1)
    return Sample(
        charge=charge,
        slot_active=duration[None, :] >= ends[:, None],
        slot_current=current_sign(design) * clamp[:, at].T,
        energy=energy,
        attempt=0,
        floating_gate_return=check_gates(gates, (stored - charge_shift(design)).ravel()),
        passes=0,
        split_error=0.0,
    )


def integrator_charges(design: Design, vectors: Mapping[str, Array]) -> Array:
    """Charges [M] C that the circuit itself integrated behind the clamps, displacement currents included; they owe
    nothing to what ngspice reports of its transistors."""
    nodes = [vectors[f"v(q_{j})"] for j in range(design.array.columns)]
    return current_sign(design) * INTEGRATOR_FARADS * np.array([node[-1] - node[0] for node in nodes])
