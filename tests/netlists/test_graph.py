"""The netlist graph: counts of nets and elements, who neighbours whom, and which value sits where."""

from collections import Counter

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlists.check import check_graph
from netlists.elements import GROUND, Capacitor, ChargeSource, Resistor, Terminal, Transistor
from netlists.errors import InputError
from netlists.graph import SHORT_OHMS, array_graph, far_row, near_row

sizes = st.integers(1, 6)


def _elements(graph, kind):
    return [(a, b, e) for a, b, e in graph.edges(data="element") if isinstance(e, kind)]


def _groups(graph):
    """Number of capacitors in every group (first part of their names)."""
    return Counter(e.name.split("_")[0] for *_, e in _elements(graph, Capacitor))


@given(n=sizes, m=sizes, mirrored=st.booleans())
def test_counts_of_a_floating_gate_array(make_design, n, m, mirrored):
    design = make_design(n, m, array={"mirrored": mirrored})
    graph = array_graph(design, np.full((n, m), 1.0))
    check_graph(graph)
    assert len(graph) == 1 + n + m + 3 * n * m  # ground, drivers, clamps, WL, BL and FG nets
    assert len(_elements(graph, Resistor)) == 2 * n * m
    assert len(_elements(graph, Terminal)) == n + m
    assert len(_elements(graph, Transistor)) == len(_elements(graph, ChargeSource)) == n * m
    pairs, even = (n - 1), n % 2 == 0
    near, far = (n if even else n - 1, max(n - 2, 0) if even else n - 1) if mirrored else (pairs, pairs)
    wires = {"wl": n * m, "bl": n * m, "x": n * m, "ww": pairs * m, "bb": n * (m - 1)}
    gates = {
        "fw0": n * m, "fb": n * m, "fs": n * m, "fwnear": near * m, "fwfar": far * m,
        "fwup2": max(n - 2, 0) * m, "fwdown2": max(n - 2, 0) * m, "ffr": n * (m - 1), "ffc": pairs * m,
    }  # fmt: skip
    assert _groups(graph) == Counter({name: count for name, count in {**wires, **gates}.items() if count})


@given(n=sizes, m=sizes)
def test_counts_of_a_resistive_array(make_design, n, m):
    graph = array_graph(make_design(n, m, "resistive"), np.full((n, m), 1e-6))
    check_graph(graph)
    assert len(graph) == 1 + n + m + 2 * n * m
    assert len(_elements(graph, Resistor)) == 3 * n * m
    assert not _elements(graph, (Transistor, ChargeSource))


@given(n=sizes, m=sizes, mirrored=st.booleans())
def test_no_two_capacitors_join_the_same_nets(make_design, n, m, mirrored):
    graph = array_graph(make_design(n, m, array={"mirrored": mirrored}), np.ones((n, m)))
    joined = Counter(frozenset((a, b)) for a, b, _ in _elements(graph, Capacitor))
    assert max(joined.values()) == 1
    assert len({(type(e), e.name) for *_, e in graph.edges(data="element")}) == graph.number_of_edges()


@given(row=st.integers(0, 1000))
def test_mirrored_near_and_far_are_mutual(make_design, row):
    design = make_design(array={"mirrored": True})
    assert near_row(design, near_row(design, row)) == row
    assert far_row(design, far_row(design, row)) == row
    assert {near_row(design, row), far_row(design, row)} == {row - 1, row + 1}


@given(row=st.integers(0, 1000))
def test_plain_rows_all_face_the_same_way(make_design, row):
    design = make_design(array={"mirrored": False})
    assert (near_row(design, row), far_row(design, row)) == (row + 1, row - 1)


def test_coupling_of_a_gate_goes_to_the_right_word_lines(make_design):
    design = make_design(5, 3)
    graph = array_graph(design, np.ones((5, 3)))
    coupling = design.coupling
    to = {
        other.split("_")[1]: element.farads
        for other, edges in graph["fg_2_1"].items()
        for element in (data["element"] for data in edges.values())
        if other.startswith("wl_") and other.endswith("_1")
    }
    assert to == {
        "2": coupling.own_word_line, "3": coupling.near_word_line, "1": coupling.far_word_line,
        "0": coupling.second_word_line, "4": coupling.second_word_line,
    }  # fmt: skip


def test_capacitance_of_a_gate_in_the_middle_adds_up(make_design):
    design = make_design(6, 3)
    graph = array_graph(design, np.ones((6, 3)))
    total = sum(e.farads for *_, e in graph.edges("fg_2_1", data="element") if isinstance(e, Capacitor))
    c = design.coupling
    expected = (
        c.own_word_line + c.near_word_line + c.far_word_line + 2 * c.second_word_line + c.bit_line + c.substrate
        + 2 * c.floating_gate_same_row + 2 * c.floating_gate_same_column
    )  # fmt: skip
    assert total == pytest.approx(expected, rel=1e-12, abs=0)


def test_wire_resistance_lies_along_its_own_line(make_design):
    design = make_design(4, 3, "resistive")
    graph = array_graph(design, np.full((4, 3), 1e-6))
    wires = nx.Graph()
    for a, b, e in _elements(graph, Resistor):
        if not e.name.startswith("cell"):
            wires.add_edge(a, b, ohms=e.ohms)

    def ohms(a, b):
        return nx.shortest_path_length(wires, a, b, weight="ohms")
    w = design.wires
    assert ohms("drv_3", "wl_3_2") == pytest.approx(w.driver_resistance + 2 * w.word_line_resistance)
    assert ohms("clamp_2", "bl_2_3") == pytest.approx(w.switch_resistance + 3 * w.bit_line_resistance)
    assert not nx.has_path(wires, "drv_0", "clamp_0")


def test_zero_wire_is_a_short_and_zero_capacitance_no_element(make_design):
    design = make_design(
        3, 2, wires={"bit_line_resistance": "0 ohm", "crossing_capacitance": "0 F"}, coupling={"bit_line": "0 F"}
    )
    graph = array_graph(design, np.ones((3, 2)))
    check_graph(graph)
    assert {e.ohms for *_, e in _elements(graph, Resistor) if e.name in ("bl_0_1", "bl_1_2")} == {SHORT_OHMS}
    assert not {"x", "fb"} & set(_groups(graph))


def test_charge_source_carries_the_cell(make_design):
    cells = np.arange(6.0).reshape(3, 2)
    graph = array_graph(make_design(3, 2), cells)
    assert {e.name: e.volts for *_, e in _elements(graph, ChargeSource)} == {
        f"q_{i}_{j}": cells[i, j] for i in range(3) for j in range(2)
    }
    assert all(GROUND in (a, b) for a, b, _ in _elements(graph, ChargeSource))


@pytest.mark.parametrize("shape", [(2, 3), (3,), (3, 2, 1), ()])
def test_cells_of_the_wrong_shape_are_refused(make_design, shape):
    with pytest.raises(InputError, match="shape"):
        array_graph(make_design(3, 2), np.ones(shape))


@pytest.mark.parametrize("cell", ["n", "resistive"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_cells_that_are_not_finite_are_refused(make_design, cell, value):
    cells = np.ones((3, 2))
    cells[1, 1] = value
    with pytest.raises(InputError, match="not finite"):
        array_graph(make_design(3, 2, cell), cells)


@pytest.mark.parametrize("value", [0.0, -1e-6])
def test_conductances_must_be_positive(make_design, value):
    cells = np.full((3, 2), 1e-6)
    cells[2, 1] = value
    with pytest.raises(InputError, match=r"cells\[2,1\]"):
        array_graph(make_design(3, 2, "resistive"), cells)
