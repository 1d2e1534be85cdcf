"""Blocks: some columns of an array as a circuit of their own, everything at the cut driven by sources.

Columns touch each other only through the word lines they share, through the capacitance between floating gates of one
row and through that between bit lines. A block keeps its own columns whole. Its word-line nets and the floating gates
of the columns beside it become sources that follow given waveforms (:class:`Boundary`); the bit lines beside it rest
at the idle voltage, because what flows through the capacitance between bit lines returns before the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from netlists.circuits.circuit import CHARGE_OHMS, INTEGRATOR_FARADS, INTEGRATOR_OHMS
from netlists.circuits.stimulus import SETTLE_EDGES
from netlists.circuits.timeline import Timeline
from netlists.design import Design, MosCell
from netlists.devices.choice import device_of
from netlists.elements import Capacitor, ChargeSource, ResistiveElement, Resistor, Terminal, Transistor
from netlists.errors import InputError
from netlists.graph import SHORT_OHMS, array_graph, column_of, oriented
from netlists.mismatch import charge_shift, deviations

WORD_LINE_STEP = 1e-6
"""Resolution of a word line's waveform, V: changes a cell's current by 4e-5 at most."""

GATE_STEP = 5e-5
"""Resolution of a neighbouring floating gate's waveform, V; less than a hundredth of it arrives."""


@dataclass(frozen=True)
class Boundary:
    """Settled voltages in every rest of a timeline (E + 1 rests, N rows, M columns of the whole array)."""

    word_line: NDArray[np.float64]
    """[E + 1, N, M] voltage of every word-line net, V"""
    gate: NDArray[np.float64]
    """[E + 1, N, M] voltage of every floating gate, V"""


@lru_cache(maxsize=512)
def block_cards(design: Design, columns: range) -> str:
    """The cards of a block but for its sources and stored charges (see :func:`source_cards`)."""
    known = range(max(columns.start - 1, 0), columns.stop)
    graph = array_graph(design, np.ones((design.array.rows, design.array.columns)), known)
    title = f"* fgcosim array {design.name} {design.hash[:12]}: columns {columns.start} to {columns.stop - 1}"
    return "\n".join([title, *_device_cards(design), *_element_cards(design, graph, columns)]) + "\n"


def _device_cards(design: Design) -> Iterator[str]:
    if isinstance(design.cell, MosCell):
        yield device_of(design.cell).definition()
        yield f"Vbulk sub 0 {design.v_bulk!r}"
    yield f"Vside side 0 {design.v_idle!r}"


def _element_cards(design: Design, graph: nx.MultiGraph, columns: range) -> Iterator[str]:
    for a, b, element in oriented(graph):
        first, second = _net(a, columns), _net(b, columns)
        if not (_inside(a, columns) or _inside(b, columns)):
            continue
        if isinstance(element, Resistor) and element.ohms <= SHORT_OHMS:
            yield f"V{element.name} {first} {second} 0"
        elif isinstance(element, Resistor):
            yield f"R{element.name} {first} {second} {element.ohms!r}"
        elif isinstance(element, Capacitor):
            yield f"C{element.name} {first} {second} {element.farads!r}"
        elif isinstance(element, Transistor):
            yield _transistor(design, element)
        elif isinstance(element, ResistiveElement):
            raise InputError(f"netlist: {element.name} is nonlinear or switched: simulate its array as a whole")
        elif isinstance(element, ChargeSource):
            yield f"R{element.name} {first} {second} {CHARGE_OHMS:g}"
        elif isinstance(element, Terminal):
            yield from _clamp(element.index)


def _inside(net: str, columns: range) -> bool:
    """Whether ``net`` is one of the block's own unknowns."""
    return net.startswith(("bl_", "fg_", "clamp_")) and column_of(net) in columns


def _net(net: str, columns: range) -> str:
    """The block's name of ``net``: a bit line beside it is the resting net ``side``; word-line nets between cells or
    beside the block are those of the nearest cell in it, and floating gates far away move like those beside it."""
    column = column_of(net)
    if column is None or (column in columns and not net.startswith("wl_")):
        return net
    kind, row = net.split("_")[:2]
    if kind == "fg":
        return f"fg_{row}_{min(max(column, columns.start - 1), columns.stop)}"
    return "side" if kind == "bl" else f"wl_{row}_{min(max(column, columns.start), columns.stop - 1)}"


def _transistor(design: Design, element: Transistor) -> str:
    assert isinstance(design.cell, MosCell)
    i, j, device, spread = element.row, element.column, device_of(design.cell), deviations(design)
    words = device.fixed
    if spread is not None:
        words = device.deviation(device.shift + float(spread.threshold[i, j]), float(spread.factor[i, j]))
    return device.instance(f"{i}_{j}", f"bl_{j}_{i} {element.gate} wl_{i}_{j} sub", words)


