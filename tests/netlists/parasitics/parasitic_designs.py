"""Designs whose parasitics come from a file, and what their graphs hold."""

from functools import partial

import numpy as np
import pytest

from netlists.designfile import dump_design, load_design
from netlists.graph import array_graph

approx = partial(pytest.approx, abs=0)
"""Relative tolerances only: farads are far below pytest's absolute one."""


def imported(folder, design, text, name="x.spef", **keys):
    """``design`` with ``text`` (or bytes) as its file of parasitics and further keys of that section."""
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    section = "".join(f"  {key}: {value!r}\n" for key, value in {"file": name, **keys}.items())
    path = folder / "design.yaml"
    path.write_text(dump_design(design) + f"parasitics:\n{section}", encoding="utf-8")
    return load_design(path)


def elements(graph):
    """Values of all elements by their nets and type, each once."""
    found = {}
    for a, b, element in graph.edges(data="element"):
        value = next((getattr(element, name) for name in ("ohms", "farads", "volts") if hasattr(element, name)), 0.0)
        key = (*sorted((a, b)), type(element).__name__)
        assert key not in found
        found[key] = value
    return found


def graph_of(design):
    """Its array graph with one state in all cells."""
    state = 1e-6 if design.cell.kind == "resistive" else 0.5
    return array_graph(design, np.full((design.array.rows, design.array.columns), state))
