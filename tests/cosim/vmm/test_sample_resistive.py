"""Resistive arrays in ngspice against the nodal solution: N != M and R_row != R_col, slot currents, charges, energy."""

import numpy as np
import pytest

from cosim.vmm.simulate import simulate
from netlists.graph import array_graph
from netlists.nodal import clamp_currents

WIRES = {"word_line_resistance": "300 ohm", "bit_line_resistance": "70 ohm", "switch_resistance": "400 ohm"}
V = 1.2


@pytest.fixture(scope="module", params=[(4, 3), (2, 5), (5, 1), (1, 4)], ids=lambda size: f"{size[0]}x{size[1]}")
def array(request, make_design):
    """A design, its conductances, some durations and its exact matrix of one-row currents [N, M]."""
    rows, columns = request.param
    design = make_design(rows, columns, "resistive", wires=WIRES)
    rng = np.random.default_rng(rows)
    cells = rng.uniform(2e-6, 5e-5, (rows, columns))
    duration = rng.permutation([200e-9, 13e-9, 80e-9, 0.0, 150e-9][:rows])
    matrix = clamp_currents(design, array_graph(design, cells), np.eye(rows))
    return design, cells, duration, matrix


def test_slot_currents_are_the_nodal_solution(array, engine):
    design, cells, duration, _ = array
    sample = simulate(design, cells, duration, engine)
    exact = clamp_currents(design, array_graph(design, cells), sample.slot_active)
    assert sample.slot_active.shape == (np.count_nonzero(duration), design.array.rows)
    assert sample.slot_current == pytest.approx(exact, rel=1e-6, abs=0)


def test_charges_are_one_matrix_product(array, engine, tight_engine):
    """Pulses are defined between the 50 % points of linear edges, so edges cost a linear array nothing."""
    design, cells, duration, matrix = array
    exact = duration @ matrix
    assert simulate(design, cells, duration, tight_engine).charge == pytest.approx(exact, rel=1e-6, abs=0)
    assert simulate(design, cells, duration, engine).charge == pytest.approx(exact, rel=3e-4, abs=0)


def test_charges_superpose(array, tight_engine):
    design, cells, duration, _ = array
    first = np.arange(len(duration)) < (len(duration) + 1) // 2
    parts = [simulate(design, cells, np.where(rows, duration, 0), tight_engine).charge for rows in (first, ~first)]
    assert simulate(design, cells, duration, tight_engine).charge == pytest.approx(sum(parts), rel=1e-6, abs=0)


def test_row_and_column_resistance_are_not_swapped(make_design, engine):
    cells = np.random.default_rng(0).uniform(2e-6, 5e-5, (4, 3))
    swapped = make_design(4, 3, "resistive", wires=WIRES | {"word_line_resistance": "70 ohm",
                                                            "bit_line_resistance": "300 ohm"})  # fmt: skip
    design = make_design(4, 3, "resistive", wires=WIRES)
    current = simulate(design, cells, np.full(4, 200e-9), engine).slot_current[0]
    wrong = clamp_currents(swapped, array_graph(swapped, cells), np.ones(4))
    assert np.abs(current / wrong - 1).max() > 1e-3


@pytest.mark.parametrize("edges", [1.0, 1.0 + 1e-9, 1.001, 1.5, 4.0])
def test_the_shortest_pulses_carry_their_charge(make_design, engine, edges):
    design = make_design(2, 2, "resistive")
    cells = np.array([[1e-5, 2e-5], [3e-5, 4e-5]])
    duration = np.array([edges * design.read.t_edge, 0.0])
    matrix = clamp_currents(design, array_graph(design, cells), np.eye(2))
    assert simulate(design, cells, duration, engine).charge == pytest.approx(duration @ matrix, rel=3e-3, abs=0)


def test_equal_and_nearly_equal_durations(make_design, engine):
    design = make_design(4, 2, "resistive")
    cells = np.random.default_rng(1).uniform(2e-6, 5e-5, (4, 2))
    duration = np.array([100e-9, 100e-9, 100e-9 * (1 + 1e-12), 102e-9])
    sample = simulate(design, cells, duration, engine)
    matrix = clamp_currents(design, array_graph(design, cells), np.eye(4))
    assert sample.charge == pytest.approx(duration @ matrix, rel=3e-4, abs=0)
    assert sample.slot_active.tolist() == [[True] * 4]
    assert sample.slot_current[0] == pytest.approx(matrix.sum(axis=0), rel=1e-6, abs=0)


def test_zero_wires_leave_driver_and_switch(make_design, engine):
    none = {"word_line_resistance": "0 ohm", "bit_line_resistance": "0 ohm"}
    design = make_design(3, 2, "resistive", wires=none)
    cells = np.random.default_rng(2).uniform(2e-6, 5e-5, (3, 2))
    sample = simulate(design, cells, np.array([50e-9, 100e-9, 200e-9]), engine)
    exact = clamp_currents(design, array_graph(design, cells), sample.slot_active)
    assert sample.slot_current == pytest.approx(exact, rel=1e-6, abs=0)


def test_energy_of_a_single_cell(make_design, tight_engine):
    """The clamp delivers V·Q; on each linear edge the driver takes V²·t_edge/(6R) of it back."""
    wires = {"driver_resistance": "100 ohm", "switch_resistance": "900 ohm"}
    design = make_design(1, 1, "resistive", wires=wires)
    ohms, t, t_edge = 1e5 + 1000, 100e-9, design.read.t_edge
    sample = simulate(design, np.array([[1e-5]]), np.array([t]), tight_engine)
    assert sample.energy == pytest.approx(V**2 / ohms * (t - t_edge / 3), rel=2e-3, abs=0)
