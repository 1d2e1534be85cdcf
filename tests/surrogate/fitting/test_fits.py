"""Both fits on synthetic data of the reference model, judged on data that they never saw."""

import math

import pytest
import torch

from surrogate.fitting import common as common_module
from surrogate.fitting import measured as measured_module
from surrogate.fitting.common import jacobians
from surrogate.fitting.least_squares import Unknowns
from surrogate.fitting.measured import fit_measured
from surrogate.fitting.programmed import ChargeData, Lines, SlotData, fit_programmed
from surrogate.model import EXACT, charges, pattern_currents
from surrogate.parameters import positions, unflatten
from surrogate.slots import adaptive_slots
from surrogate.state_map import StateMap
from surrogate.threads import one_thread_each
from tests.surrogate.synthetic import FITTED, decibels, fitted, fitted_flat, random_duration, random_state

AMPERES, SECONDS = 2e-6, 1e-6
MAP = StateMap(torch.tensor([-1.0, 1.8, -0.1, 0.02], dtype=torch.float64), 1.2, 0.07)
TRUTH = {"array_edge": 0.27, "edge_time": 0.002, "output_conductance": 0.0}


def programmed_data(runs, rows=8, columns=5, matrices=4):
    """Slots and charges of ``runs`` transients of known voltages, 1.08 … 1.32 V."""
    generator = torch.Generator().manual_seed(runs)
    volts = 1.08 + 0.24 * torch.rand(matrices, rows, columns, generator=generator, dtype=torch.float64)
    matrix = torch.arange(runs) % matrices
    spread = torch.arange(1, rows + 1, dtype=torch.float64) / rows
    duration = torch.stack([spread[torch.randperm(rows, generator=generator)] for _ in range(runs)])
    slots = adaptive_slots(duration)
    active, owner = slots.active.reshape(-1, rows), matrix.repeat_interleave(rows)
    p = fitted(**TRUTH)
    with torch.no_grad():
        current = pattern_currents(p, MAP(volts)[owner], active) * AMPERES
        charge = charges(p, MAP(volts)[matrix], duration) * AMPERES * SECONDS
    return SlotData(active, owner, current, volts), ChargeData(duration * SECONDS, matrix, charge)


@pytest.fixture(scope="module")
def programmed():
    return fit_programmed(*programmed_data(12), time_scale=SECONDS)


def held_out(rows=8, columns=5):
    generator = torch.Generator().manual_seed(99)
    volts = 1.1 + 0.2 * torch.rand(1, rows, columns, generator=generator, dtype=torch.float64)
    return volts, random_duration(30, rows, seed=7)


def test_programmed_fit_predicts_unseen_cells_and_durations(programmed):
    volts, duration = held_out()
    truth = charges(fitted(**TRUTH), MAP(volts), duration) * AMPERES
    given = charges(unflatten(programmed.shared), programmed.state_map(volts), duration) * programmed.current_scale
    assert decibels(truth, given) >= 80
    assert decibels(truth - truth.mean(0), given - truth.mean(0)) >= 75


def test_programmed_fit_carries_to_a_larger_array(programmed):
    volts, duration = held_out(rows=16, columns=8)
    truth = charges(fitted(**TRUTH), MAP(volts), duration) * AMPERES
    given = charges(unflatten(programmed.shared), programmed.state_map(volts), duration) * programmed.current_scale
    assert decibels(truth, given) >= 75


def test_programmed_fit_finds_the_edge_time(programmed):
    assert float(programmed.shared[positions("edge_time")]) == pytest.approx(0.002, rel=0.05, abs=0)


