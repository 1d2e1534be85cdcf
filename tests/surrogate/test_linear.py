"""The exact matrix of a linear array: against the netlist's nodal solution, by hand, and its derivatives."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from netlists.graph import array_graph
from netlists.nodal import clamp_currents
from surrogate.linear import effective_matrix, linear_charges

OHMS = torch.tensor([50.0, 30.0, 7.0, 1000.0], dtype=torch.float64)
NAMES = ("driver_resistance", "word_line_resistance", "bit_line_resistance", "switch_resistance")


def cells(*shape, seed=0):
    """Conductances of 1 … 100 µS, log-uniform."""
    generator = torch.Generator().manual_seed(seed)
    return 10 ** (torch.rand(*shape, generator=generator, dtype=torch.float64) * 2 - 6)


def nodal(make_design, g, ohms):
    """Matrix [N, M] in S of the netlist."""
    wires = {name: f"{float(value)!r} ohm" for name, value in zip(NAMES, ohms, strict=True)}
    design = make_design(*g.shape, "resistive", wires=wires)
    graph = array_graph(design, g.numpy())
    return clamp_currents(design, graph, np.eye(g.shape[0])) / (design.v_idle - design.v_active)


@given(rows=st.integers(1, 7), columns=st.integers(1, 7), seed=st.integers(0, 99))
def test_it_is_the_nodal_solution(make_design, rows, columns, seed):
    g = cells(rows, columns, seed=seed)
    ohms = OHMS[torch.randperm(4, generator=torch.Generator().manual_seed(seed))]
    assert effective_matrix(g, ohms).numpy() == pytest.approx(nodal(make_design, g, ohms), rel=1e-10, abs=0)


@pytest.mark.parametrize(("rows", "columns"), [(64, 4), (4, 48)])
def test_large_arrays_with_much_drop(make_design, rows, columns):
    g = cells(rows, columns)
    exact = nodal(make_design, g, OHMS)
    assert exact.sum() < 0.8 * float(g.sum())
    assert effective_matrix(g, OHMS).numpy() == pytest.approx(exact, rel=1e-10, abs=0)


def test_row_and_column_resistance_are_not_swapped():
    g = cells(5, 3)
    swapped = effective_matrix(g, OHMS[[0, 2, 1, 3]])
    assert float((effective_matrix(g, OHMS) / swapped - 1).abs().max()) > 1e-3


def test_a_single_cell_is_a_series_circuit():
    expected = 1 / (50 + 1e4 + 1000)
    matrix = effective_matrix(torch.full((1, 1), 1e-4, dtype=torch.float64), OHMS)
    assert float(matrix) == pytest.approx(expected, rel=1e-12, abs=0)


@pytest.mark.parametrize("size", [1, 2, 5, 8])
def test_reciprocity(size):
    """Drivers and clamps may change places. Square arrays are really solved both ways round, others always one way."""
    g = cells(size, size)
    torch.testing.assert_close(effective_matrix(g, OHMS), effective_matrix(g.mT, OHMS.flip(0)).mT, rtol=1e-11, atol=0)


def test_without_resistances_it_is_the_conductances():
    g = cells(5, 3)
    assert torch.allclose(effective_matrix(g, torch.zeros(4).double()), g, rtol=1e-14, atol=0)
    torch.testing.assert_close(effective_matrix(g, 1e-6 * OHMS), g, rtol=1e-4, atol=0)


@pytest.mark.parametrize("k", range(4))
def test_each_resistance_alone_lowers_the_currents_that_pass_it(k):
    """Alone, a driver joins the cells of a row, a switch those of a column; first segments carry no column or row 0."""
    g, ohms = cells(4, 3), torch.zeros(4).double()
    ohms[k] = 20
    w = effective_matrix(g, ohms)
    if k == 0:
        torch.testing.assert_close(w, g / (1 + 20 * g.sum(1, keepdim=True)))
    elif k == 3:
        torch.testing.assert_close(w, g / (1 + 20 * g.sum(0, keepdim=True)))
    else:
        first, others = ((w / g).mT if k == 1 else w / g).split([1, 2 if k == 1 else 3])
        torch.testing.assert_close(first, torch.ones_like(first))
        assert float(others.max()) < 1


def test_a_cell_without_conductance_carries_nothing_itself():
    g = cells(3, 2)
    g[1] = 0
    g.requires_grad_()
    w = effective_matrix(g, OHMS)
    assert float(w[1].detach().max()) < 1e-50
    (slope,) = torch.autograd.grad(w.sum(), g)
    step = torch.zeros_like(g)
    step[1, 1] = 1e-9
    rise = (effective_matrix(g + step, OHMS) - w).detach().sum()
    assert float(slope[1, 1]) == pytest.approx(float(rise) / 1e-9, rel=1e-5, abs=0)


@pytest.mark.parametrize("shape", [(1, 1), (4, 3), (3, 4), (2, 2, 3, 2), (2, 1, 4)])
def test_derivatives_of_cells_and_resistances(shape):
    g = (1e5 * cells(*shape)).requires_grad_()
    ohms = torch.tensor([0.03, 0.01, 0.02, 0.05], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(effective_matrix, (g, ohms))
    none = torch.zeros(4, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda g: effective_matrix(g, none), (g,))


def test_tiles_are_solved_one_by_one_and_in_their_own_type():
    g = cells(2, 3, 5, 4)
    together = effective_matrix(g, OHMS)
    for r in range(2):
        for c in range(3):
            torch.testing.assert_close(together[r, c], effective_matrix(g[r, c], OHMS), rtol=1e-12, atol=0)
    single = effective_matrix(g.float(), OHMS)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), together, rtol=1e-6, atol=0)


def test_charges_of_tiles_are_products_with_their_matrices():
    g = (1e5 * cells(2, 3, 5, 4)).requires_grad_()
    duration = torch.rand(6, 2, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    ohms = 1e-5 * OHMS
    expected = torch.einsum("brn,rcnm->brcm", duration, effective_matrix(g, ohms))
    torch.testing.assert_close(linear_charges(duration, g, ohms), expected)
    assert torch.autograd.gradcheck(lambda d: linear_charges(d, g.detach(), ohms).sum(0), (duration,))
    ours, theirs = (torch.autograd.grad(q.square().sum(), g, retain_graph=True)[0]
                    for q in (linear_charges(duration, g, ohms), expected))  # fmt: skip
    torch.testing.assert_close(ours, theirs)
