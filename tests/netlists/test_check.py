"""The check of a netlist graph finds each kind of fault and names the net or element."""

import networkx as nx
import numpy as np
import pytest

from netlists.check import check_graph
from netlists.elements import GROUND, Capacitor, ChargeSource, Resistor, Terminal, Transistor
from netlists.errors import InputError
from netlists.graph import add, array_graph


@pytest.fixture
def graph(make_design):
    """A sound graph of a 3x2 floating-gate array."""
    return array_graph(make_design(3, 2), np.ones((3, 2)))


def _refused(graph, *words):
    with pytest.raises(InputError) as caught:
        check_graph(graph)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("cell", ["n", "p", "resistive"])
@pytest.mark.parametrize("size", [(1, 1), (1, 4), (4, 1), (3, 2)])
def test_arrays_are_sound(make_design, cell, size):
    check_graph(array_graph(make_design(*size, cell), np.full(size, 1e-6 if cell == "resistive" else 1.0)))


def test_gate_without_charge_source(graph):
    graph.remove_edge("fg_1_0", GROUND, key="q_1_0")
    _refused(graph, "fg_1_0", "0 charge sources")


def test_gate_with_two_charge_sources(graph):
    add(graph, "fg_1_0", GROUND, ChargeSource("second", 1.0))
    _refused(graph, "fg_1_0", "2 charge sources")


def test_charge_source_on_a_net_that_is_no_gate(graph):
    add(graph, "wl_1_0", GROUND, ChargeSource("stray", 1.0))
    _refused(graph, "wl_1_0", "no transistor's gate")


def test_transistor_whose_gate_is_not_in_the_graph(graph):
    add(graph, "bl_0_1", "wl_1_0", Transistor("m_x", "nowhere", 1, 0))
    _refused(graph, "nowhere", "0 charge sources")


def test_unconnected_net(graph):
    graph.add_node("lost")
    _refused(graph, "lost", "no DC path")


def test_net_behind_nothing_but_a_capacitor(graph):
    add(graph, "wl_0_0", "hanging", Capacitor("c_x", 1e-15))
    _refused(graph, "hanging", "no DC path")


def test_island_of_resistors(graph):
    add(graph, "island_a", "island_b", Resistor("r_x", 1.0))
    _refused(graph, "island_", "no DC path")


def test_line_cut_off_from_its_driver(make_design):
    graph = array_graph(make_design(2, 2, "resistive"), np.full((2, 2), 1e-6))
    for net in ("drv_0", "drv_1", "clamp_0", "clamp_1"):
        graph.remove_edge(net, GROUND)
    _refused(graph, "no DC path")


def test_shorted_element(graph):
    add(graph, "wl_0_0", "wl_0_0", Resistor("r_x", 1.0))
    _refused(graph, "r_x", "wl_0_0", "shorted")


def test_two_terminals_on_a_net(graph):
    add(graph, "drv_0", GROUND, Terminal("other", "drive", 7))
    _refused(graph, "drv_0", "other", "both drive")


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
@pytest.mark.parametrize("kind", [Resistor, Capacitor])
def test_value_that_is_not_positive_and_finite(graph, kind, value):
    add(graph, "wl_0_0", "wl_0_1", kind("wrong", value))
    _refused(graph, "wrong", "not positive")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_charge_that_is_not_finite(make_design, value):
    graph = array_graph(make_design(1, 1), np.ones((1, 1)))
    graph.remove_edge("fg_0_0", GROUND, key="q_0_0")
    add(graph, "fg_0_0", GROUND, ChargeSource("q_0_0", value))
    _refused(graph, "q_0_0", "not finite")


def test_conductance_that_overflows_to_an_open_cell(make_design):
    _refused(array_graph(make_design(1, 1, "resistive"), np.full((1, 1), 1e-310)), "cell_0_0", "not positive")


def test_empty_graph_has_nothing_to_complain_about():
    check_graph(nx.MultiGraph())
