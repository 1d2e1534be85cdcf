"""The fit of a linear array's resistances: from exact currents, from noisy ones, and where data show nothing."""

import math

import pytest
import torch

from surrogate.fitting.linear import fit_linear
from surrogate.fitting.programmed import SlotData
from surrogate.linear import effective_matrix

OHMS = torch.tensor([50.0, 30.0, 7.0, 1000.0], dtype=torch.float64)
VOLTS = 1.2


def data(rows=8, columns=5, ohms=OHMS, noise=0.0, seed=0):
    """Slots of four matrices of 1 … 100 µS, with relative noise."""
    generator = torch.Generator().manual_seed(seed)
    g = 10 ** (torch.rand(4, rows, columns, generator=generator, dtype=torch.float64) * 2 - 6)
    matrix = torch.arange(4).repeat_interleave(rows)
    active = torch.stack([torch.rand(rows, generator=generator).argsort() <= k for k in range(rows)]).repeat(4, 1)
    w = VOLTS * effective_matrix(g, ohms)
    current = torch.einsum("pn,pnm->pm", active.double(), w[matrix])
    current = current * (1 + noise * torch.randn(current.shape, generator=generator))
    return SlotData(active.double(), matrix, current, g)


def fitted_ohms(fit):
    return torch.exp(fit.shared) * VOLTS / fit.current_scale


@pytest.mark.parametrize(("rows", "columns"), [(8, 5), (5, 8)])
@pytest.mark.parametrize("ohms", [OHMS, OHMS.flip(0), OHMS / 100, torch.full((4,), 100.0).double()])
def test_exact_currents_give_the_resistances(rows, columns, ohms):
    fit = fit_linear(data(rows, columns, ohms), VOLTS)
    assert fitted_ohms(fit).tolist() == pytest.approx(ohms.tolist(), rel=3e-3, abs=0)


def test_states_are_conductances_over_the_best():
    slots = data()
    fit = fit_linear(slots, VOLTS)
    state = fit.state_map(slots.volts)
    assert float(state.max()) == 1
    torch.testing.assert_close(state * fit.current_scale, slots.volts * VOLTS)
    torch.testing.assert_close(fit.state_map.inverse(state), slots.volts)


def test_standard_errors_are_the_spread_of_noisy_fits():
    deviations = []
    for seed in range(12):
        fit = fit_linear(data(noise=1e-3, seed=seed), VOLTS)
        truth = torch.log(OHMS * fit.current_scale / VOLTS)
        deviations.append((fit.shared - truth) / fit.solution.standard_error.shared)
    spread = torch.stack(deviations).square().mean(0).sqrt()
    assert ((spread > 0.5) & (spread < 1.6)).all()


def test_what_the_data_do_not_show_stays_unknown():
    """A single column has no word-line segment; wires without resistance leave every logarithm open below."""
    single = fit_linear(data(columns=1), VOLTS)
    assert float(single.solution.standard_error.shared[1]) > 1
    ideal = fit_linear(data(ohms=torch.zeros(4).double()), VOLTS)
    assert float((fitted_ohms(ideal) * 1e-4 * 8).max()) < 1e-5
    assert all(math.isfinite(value) for fit in (single, ideal) for value in fit.solution.standard_error.shared)


def test_currents_that_are_all_zero_are_refused():
    slots = data()
    with pytest.raises(ValueError, match="none is positive"):
        fit_linear(SlotData(slots.active, slots.matrix, 0 * slots.current, slots.volts), VOLTS)