def _clamp(j: int) -> Iterator[str]:
    yield f"Fq_{j} q_{j} 0 Vclamp_{j} 1"
    yield f"Cq_{j} q_{j} 0 {INTEGRATOR_FARADS!r}"
    yield f"Rq_{j} q_{j} 0 {INTEGRATOR_OHMS!r}"


def neighbours(design: Design, columns: range) -> list[int]:
    """Columns beside the block, whose floating gates are sources."""
    return [j for j in (columns.start - 1, columns.stop) if 0 <= j < design.array.columns]


def source_cards(
    design: Design,
    columns: range,
    cells: NDArray[np.float64],
    timeline: Timeline,
    boundary: Boundary,
    clamp_volts: NDArray[np.float64],
) -> str:
    """Stored charges of ``cells`` [N, M] V, clamps at ``clamp_volts`` [M] from the first edge until after the last one,
    and the waveforms at the cut, as cards."""
    inside, beside = np.array(columns), np.array(neighbours(design, columns), dtype=np.int64)
    lines = [_clamp_source(design, j, float(clamp_volts[j]), timeline) for j in columns]
    if isinstance(design.cell, MosCell):
        stored = cells - charge_shift(design)
        charges = zip(_names(design, inside), stored[:, inside].ravel().tolist(), strict=True)
        lines += [f"Iq_{name} 0 fg_{name} {volts / CHARGE_OHMS!r}" for name, volts in charges]
    rows = np.repeat([f"row_{i}" for i in range(design.array.rows)], len(inside)).tolist()
    word_line = boundary.word_line[:, :, inside]
    lines += _waveform_cards("wl", _names(design, inside), rows, timeline, word_line, WORD_LINE_STEP)
    lines += [f"Vrow_{i} row_{i} 0 0" for i in range(design.array.rows)]
    if isinstance(design.cell, MosCell) and (
        design.coupling.floating_gate_same_row > 0 or design.parasitics is not None
    ):
        names, gate = _names(design, beside), boundary.gate[:, :, beside]
        lines += _waveform_cards("fg", names, ["0"] * len(names), timeline, gate, GATE_STEP)
    return "\n".join(lines) + "\n"


def _clamp_source(design: Design, j: int, volts: float, timeline: Timeline) -> str:
    """A clamp that rests at the idle voltage, at which charges are stored, and is at ``volts`` while rows switch."""
    card, idle, edge = f"Vclamp_{j} clamp_{j} 0", design.v_idle, timeline.t_edge
    if volts == idle:
        return f"{card} {idle!r}"
    falls, rises = timeline.begin[0] - 1.75 * edge, timeline.t_stop - SETTLE_EDGES / 2 * edge
    points = [(0.0, idle), (falls, idle), (falls + edge, volts), (rises, volts), (rises + edge, idle)]
    return f"{card} PWL({' '.join(f'{time:.9g} {level!r}' for time, level in points)})"


def _names(design: Design, columns: NDArray[np.int64]) -> list[str]:
    return [f"{i}_{j}" for i in range(design.array.rows) for j in columns]


def _waveform_cards(
    kind: str,
    names: list[str],
    returns: list[str],
    timeline: Timeline,
    levels: NDArray[np.float64],
    resolution: float,
) -> Iterator[str]:
    """A source from each net ``kind``_``name`` to its net of ``returns`` that follows ``levels`` [E + 1, ...], ramping
    at every edge."""
    levels = np.round(levels.reshape(len(levels), -1) / resolution) * resolution
    steps = np.diff(levels, axis=0)
    values = (levels[0] + timeline.ramps() @ steps).T
    moves = (steps != 0).T
    corners = timeline.corners
    first = np.searchsorted(corners, timeline.begin.round(18))
    last = np.searchsorted(corners, (timeline.begin + timeline.t_edge).round(18))
    times = [f"{time:.9g}" for time in corners]
    for name, back, value, moved in zip(names, returns, values, moves, strict=True):
        at = np.unique(np.concatenate([first[moved], last[moved]]))
        if len(at) == 0:
            yield f"V{kind}_{name} {kind}_{name} {back} {value[0]:.7g}"
        else:
            points = " ".join(f"{times[k]} {value[k]:.7g}" for k in at)
            yield f"V{kind}_{name} {kind}_{name} {back} PWL(0 {value[0]:.7g} {points})"


def saved_vectors(design: Design, columns: range) -> list[str]:
    """What a block's run records: clamp currents, integrators, currents into the rows' word lines, through the cells,
    and floating gates; of the cells row by row. Transistors add their drain-source voltages, which give ngspice's
    unsigned currents their direction."""
    names = [f"i(vclamp_{j})" for j in columns] + [f"v(q_{j})" for j in columns]
    cells = _names(design, np.array(columns))
    names += [f"i(vrow_{i})" for i in range(design.array.rows)]
    if isinstance(design.cell, MosCell):
        device = device_of(design.cell)
        names += [device.current_probe(cell) for cell in cells] + [f"v(fg_{cell})" for cell in cells]
        return names + [device.voltage_probe(cell) for cell in cells]
    return names + [f"i(@rcell_{cell}[i])" for cell in cells]
