"""Resistance and capacitance of an extracted array's word and bit lines, seen from their drivers and switches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array
from scipy.sparse.linalg import splu

from netlists.elements import Capacitor, Resistor
from netlists.parasitics.imported import wiring
from netlists.parasitics.section import Parasitics

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Lines:
    """Lines of N rows and M columns; the driver's and switch's own resistance is not in them."""

    word_ohms: Array
    """[N, M, M] voltage at each cell of a word line per current into each other one, ohm"""
    bit_ohms: Array
    """[M, N, N] the same along bit lines"""
    word_farads: Array
    """[N] all capacitance of a word line, F"""
    bit_farads: Array
    """[M] all capacitance of a bit line, F"""


@lru_cache(maxsize=8)
def extracted_lines(section: Parasitics, rows: int, columns: int, gates: bool) -> Lines:
    """The lines of :func:`~netlists.parasitics.imported.wiring`. Raises as that does.

    With G the conductance matrix of a line's nodes but for that of its driver, which is held, the voltages at the
    cells per current into them are the entries of G⁻¹ there.
    """
    wires = wiring(section, rows, columns, gates)
    resistors: dict[str, list[tuple[str, str, float]]] = {}
    farads: dict[str, float] = {}
    for a, b, element in wires.edges:
        if isinstance(element, Resistor):
            resistors.setdefault(_line(a), []).append((a, b, element.ohms))
        elif isinstance(element, Capacitor):
            for line in {_line(a), _line(b)}:
                farads[line] = farads.get(line, 0.0) + element.farads
    word = [
        _ohms(resistors.get(f"wl_{i}", []), wires.word_ports[i], [f"wl_{i}_{j}" for j in range(columns)])
        for i in range(rows)
    ]
    bit = [
        _ohms(resistors.get(f"bl_{j}", []), wires.bit_ports[j], [f"bl_{j}_{i}" for i in range(rows)])
        for j in range(columns)
    ]
    return Lines(
        word_ohms=np.stack(word),
        bit_ohms=np.stack(bit),
        word_farads=np.array([farads.get(f"wl_{i}", 0.0) for i in range(rows)]),
        bit_farads=np.array([farads.get(f"bl_{j}", 0.0) for j in range(columns)]),
    )


def _line(net: str) -> str:
    """``wl_i`` of ``wl_i_j``, ``bl_j`` of ``bl_j_i``."""
    return "_".join(net.split("_")[:2])


def _ohms(resistors: list[tuple[str, str, float]], port: str, cells: list[str]) -> Array:
    index: dict[str, int] = {}
    entries: list[tuple[int, int, float]] = []
    for a, b, ohms in resistors:
        places = [index.setdefault(net, len(index)) for net in (a, b) if net != port]
        entries += [(k, k, 1 / ohms) for k in places]
        if len(places) == 2:
            entries += [(places[0], places[1], -1 / ohms), (places[1], places[0], -1 / ohms)]
    held = [index[cell] for cell in cells if cell != port]
    result = np.zeros((len(cells), len(cells)))
    if held:
        row, column, value = zip(*entries, strict=True)
        matrix = csc_array((value, (row, column)), shape=(len(index), len(index)))
        unit = np.zeros((len(index), len(held)))
        unit[held, np.arange(len(held))] = 1.0
        away = np.flatnonzero([cell != port for cell in cells])
        result[np.ix_(away, away)] = splu(matrix).solve(unit)[held]
    return result
