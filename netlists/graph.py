"""A design and its floating-gate voltages as a networkx graph: nets are nodes, typed elements are edges.

Nets: ``drv_i`` (driver of word line i), ``wl_i_j``, ``bl_j_i``, ``fg_i_j``, ``clamp_j``, ``0`` (substrate, ground).
The driver sits at column 0 of its word line, the column switch at row 0 of its bit line. Where a design's parasitics
come from an extracted file, there are further nets ``wl_i_j_nK`` and ``bl_j_i_nK``, of which (i, j) is the nearest
cell, and drivers and switches sit where the file says (:mod:`netlists.parasitics.mapping`).
"""

from __future__ import annotations

from collections.abc import Iterator

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from netlists.design import Design, ResistiveCell
from netlists.elements import (
    GROUND,
    SHORT_OHMS,
    Capacitor,
    ChargeSource,
    Element,
    ResistiveElement,
    Resistor,
    Terminal,
    Transistor,
)
from netlists.errors import InputError
from netlists.reduction import array_wiring

MAX_CELLS = 65_536
"""Cells of one netlist graph and its circuit, which take 30 kB and 1 ms each: 2 GB and a minute."""


def near_row(design: Design, row: int) -> int:
    """Index of the word line on the near side of ``row``'s floating gates (may lie outside the array)."""
    if design.array.mirrored:
        return row + 1 if row % 2 == 0 else row - 1
    return row + 1


def far_row(design: Design, row: int) -> int:
    """Index of the word line on the far side of ``row``'s floating gates (may lie outside the array)."""
    return 2 * row - near_row(design, row)


def column_of(net: str) -> int | None:
    """Column that ``net`` lies in, ``None`` for ground and word-line drivers."""
    kind, *place = net.split("_")
    if kind in ("wl", "fg"):
        return int(place[1])
    return int(place[0]) if kind in ("bl", "clamp") else None


def oriented(graph: nx.MultiGraph) -> Iterator[tuple[str, str, Element]]:
    """Elements with their nets in the order they were added, but for ground, which comes last, and word lines, which
    come after bit lines: a cell's current is positive from bit line to word line."""
    for a, b, element in graph.edges(data="element"):
        turned = a == GROUND or (a.startswith("wl_") and b.startswith("bl_"))
        yield (b, a, element) if turned else (a, b, element)


def array_graph(design: Design, cells: NDArray[np.float64], columns: range | None = None) -> nx.MultiGraph:
    """The netlist graph of ``design``, or only of its ``columns`` and what couples them to each next one.

    ``cells`` [N, M] holds each floating gate's programmed voltage in V (MOS cells) or each cell's conductance in S
    (resistive cells). Raises :class:`InputError` where shape or values do not fit the design.
    """
    cells = np.asarray(cells, dtype=np.float64)
    shape = (design.array.rows, design.array.columns)
    if cells.shape != shape:
        raise InputError(f"cells: shape {cells.shape} does not fit the design's array of {shape}")
    columns = range(shape[1]) if columns is None else columns
    size = shape[0] * len(columns)
    if size > MAX_CELLS:
        raise InputError(
            f"array: {shape[0]}x{len(columns)} is {size} cells, whose netlist would take {size * 3e-5:.0f} GB: "
            f"simulate at most {MAX_CELLS} cells at once, in blocks of fewer columns or in a smaller array"
        )
    if not np.isfinite(cells).all():
        raise InputError("cells: contains a value that is not finite: correct it")
    graph = nx.MultiGraph(rows=shape[0], columns=shape[1])
    if design.parasitics is None:
        _wires(graph, design, columns)
    else:
        _imported(graph, design, columns)
    for i in range(shape[0]):
        for j in columns:
            if isinstance(design.cell, ResistiveCell):
                _resistive_cell(graph, design.cell, i, j, float(cells[i, j]))
                continue
            _transistor(graph, i, j, float(cells[i, j]))
            if design.parasitics is None:
                _coupling(graph, design, i, j)
    return graph


def add(graph: nx.MultiGraph, a: str, b: str, element: Element) -> None:
    """Put ``element`` between nets ``a`` and ``b``."""
    graph.add_edge(a, b, key=element.name, element=element)


def _imported(graph: nx.MultiGraph, design: Design, columns: range) -> None:
    """Terminals, and all elements of the extracted file that touch ``columns``."""
    wiring, wires = array_wiring(design), design.wires
    for i, port in enumerate(wiring.word_ports):
        add(graph, f"drv_{i}", GROUND, Terminal(f"drv_{i}", "drive", i))
        if column_of(port) in columns:
            add(graph, f"drv_{i}", port, Resistor(f"wl_{i}_end", wires.driver_resistance))
    for j in columns:
        add(graph, f"clamp_{j}", GROUND, Terminal(f"clamp_{j}", "clamp", j))
        add(graph, f"clamp_{j}", wiring.bit_ports[j], Resistor(f"bl_{j}_end", wires.switch_resistance))
    for a, b, element in wiring.edges:
        if column_of(a) in columns or column_of(b) in columns:
            add(graph, a, b, element)


