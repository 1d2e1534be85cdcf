"""The nodal solution of a resistive array: by hand where that is easy, by symmetry and superposition elsewhere."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from netlists.elements import GROUND, Resistor
from netlists.errors import InputError
from netlists.graph import add, array_graph
from netlists.nodal import clamp_currents

V = 1.2


def _conductances(rows, columns, seed=0):
    return np.random.default_rng(seed).uniform(1e-6, 1e-4, (rows, columns))


def test_single_cell_is_a_series_circuit(make_design):
    design = make_design(1, 1, "resistive", wires={"driver_resistance": "100 ohm", "switch_resistance": "1 kohm"})
    current = clamp_currents(design, array_graph(design, np.array([[1e-4]])), [True])
    assert current == pytest.approx([V / (100 + 1e4 + 1000)], rel=1e-12, abs=0)


def test_column_of_two_rows_by_hand(make_design):
    """The wire segment and the switch share their current: solved here as a two-mesh circuit."""
    wires = {"driver_resistance": "50 ohm", "switch_resistance": "300 ohm", "bit_line_resistance": "70 ohm"}
    design = make_design(2, 1, "resistive", wires=wires)
    g = np.array([[1e-3], [5e-4]])
    mesh = np.array([[300 + 1000 + 50, 300.0], [300.0, 300 + 70 + 2000 + 50]])
    expected = np.linalg.solve(mesh, [V, V]).sum()
    assert clamp_currents(design, array_graph(design, g), [1, 1]) == pytest.approx([expected], rel=1e-12, abs=0)


def test_row_of_two_columns_by_hand(make_design):
    wires = {"driver_resistance": "50 ohm", "switch_resistance": "300 ohm", "word_line_resistance": "70 ohm"}
    design = make_design(1, 2, "resistive", wires=wires)
    g = np.array([[1e-3, 5e-4]])
    mesh = np.array([[50 + 1000 + 300, 50.0], [50.0, 50 + 70 + 2000 + 300]])
    expected = np.linalg.solve(mesh, [V, V])
    assert clamp_currents(design, array_graph(design, g), [1]) == pytest.approx(expected, rel=1e-12, abs=0)


def test_a_leak_to_ground_draws_from_the_clamp(make_design):
    """The idle voltage counts where something joins a net to ground: a divider, with the row idle at 1.2 V."""
    wires = {"driver_resistance": "100 ohm", "switch_resistance": "1 kohm"}
    design = make_design(1, 1, "resistive", wires=wires)
    graph = array_graph(design, np.array([[1e-4]]))
    add(graph, "bl_0_0", GROUND, Resistor("leak", 1e6))
    volts = (V / 1000 + V / 10_100) / (1 / 1000 + 1 / 10_100 + 1e-6)
    assert clamp_currents(design, graph, [0]) == pytest.approx([(V - volts) / 1000], rel=1e-9, abs=0)


def test_ideal_wires_give_the_ideal_product(make_design):
    none = {"word_line_resistance": "0 ohm", "bit_line_resistance": "0 ohm"}
    least = {"driver_resistance": "0.01 ohm", "switch_resistance": "0.01 ohm"}
    design = make_design(5, 3, "resistive", wires=none | least)
    g = _conductances(5, 3)
    active = np.array([1, 0, 1, 1, 0])
    assert clamp_currents(design, array_graph(design, g), active) == pytest.approx(V * active @ g, rel=2e-5, abs=0)


@given(
    a=arrays(bool, 5, elements=st.booleans()),
    b=arrays(bool, 5, elements=st.booleans()),
    seed=st.integers(0, 100),
)
def test_superposition(make_design, a, b, seed):
    design = make_design(5, 3, "resistive", wires={"word_line_resistance": "300 ohm"})
    graph = array_graph(design, _conductances(5, 3, seed))
    both, one, other = clamp_currents(design, graph, np.array([a | b, a & ~b, b]))
    assert both == pytest.approx(one + other, rel=1e-12, abs=0)


@given(rows=st.integers(1, 5), columns=st.integers(1, 5), seed=st.integers(0, 100))
def test_reciprocity(make_design, rows, columns, seed):
    """Drivers and clamps may change places: the transposed array has the transposed matrix."""
    r, c, d, s = "300 ohm", "70 ohm", "50 ohm", "1 kohm"
    names = ("word_line_resistance", "bit_line_resistance", "driver_resistance", "switch_resistance")
    design = make_design(rows, columns, "resistive", wires=dict(zip(names, (r, c, d, s), strict=True)))
    turned = make_design(columns, rows, "resistive", wires=dict(zip(names, (c, r, s, d), strict=True)))
    g = _conductances(rows, columns, seed)
    matrix = clamp_currents(design, array_graph(design, g), np.eye(rows))
    transposed = clamp_currents(turned, array_graph(turned, g.T), np.eye(columns))
    assert matrix == pytest.approx(transposed.T, rel=1e-11, abs=0)


def test_row_and_column_resistance_are_not_interchangeable(make_design):
    g = _conductances(5, 3)
    currents = []
    for r, c in (("300 ohm", "70 ohm"), ("70 ohm", "300 ohm")):
        design = make_design(5, 3, "resistive", wires={"word_line_resistance": r, "bit_line_resistance": c})
        currents.append(clamp_currents(design, array_graph(design, g), np.ones(5)))
    assert np.abs(currents[0] / currents[1] - 1).max() > 1e-3


def test_idle_array_carries_no_current(make_design):
    design = make_design(4, 3, "resistive")
    assert np.array_equal(clamp_currents(design, array_graph(design, _conductances(4, 3)), np.zeros(4)), np.zeros(3))


def test_current_grows_with_every_conductance_of_its_column(make_design):
    design = make_design(3, 2, "resistive")
    g = _conductances(3, 2)
    before = clamp_currents(design, array_graph(design, g), np.ones(3))
    for row in range(3):
        more = g.copy()
        more[row, 1] *= 1.1
        assert clamp_currents(design, array_graph(design, more), np.ones(3))[1] > before[1]


def test_patterns_of_any_shape(make_design):
    design = make_design(4, 3, "resistive")
    graph = array_graph(design, _conductances(4, 3))
    active = np.random.default_rng(0).random((2, 5, 4)) > 0.5
    together = clamp_currents(design, graph, active)
    assert together.shape == (2, 5, 3)
    assert together[1, 3] == pytest.approx(clamp_currents(design, graph, active[1, 3]), rel=1e-14, abs=0)


def test_what_does_not_fit_is_refused(make_design):
    design = make_design(4, 3, "resistive")
    graph = array_graph(design, _conductances(4, 3))
    with pytest.raises(InputError, match="word lines"):
        clamp_currents(design, graph, np.ones(3))
    with pytest.raises(InputError, match="drivers and clamps"):
        clamp_currents(design.resized(4, 4), graph, np.ones(4))
    mos = make_design(4, 3)
    with pytest.raises(InputError, match="transistor"):
        clamp_currents(mos, array_graph(mos, np.ones((4, 3))), np.ones(4))
