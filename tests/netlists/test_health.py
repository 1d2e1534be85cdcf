"""The health report names what is wrong with a netlist and what stands out."""

import networkx as nx
import numpy as np
import pytest

from netlists.elements import Capacitor, Resistor, Transistor
from netlists.graph import add, array_graph
from netlists.health import netlist_health


@pytest.fixture
def design(make_design):
    return make_design(3, 2)


@pytest.fixture
def graph(design):
    return array_graph(design, np.full((3, 2), 0.5))


def _remove(graph: nx.MultiGraph, name: str) -> None:
    edges = [(a, b) for a, b, element in graph.edges(data="element") if element.name == name]
    a, b = next(ends for ends in edges if not isinstance(graph.edges[*ends, name]["element"], Capacitor))
    graph.remove_edge(a, b, key=name)


def test_a_sound_array(design, graph):
    health = netlist_health(design, graph)
    assert health.passed and not health.notes
    assert (health.cells, health.resistors) == (6, 12)
    assert health.capacitors == sum(isinstance(e, Capacitor) for *_, e in graph.edges(data="element"))
    spread = next(s for s in health.spreads if (s.kind, s.unit) == ("FG–WL", "F"))
    assert (spread.least, spread.most) == (3e-18, 45e-18)


@pytest.mark.parametrize(("name", "says"), [
    ("m_1_1", "cell (1, 1) is missing"), ("wl_1_1", "from wl_1_1 on is joined to no driver"),
    ("bl_0_end", "from bl_0_0 on is joined to no driver"), ("q_2_0", "fg_2_0 has 0 charge sources"),
    ("clamp_1", "from bl_1_0 on is joined to no driver"),
])  # fmt: skip
def test_what_is_missing_is_named(design, graph, name, says):
    _remove(graph, name)
    health = netlist_health(design, graph)
    assert not health.passed and any(says in line for line in health.problems), health.problems


def test_cells_off_the_grid(design, graph):
    _remove(graph, "m_0_0")
    add(graph, "bl_1_0", "wl_0_0", Transistor("m_0_0", "fg_0_0", 0, 0))
    add(graph, "bl_1_0", "wl_0_1", Transistor("m_7_1", "fg_0_1", 7, 1))
    problems = " ".join(netlist_health(design, graph).problems)
    assert "m_0_0 is not where word line 0 and bit line 0 cross" in problems
    assert "m_7_1 lies outside the 3x2 array" in problems


def test_gates_with_a_dc_path_and_nets_beside_a_gate(design, graph):
    add(graph, "fg_0_0", "fg_0_0_n1", Resistor("rf", 10.0))
    assert netlist_health(design, graph).passed  # a piece of the gate itself
    add(graph, "fg_0_0_n1", "wl_0_0", Resistor("leak", 10.0))
    assert any("fg_0_0 has a DC path" in line for line in netlist_health(design, graph).problems)


def test_what_stands_out_is_noted(design, graph):
    add(graph, "fg_1_0", "bl_0_1", Capacitor("huge", 1e-14))
    notes = " ".join(netlist_health(design, graph).notes)
    assert "fg_1_0 to bl_0_1" in notes and "they follow it" in notes
    assert "of 7 capacitances BL–FG exceed 10 times their median" in notes


def test_long_lists_are_cut(make_design):
    design = make_design(8, 8)
    graph = array_graph(design, np.full((8, 8), 0.5))
    for name in [f"m_{i}_{j}" for i in range(8) for j in range(8)]:
        _remove(graph, name)
    problems = netlist_health(design, graph).problems
    assert len(problems) == 21 and problems[-1].endswith("more of these")
