"""Small designs for tests."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from netlists.design import Design

BASE: dict[str, Any] = {
    "name": "test",
    "array": {"rows": 3, "columns": 2, "mirrored": True},
    "cell": {"kind": "mos", "channel": "n", "width": "0.5 um", "length": "0.6 um"},
    "coupling": {
        "own_word_line": "24.5 aF",
        "near_word_line": "45 aF",
        "far_word_line": "11.1 aF",
        "second_word_line": "3 aF",
        "bit_line": "2.8 aF",
        "floating_gate_same_row": "5.8 aF",
        "floating_gate_same_column": "4 aF",
        "substrate": "123 aF",
    },
    "wires": {
        "word_line_resistance": "3 ohm",
        "bit_line_resistance": "0.7 ohm",
        "word_line_capacitance": "120 aF",
        "bit_line_capacitance": "70 aF",
        "word_line_pair_capacitance": "26 aF",
        "bit_line_pair_capacitance": "43 aF",
        "crossing_capacitance": "16 aF",
        "driver_resistance": "100 ohm",
        "switch_resistance": "1 kohm",
    },
    "read": {"voltage": "1.2 V", "t_max": "200 ns", "t_edge": "1 ns", "bits": 4, "temperature": "27 degC"},
    "weights": {"current_min": "5 nA", "current_max": "500 nA"},
}

MakeDesign = Callable[..., Design]


def small_design(
    rows: int = 3, columns: int = 2, cell: str | dict[str, Any] = "n", **sections: dict[str, Any]
) -> Design:
    """A small design; ``cell`` is n, p, resistive or a whole section; each of ``sections`` overrides keys."""
    data = copy.deepcopy(BASE)
    data["array"].update(rows=rows, columns=columns)
    if cell == "resistive":
        data["cell"] = {"kind": "resistive"}
    elif isinstance(cell, dict):
        data["cell"] = cell
    else:
        data["cell"]["channel"] = cell
    for name, values in sections.items():
        data.setdefault(name, {}).update(values)
    return Design.model_validate(data)
