"""A design and its floating-gate voltages as a networkx graph: nets are nodes, typed elements are edges.

Nets: ``drv_i`` (driver of word line i), ``wl_i_j``, ``bl_j_i``, ``fg_i_j``, ``clamp_j``, ``0`` (substrate, ground).
The driver sits at column 0 of its word line, the column switch at row 0 of its bit line.
"""

from __future__ import annotations

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from netlists.design import Design, ResistiveCell
from netlists.elements import GROUND, Capacitor, ChargeSource, Element, Resistor, Terminal, Transistor
from netlists.errors import InputError


def near_row(design: Design, row: int) -> int:
    """Index of the word line on the near side of ``row``'s floating gates (may lie outside the array)."""
    if design.array.mirrored:
        return row + 1 if row % 2 == 0 else row - 1
    return row + 1


def far_row(design: Design, row: int) -> int:
    """Index of the word line on the far side of ``row``'s floating gates (may lie outside the array)."""
    return 2 * row - near_row(design, row)


def array_graph(design: Design, cells: NDArray[np.float64]) -> nx.MultiGraph:
    """The netlist graph of ``design``.

    ``cells`` [N, M] holds each floating gate's programmed voltage in V (MOS cells) or each cell's conductance in S
    (resistive cells). Raises :class:`InputError` where shape or values do not fit the design.
    """
    cells = np.asarray(cells, dtype=np.float64)
    shape = (design.array.rows, design.array.columns)
    if cells.shape != shape:
        raise InputError(f"cells: shape {cells.shape} does not fit the design's array of {shape}")
    if not np.isfinite(cells).all():
        raise InputError("cells: contains a value that is not finite: correct it")
    graph = nx.MultiGraph(rows=shape[0], columns=shape[1])
    _wires(graph, design)
    if isinstance(design.cell, ResistiveCell):
        _resistive_cells(graph, cells)
    else:
        _floating_gate_cells(graph, design, cells)
    return graph


def add(graph: nx.MultiGraph, a: str, b: str, element: Element) -> None:
    """Put ``element`` between nets ``a`` and ``b``."""
    graph.add_edge(a, b, key=element.name, element=element)


def _wires(graph: nx.MultiGraph, design: Design) -> None:
    rows, columns, wires = design.array.rows, design.array.columns, design.wires
    for i in range(rows):
        add(graph, f"drv_{i}", GROUND, Terminal(f"drv_{i}", "drive", i))
        _line(graph, f"drv_{i}", f"wl_{i}", columns, wires.driver_resistance, wires.word_line_resistance)
    for j in range(columns):
        add(graph, f"clamp_{j}", GROUND, Terminal(f"clamp_{j}", "clamp", j))
        _line(graph, f"clamp_{j}", f"bl_{j}", rows, wires.switch_resistance, wires.bit_line_resistance)
    for i in range(rows):
        for j in range(columns):
            _capacitor(graph, f"wl_{i}_{j}", GROUND, f"wl_{i}_{j}", wires.word_line_capacitance)
            _capacitor(graph, f"bl_{j}_{i}", GROUND, f"bl_{j}_{i}", wires.bit_line_capacitance)
            _capacitor(graph, f"wl_{i}_{j}", f"bl_{j}_{i}", f"x_{i}_{j}", wires.crossing_capacitance)
            if i + 1 < rows:
                _capacitor(graph, f"wl_{i}_{j}", f"wl_{i + 1}_{j}", f"ww_{i}_{j}", wires.word_line_pair_capacitance)
            if j + 1 < columns:
                _capacitor(graph, f"bl_{j}_{i}", f"bl_{j + 1}_{i}", f"bb_{i}_{j}", wires.bit_line_pair_capacitance)


def _line(graph: nx.MultiGraph, start: str, stem: str, length: int, first_ohms: float, ohms: float) -> None:
    """A driver or switch resistance and ``length`` nodes ``stem_0 …``; a zero segment resistance is a tiny one."""
    add(graph, start, f"{stem}_0", Resistor(f"{stem}_end", max(first_ohms, SHORT_OHMS)))
    for k in range(1, length):
        add(graph, f"{stem}_{k - 1}", f"{stem}_{k}", Resistor(f"{stem}_{k}", max(ohms, SHORT_OHMS)))


SHORT_OHMS = 1e-6
"""Resistance that stands for a wire segment of zero resistance, small against every real one; a short in a deck."""


def _capacitor(graph: nx.MultiGraph, a: str, b: str, name: str, farads: float) -> None:
    if farads > 0:
        add(graph, a, b, Capacitor(name, farads))


def _resistive_cells(graph: nx.MultiGraph, siemens: NDArray[np.float64]) -> None:
    for (i, j), g in np.ndenumerate(siemens):
        if g <= 0:
            raise InputError(f"cells[{i},{j}]: conductance {g:g} S is not positive: correct it")
        add(graph, f"wl_{i}_{j}", f"bl_{j}_{i}", Resistor(f"cell_{i}_{j}", 1.0 / float(g)))


def _floating_gate_cells(graph: nx.MultiGraph, design: Design, volts: NDArray[np.float64]) -> None:
    rows, columns, c = design.array.rows, design.array.columns, design.coupling
    for (i, j), v in np.ndenumerate(volts):
        fg = f"fg_{i}_{j}"
        add(graph, f"bl_{j}_{i}", f"wl_{i}_{j}", Transistor(f"m_{i}_{j}", fg, i, j))
        add(graph, fg, GROUND, ChargeSource(f"q_{i}_{j}", float(v)))
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
        if j + 1 < columns:
            _capacitor(graph, fg, f"fg_{i}_{j + 1}", f"ffr_{i}_{j}", c.floating_gate_same_row)
        if i + 1 < rows:
            _capacitor(graph, fg, f"fg_{i + 1}_{j}", f"ffc_{i}_{j}", c.floating_gate_same_column)