def test_a_fit_takes_the_lines_that_the_design_knows():
    ohms = {name: math.exp(FITTED[f"log_{name}"]) * 0.025 / AMPERES for name in ("switch", "bit_line", "driver")}
    lines = Lines(**ohms, word_line=0.0, read_voltage=25 * 0.025, thermal_voltage=0.025)
    fit = fit_programmed(*programmed_data(4), SECONDS, lines)
    for name in ("switch", "bit_line"):
        found = math.exp(float(fit.shared[positions(f"log_{name}")])) * 0.025 / fit.current_scale
        assert found == pytest.approx(ohms[name], rel=5e-3, abs=0)
    assert float(fit.shared[positions("drain_limit")]) == pytest.approx(25, rel=1e-3, abs=0)


def test_programmed_standard_errors_are_positive_and_shrink_with_more_data(programmed):
    few = fit_programmed(*programmed_data(4), time_scale=SECONDS).solution
    many = programmed.solution
    assert bool((many.standard_error.shared > 0).all())
    ratio = (many.standard_error.shared / many.sigma) / (few.standard_error.shared / few.sigma)
    # the residual's size differs from fit to fit, so compare what the data add; drain_limit is all prior in both
    assert float(ratio.median()) < 0.7


def test_programmed_fit_refuses_currents_without_a_positive_one():
    slots, totals = programmed_data(4)
    with pytest.raises(ValueError, match="none is positive"):
        fit_programmed(SlotData(slots.active, slots.matrix, -slots.current, slots.volts), totals, SECONDS)


def measured_data(count, rows=10, columns=4, noise=0.0):
    state, duration = random_state(rows, columns, seed=1), random_duration(count, rows, seed=count)
    with torch.no_grad():
        charge = charges(fitted(), state[None], duration) * AMPERES * SECONDS
    generator = torch.Generator().manual_seed(3)
    spread = noise * charge.std() * torch.randn(charge.shape, generator=generator, dtype=torch.float64)
    return duration * SECONDS, charge + spread


@pytest.fixture(scope="module")
def measured():
    return fit_measured(*measured_data(60), time_scale=SECONDS)


def predicted_charge(fit, duration):
    q = charges(unflatten(fit.shared), fit.state[None], duration / SECONDS)
    return q * fit.current_scale * SECONDS


def test_measured_fit_predicts_unseen_durations(measured):
    duration, truth = measured_data(41)
    assert decibels(truth, predicted_charge(measured, duration)) >= 75


def test_measured_fit_extracts_one_hot_currents_that_it_never_saw(measured):
    one_hot = torch.eye(10, dtype=torch.float64) * SECONDS
    truth = charges(fitted(), random_state(10, 4, seed=1)[None], one_hot / SECONDS) * AMPERES * SECONDS
    relative = ((predicted_charge(measured, one_hot) - truth).abs() / truth).median()
    assert float(relative) < 1e-3


def test_measured_fit_gives_every_state_an_error(measured):
    assert measured.state.shape == measured.state_error.shape == (10, 4)
    assert bool((measured.state_error > 0).all())


def test_measured_state_errors_shrink_with_more_data():
    errors = [fit_measured(*measured_data(n, 4, 2, noise=1e-3), time_scale=SECONDS).state_error for n in (20, 160)]
    assert float(errors[1].median()) < float(errors[0].median())


def test_measured_fit_refuses_charges_that_are_all_zero():
    duration, charge = measured_data(20)
    with pytest.raises(ValueError, match="all are zero"):
        fit_measured(duration, 0 * charge, SECONDS)


def test_measured_fit_takes_charges_of_either_sign():
    duration, charge = measured_data(20)
    plus, minus = fit_measured(duration, charge, SECONDS), fit_measured(duration, -charge, SECONDS)
    assert minus.current_scale == -plus.current_scale
    torch.testing.assert_close(minus.state, plus.state)


def test_fits_leave_the_number_of_threads_as_it_was():
    before = torch.get_num_threads()
    with pytest.raises(RuntimeError), one_thread_each():
        assert torch.get_num_threads() == 1
        raise RuntimeError
    assert torch.get_num_threads() == before


# --- derivatives ------------------------------------------------------------------------------------------------


