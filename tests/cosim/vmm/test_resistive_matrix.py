"""The one matrix of a clamped array of linear cells against the netlist's sparse solution and ngspice."""

import numpy as np
import pytest
import torch

from cosim.vmm.simulate import simulate
from netlists.graph import array_graph
from netlists.nodal import clamp_currents
from surrogate.linear import effective_matrix

WIRES = {"word_line_resistance": "30 ohm", "bit_line_resistance": "7 ohm", "switch_resistance": "2 kohm"}
OHMS = torch.tensor([100.0, 30.0, 7.0, 2000.0], dtype=torch.float64)


def conductances(rows, columns):
    return 10 ** np.random.default_rng(0).uniform(-6.5, -4.5, (rows, columns))


@pytest.mark.parametrize(("rows", "columns"), [(64, 30), (9, 70)])
def test_it_is_the_sparse_nodal_solution(make_design, rows, columns):
    design, g = make_design(rows, columns, "resistive", wires=WIRES), conductances(rows, columns)
    nodal = clamp_currents(design, array_graph(design, g), np.eye(rows)) / (design.v_idle - design.v_active)
    assert effective_matrix(torch.from_numpy(g), OHMS).numpy() == pytest.approx(nodal, rel=1e-9, abs=0)


def test_ngspice_shows_it_in_every_slot(make_design, tight_engine):
    design, g = make_design(12, 5, "resistive", wires=WIRES), conductances(12, 5)
    codes = np.random.default_rng(1).permutation(12) + 4
    sample = simulate(design, g, codes * design.read.t_max / 15, tight_engine)
    matrix = 1.2 * effective_matrix(torch.from_numpy(g), OHMS).numpy()
    assert len(sample.slot_current) == 12
    assert sample.slot_current == pytest.approx(sample.slot_active.astype(float) @ matrix, rel=1e-6, abs=0)
    assert sample.charge == pytest.approx(codes * design.read.t_max / 15 @ matrix, rel=1e-5, abs=0)

