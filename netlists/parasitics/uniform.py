"""The uniform array that stands for an extracted one: the means of its couplings and wires as a design's numbers.

Arrays of other sizes, read curves and the surrogate's starting values use them.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netlists.design import LEAST_OHMS, Design, ResistiveCell
from netlists.elements import GROUND, Capacitor
from netlists.graph import far_row, near_row
from netlists.parasitics.imported import wiring, with_hash
from netlists.parasitics.lines import Lines, extracted_lines
from netlists.quantity import CAPACITANCE, RESISTANCE


def with_parasitics(design: Design, folder: Path) -> Design:
    """``design`` with its extracted file, which is relative to ``folder``, hashed, and the file's means as ``coupling``
    and ``wires``; driver and switch stay the design's. What an array of this size does not have (a neighbour of its
    only row) stays as given. Raises :class:`~netlists.errors.InputError` on everything that is wrong with the file.
    """
    assert design.parasitics is not None
    hashed = design.model_copy(update={"parasitics": with_hash(design.parasitics, folder)})
    means = mean_farads(hashed)
    coupling = {name: means[name] for name in type(design.coupling).model_fields if name in means}
    wires = {name: means[name] for name in type(design.wires).model_fields if name in means}
    wires |= mean_ohms(hashed)
    return hashed.model_copy(
        update={
            "coupling": design.coupling.model_copy(update=coupling), "wires": design.wires.model_copy(update=wires),
        }
    )  # fmt: skip


def lines_of(design: Design) -> Lines:
    """Resistances and capacitances of the lines of a design with parasitics."""
    assert design.parasitics is not None
    gates = not isinstance(design.cell, ResistiveCell)
    return extracted_lines(design.parasitics, design.array.rows, design.array.columns, gates)


def mean_ohms(design: Design) -> dict[str, float]:
    """Mean resistance between neighbouring cells along word and bit lines, ohm, by the names of ``wires``."""
    lines, means = lines_of(design), {}
    for name, ohms in (("word_line_resistance", lines.word_ohms), ("bit_line_resistance", lines.bit_ohms)):
        if ohms.shape[1] > 1:
            value = float(np.mean(_between(ohms)))
            means[name] = 0.0 if value < LEAST_OHMS else min(value, RESISTANCE.largest)
    return means


def _between(ohms: NDArray[np.float64]) -> NDArray[np.float64]:
    """[L, K − 1] resistance between neighbours from [L, K, K] voltages per current."""
    own = np.diagonal(ohms, axis1=1, axis2=2)
    return own[:, 1:] + own[:, :-1] - 2 * np.diagonal(ohms, offset=1, axis1=1, axis2=2)


def mean_farads(design: Design) -> dict[str, float]:
    """Mean capacitances, F, by the names of ``coupling`` and ``wires``. What neither names, such as that between
    diagonal neighbours, counts as capacitance to ground."""
    assert design.parasitics is not None
    rows, columns = design.array.rows, design.array.columns
    total: defaultdict[str, float] = defaultdict(float)
    for a, b, element in wiring(design.parasitics, rows, columns, not isinstance(design.cell, ResistiveCell)).edges:
        if isinstance(element, Capacitor):
            for name in _names(design, _place(a), _place(b)):
                total[name] += element.farads
    count = _counts(design)
    means = {name: _bounded(total[name] / number) for name, number in count.items() if number}
    if "substrate" in means:
        means["substrate"] = max(means["substrate"], CAPACITANCE.least)
    return means


def _bounded(farads: float) -> float:
    return 0.0 if farads < CAPACITANCE.least else min(farads, CAPACITANCE.largest)


Place = tuple[str, int, int]
"""Kind, row and column of a net; ground is ("0", 0, 0)."""


def _place(net: str) -> Place:
    if net == GROUND:
        return GROUND, 0, 0
    kind, first, second = net.split("_")[:3]
    return (kind, int(second), int(first)) if kind == "bl" else (kind, int(first), int(second))


_TO_GROUND = {"fg": "substrate", "wl": "word_line_capacitance", "bl": "bit_line_capacitance"}


def _names(design: Design, a: Place, b: Place) -> list[str]:
    """What a capacitor between two places counts as; two names where it counts as one to ground at either end."""
    if _ORDER[a[0]] > _ORDER[b[0]]:
        a, b = b, a
    (kind, i, j), (other, k, l) = a, b
    name = None
    if (kind, other) == ("fg", "wl"):
        names = {i: "own_word_line", i + 2: "second_word_line", i - 2: "second_word_line",
                 near_row(design, i): "near_word_line", far_row(design, i): "far_word_line"}  # fmt: skip
        name = names.get(k)
    elif (kind, other) == ("fg", "bl"):
        name = "bit_line" if j == l else None
    elif (kind, other) == ("fg", "fg"):
        steps = {(0, 1): "floating_gate_same_row", (1, 0): "floating_gate_same_column"}
        name = steps.get((abs(i - k), abs(j - l)))
    elif (kind, other) == ("wl", "bl"):
        name = "crossing_capacitance"
    elif (kind, other) == ("wl", "wl"):
        name = "word_line_pair_capacitance" if abs(i - k) == 1 else None
    elif (kind, other) == ("bl", "bl"):
        name = "bit_line_pair_capacitance" if abs(j - l) == 1 else None
    return [name] if name else [_TO_GROUND[end] for end in (kind, other) if end != GROUND]


_ORDER = {"fg": 0, "wl": 1, "bl": 2, GROUND: 3}


def _counts(design: Design) -> dict[str, int]:
    """How many of each capacitance an array of the design's size has."""
    rows, columns = design.array.rows, design.array.columns
    cells = rows * columns
    lines = {
        "word_line_capacitance": cells, "bit_line_capacitance": cells, "crossing_capacitance": cells,
        "word_line_pair_capacitance": (rows - 1) * columns, "bit_line_pair_capacitance": (columns - 1) * rows,
    }  # fmt: skip
    if isinstance(design.cell, ResistiveCell):
        return lines
    near = sum(0 <= near_row(design, i) < rows for i in range(rows))
    far = sum(0 <= far_row(design, i) < rows for i in range(rows))
    return lines | {
        "own_word_line": cells, "bit_line": cells, "substrate": cells,
        "near_word_line": near * columns, "far_word_line": far * columns,
        "second_word_line": 2 * max(rows - 2, 0) * columns,
        "floating_gate_same_row": rows * (columns - 1), "floating_gate_same_column": (rows - 1) * columns,
    }  # fmt: skip