def _wires(graph: nx.MultiGraph, design: Design, columns: range) -> None:
    rows, wires = design.array.rows, design.wires
    for i in range(rows):
        add(graph, f"drv_{i}", GROUND, Terminal(f"drv_{i}", "drive", i))
        _line(graph, f"drv_{i}", f"wl_{i}", columns, wires.driver_resistance, wires.word_line_resistance)
    for j in columns:
        add(graph, f"clamp_{j}", GROUND, Terminal(f"clamp_{j}", "clamp", j))
        _line(graph, f"clamp_{j}", f"bl_{j}", range(rows), wires.switch_resistance, wires.bit_line_resistance)
    for i in range(rows):
        for j in columns:
            _capacitor(graph, f"wl_{i}_{j}", GROUND, f"wl_{i}_{j}", wires.word_line_capacitance)
            _capacitor(graph, f"bl_{j}_{i}", GROUND, f"bl_{j}_{i}", wires.bit_line_capacitance)
            _capacitor(graph, f"wl_{i}_{j}", f"bl_{j}_{i}", f"x_{i}_{j}", wires.crossing_capacitance)
            if i + 1 < rows:
                _capacitor(graph, f"wl_{i}_{j}", f"wl_{i + 1}_{j}", f"ww_{i}_{j}", wires.word_line_pair_capacitance)
            if j + 1 < design.array.columns:
                _capacitor(graph, f"bl_{j}_{i}", f"bl_{j + 1}_{i}", f"bb_{i}_{j}", wires.bit_line_pair_capacitance)


def _line(graph: nx.MultiGraph, start: str, stem: str, nodes: range, first_ohms: float, ohms: float) -> None:
    """A driver or switch resistance before node 0 and the ``nodes``; a zero segment resistance is a tiny one."""
    for k in nodes:
        if k == 0:
            add(graph, start, f"{stem}_0", Resistor(f"{stem}_end", max(first_ohms, SHORT_OHMS)))
        else:
            add(graph, f"{stem}_{k - 1}", f"{stem}_{k}", Resistor(f"{stem}_{k}", max(ohms, SHORT_OHMS)))


def _capacitor(graph: nx.MultiGraph, a: str, b: str, name: str, farads: float) -> None:
    if farads > 0:
        add(graph, a, b, Capacitor(name, farads))


def _resistive_cell(graph: nx.MultiGraph, cell: ResistiveCell, i: int, j: int, siemens: float) -> None:
    if siemens <= 0:
        raise InputError(f"cells[{i},{j}]: conductance {siemens:g} S is not positive: correct it")
    name = f"cell_{i}_{j}"
    element = Resistor(name, 1.0 / siemens) if cell.is_resistor else ResistiveElement(name, siemens, i, j)
    add(graph, f"wl_{i}_{j}", f"bl_{j}_{i}", element)


def _transistor(graph: nx.MultiGraph, i: int, j: int, volts: float) -> None:
    fg = f"fg_{i}_{j}"
    add(graph, f"bl_{j}_{i}", f"wl_{i}_{j}", Transistor(f"m_{i}_{j}", fg, i, j))
    add(graph, fg, GROUND, ChargeSource(f"q_{i}_{j}", volts))


def _coupling(graph: nx.MultiGraph, design: Design, i: int, j: int) -> None:
    rows, c, fg = design.array.rows, design.coupling, f"fg_{i}_{j}"
    _capacitor(graph, fg, f"wl_{i}_{j}", f"fw0_{i}_{j}", c.own_word_line)
    _capacitor(graph, fg, f"bl_{j}_{i}", f"fb_{i}_{j}", c.bit_line)
    _capacitor(graph, fg, GROUND, f"fs_{i}_{j}", c.substrate)
    for name, k, farads in (
        ("near", near_row(design, i), c.near_word_line),
        ("far", far_row(design, i), c.far_word_line),
        ("up2", i + 2, c.second_word_line),
        ("down2", i - 2, c.second_word_line),
    ):
        if 0 <= k < rows:
            _capacitor(graph, fg, f"wl_{k}_{j}", f"fw{name}_{i}_{j}", farads)
    if j + 1 < design.array.columns:
        _capacitor(graph, fg, f"fg_{i}_{j + 1}", f"ffr_{i}_{j}", c.floating_gate_same_row)
    if i + 1 < rows:
        _capacitor(graph, fg, f"fg_{i + 1}_{j}", f"ffc_{i}_{j}", c.floating_gate_same_column)
