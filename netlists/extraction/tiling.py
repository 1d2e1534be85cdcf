"""An extracted cell tiled over a whole array, its edges and corners corrected.

Cells whose surroundings differ from an inner cell's are solved in closed form, in a small array with the same edges,
and so is the inner cell. The ratio of the two, in which the error of the coarse mesh cancels, corrects the extracted
cell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np

from netlists.design import Design
from netlists.elements import GROUND, Capacitor
from netlists.extraction.extract import Extraction, solved
from netlists.extraction.neighbourhood import (
    COLUMNS_AROUND,
    ROWS_AROUND,
    CellCapacitances,
    Neighbourhood,
    Place,
    of_cells,
    periodic,
    read_cells,
)
from netlists.graph import add, array_graph
from netlists.layout.drawing import draw

Farads = dict[tuple[str, str], float]
"""Capacitance between each two nets (:mod:`netlists.graph`), F."""


def tiled_capacitances(design: Design, extraction: Extraction, folder: Path | None = None) -> Farads:
    """Every capacitance of ``design``'s array, of which ``extraction`` is the inner cell; a stack file is looked for
    in ``folder``. Raises :class:`~netlists.errors.InputError` where the layout cannot be drawn or is too large."""
    small = _with_same_edges(design, folder)
    solved_cells = read_cells(small, solved(small, "analytic", 0.0, 0.0))
    inner = periodic(design, folder)
    (reference,) = read_cells(inner, solved(inner, "analytic", 0.0, 0.0)).values()
    kinds: dict[Place, CellCapacitances] = {}
    for (i, j), found in solved_cells.items():
        turned = design.array.mirrored and i % 2 == 1
        kinds[i, j] = _corrected(extraction.cell, found, reference, turned)
    farads: Farads = {}
    for i in range(design.array.rows):
        for j in range(design.array.columns):
            like = _like(i, design.array.rows, small.rows), _like(j, design.array.columns, small.columns, 1)
            for pair, value in _of_cell(kinds[like], i, j):
                farads[pair] = farads.get(pair, 0.0) + value
    return {pair: value for pair, value in farads.items() if value > 0}


def tiled_graph(design: Design, extraction: Extraction, folder: Path | None = None) -> nx.MultiGraph:
    """The netlist graph of ``design``'s array with the capacitances of :func:`tiled_capacitances`, which raises."""
    graph = array_graph(design, np.ones((design.array.rows, design.array.columns)))
    graph.remove_edges_from([
        (a, b, key) for a, b, key, element in graph.edges(keys=True, data="element") if isinstance(element, Capacitor)
    ])  # fmt: skip
    for k, ((a, b), farads) in enumerate(tiled_capacitances(design, extraction, folder).items()):
        add(graph, a, b, Capacitor(f"c_{k}", farads))
    return graph


def _with_same_edges(design: Design, folder: Path | None) -> Neighbourhood:
    """Cells of an array with ``design``'s edges and no more rows and columns than have surroundings of their own."""
    if design.layout is None:
        return periodic(design, folder)  # raises
    rings = {
        "dummy_rows": min(design.layout.dummy_rows, ROWS_AROUND),
        "dummy_columns": min(design.layout.dummy_columns, COLUMNS_AROUND),
    }
    most = 2 * ROWS_AROUND + 2
    rows = design.array.rows if design.array.rows <= most else most + design.array.rows % 2
    columns = min(design.array.columns, 2 * COLUMNS_AROUND + 1)
    fewer = design.model_copy(update={"layout": design.layout.model_copy(update=rings)}).resized(rows, columns)
    return of_cells(draw(fewer, folder), [(i, j) for i in range(rows) for j in range(columns)])


def _like(k: int, count: int, small: int, period: int = 2) -> int:
    """Row or column of the small array that has the surroundings of number ``k`` of ``count``."""
    if count == small or k < small // 2:
        return k
    from_end = small - (count - k)
    if from_end >= small // 2 + period - 1:
        return from_end
    return small // 2 - (small // 2 - k) % period if period > 1 else small // 2


def _corrected(
    cell: CellCapacitances, found: CellCapacitances, reference: CellCapacitances, turned: bool
) -> CellCapacitances:
    """``cell`` times the ratio of ``found`` to ``reference``, all turned by 180 degrees where ``found`` is."""
    values: dict[str, Any] = {}
    for name in (field.name for field in fields(CellCapacitances)):
        own, small, inner = getattr(cell, name), getattr(found, name), getattr(reference, name)
        if isinstance(small, dict):
            values[name] = {
                key: max(own[_turned(key)] * _ratio(value, inner[_turned(key)]), 0.0)
                if turned else max(own[key] * _ratio(value, inner[key]), 0.0)
                for key, value in small.items()
            }  # fmt: skip
        else:
            values[name] = max(own * _ratio(small, inner), 0.0)
    return CellCapacitances(**values)


def _turned(key: int | Place) -> int | Place:
    return -key if isinstance(key, int) else (-key[0], -key[1])


def _ratio(value: float, reference: float) -> float:
    """Of two capacitances; 1 where they are lost in the coarse mesh's error."""
    return value / reference if value > 1e-20 and reference > 1e-20 else 1.0


def _of_cell(cell: CellCapacitances, i: int, j: int) -> Iterator[tuple[tuple[str, str], float]]:
    """Nets and capacitance of everything that a cell adds; what two cells have in common comes half from each."""
    gate, word, bit = f"fg_{i}_{j}", f"wl_{i}_{j}", f"bl_{j}_{i}"
    for d, value in cell.gate_to_word_line.items():
        yield (gate, f"wl_{i + d}_{j}"), value
    yield (gate, bit), cell.gate_to_bit_line
    yield (gate, GROUND), cell.gate_to_substrate
    for (di, dj), value in cell.gate_to_gate.items():
        yield _sorted(gate, f"fg_{i + di}_{j + dj}", di + dj), value / 2
    for d, value in cell.word_line_to_word_line.items():
        yield _sorted(word, f"wl_{i + d}_{j}", d), value / 2
    for d, value in cell.bit_line_to_bit_line.items():
        yield _sorted(bit, f"bl_{j + d}_{i}", d), value / 2
    yield (word, bit), cell.crossing
    yield (word, GROUND), cell.word_line_to_ground
    yield (bit, GROUND), cell.bit_line_to_ground


def _sorted(own: str, other: str, direction: int) -> tuple[str, str]:
    return (own, other) if direction > 0 else (other, own)