def half_square(problem, at):
    return 0.5 * float(problem.residual(at).square().sum())


def test_gradient_of_the_measured_problem(monkeypatch):
    for module in (common_module, measured_module):
        monkeypatch.setattr(module, "FIT_PRECISION", EXACT)
    duration, charge = measured_data(15, 4, 3)
    time, measured = duration / SECONDS, charge / (AMPERES * SECONDS)
    at = Unknowns(fitted_flat(log_switch=-0.8), random_state(4, 3, seed=6))
    problem = measured_module._problem(time, measured, at)
    linear = problem.linearise(at)
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        shared = 1e-4 * torch.randn(at.shared.shape, generator=generator, dtype=torch.float64)
        local = 1e-4 * torch.randn(at.local.shape, generator=generator, dtype=torch.float64)
        plus, minus = (Unknowns(at.shared + s * shared, at.local + s * local) for s in (1, -1))
        expected = 0.5 * (half_square(problem, plus) - half_square(problem, minus))
        given = float((linear.gradient.shared * shared).sum() + (linear.gradient.local * local).sum())
        assert given == pytest.approx(expected, rel=1e-5, abs=0)


def test_gradient_at_the_fits_own_precision_is_close():
    duration, charge = measured_data(15, 4, 3)
    at = Unknowns(fitted_flat(log_switch=-0.8), random_state(4, 3, seed=6))
    problem = measured_module._problem(duration / SECONDS, charge / (AMPERES * SECONDS), at)
    linear = problem.linearise(at)
    generator = torch.Generator().manual_seed(0)
    local = 1e-3 * torch.randn(at.local.shape, generator=generator, dtype=torch.float64)
    plus, minus = (Unknowns(at.shared, at.local + s * local) for s in (1, -1))
    expected = 0.5 * (half_square(problem, plus) - half_square(problem, minus))
    assert float((linear.gradient.local * local).sum()) == pytest.approx(expected, rel=1e-2, abs=0)


def test_work_in_pieces_gives_the_same_linearisation(monkeypatch):
    duration, charge = measured_data(15, 4, 3)
    at = Unknowns(fitted_flat(), random_state(4, 3, seed=6))
    whole = measured_module._problem(duration / SECONDS, charge / (AMPERES * SECONDS), at).linearise(at)
    monkeypatch.setattr(common_module, "CHUNK_ELEMENTS", 4 * 4 * 3 * 4)
    pieces = measured_module._problem(duration / SECONDS, charge / (AMPERES * SECONDS), at).linearise(at)
    torch.testing.assert_close(pieces.residual, whole.residual, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(pieces.gradient.shared, whole.gradient.shared, rtol=1e-2, atol=1e-4)
    torch.testing.assert_close(pieces.jacobian_local, whole.jacobian_local, rtol=1e-2, atol=1e-4)


def test_jacobians_against_finite_differences():
    p, state, duration = fitted_flat(), random_state(6, 4, 3), random_duration(6, 4)

    def evaluate(parameters, states):
        return charges(parameters, states, duration)

    y, by_shared, by_state, *_ = jacobians(p, state, evaluate, 3, torch.ones_like)
    step = 1e-4
    for k in (0, 3, 8, 17, 20):
        shift = torch.zeros_like(p)
        shift[k] = step
        slope = (evaluate(unflatten(p + shift), state) - evaluate(unflatten(p - shift), state)) / (2 * step)
        # a copy per column leaves out what a column's copy does to the others through their word lines
        torch.testing.assert_close(by_shared[..., k], slope, rtol=2e-2, atol=1e-4 * float(y.abs().max()))
    shift = torch.zeros_like(state)
    shift[:, 2, 1] = step
    slope = (evaluate(unflatten(p), state + shift) - evaluate(unflatten(p), state - shift)) / (2 * step)
    torch.testing.assert_close(by_state[:, 2, 1], slope[:, 1], rtol=2e-2, atol=1e-4 * float(y.abs().max()))
