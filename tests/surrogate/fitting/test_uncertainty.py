"""Intervals of predicted charges: what they cover, how they grow, what they are made of."""

import dataclasses

import numpy as np
import pytest
import torch

from surrogate.errors import InputError
from surrogate.files import load_surrogate, save_surrogate
from surrogate.fitting.calibration import calibrated_covariance
from surrogate.fitting.programmed import ChargeData, SlotData, fit_programmed
from surrogate.fitting.uncertainty import BINS, INTERVAL, coverage, derivatives
from surrogate.model import charges, pattern_currents
from surrogate.parameters import unflatten
from surrogate.slots import adaptive_slots
from surrogate.state_map import MAP_TERMS, StateMap
from tests.surrogate.synthetic import fitted_flat, random_duration, surrogate

AMPERES, SECONDS = 1e-6, 1e-6
MAP = StateMap(torch.tensor([-1.0, 1.8, -0.1, 0.02], dtype=torch.float64), 1.2, 0.07)
MISMATCH = 0.01
"""Standard deviation of what the model does not know: every cell's state, in units of state."""


def test_coverage_of_errors_with_the_right_sigma():
    rng = np.random.default_rng(0)
    truth, sigma = rng.uniform(1, 2, (400, 50)), rng.uniform(0.01, 0.1, (400, 50))
    predicted = truth + sigma * rng.normal(size=truth.shape)
    result = coverage(truth, predicted, sigma)
    assert result.held == pytest.approx(0.95, abs=0.005)
    assert result.z_rms == pytest.approx(1, abs=0.02) and result.z_mean == pytest.approx(0, abs=0.02)
    assert len(result.histogram) == len(BINS) + 1 and sum(result.histogram) == pytest.approx(1)
    assert result.histogram[3] == pytest.approx(0.341, abs=0.02) and result.count == truth.size
    assert result.relative_width == pytest.approx(INTERVAL * sigma.mean() / np.sqrt((truth**2).mean()))


@pytest.mark.parametrize(("factor", "held"), [(0.5, 0.673), (2.0, 0.9999)])
def test_coverage_shows_a_wrong_sigma(factor, held):
    error = np.random.default_rng(1).normal(size=(200, 100))
    result = coverage(np.ones_like(error), 1 + error, np.full_like(error, factor))
    assert result.held == pytest.approx(held, abs=0.01) and result.z_rms == pytest.approx(1 / factor, rel=0.02, abs=0)


def array(seed, count, rows, columns=4):
    """Programmed voltages [count, N, M] and the states that mismatched cells really have."""
    generator = torch.Generator().manual_seed(seed)
    volts = 1.08 + 0.24 * torch.rand(count, rows, columns, generator=generator, dtype=torch.float64)
    return volts, MAP(volts) + MISMATCH * torch.randn(volts.shape, generator=generator, dtype=torch.float64)


@pytest.fixture(scope="module")
def mismatched():
    """A surrogate with calibrated intervals, fitted to 6 runs of three 10x4 arrays of mismatched cells."""
    rows, truth = 10, unflatten(fitted_flat())
    volts, state = array(0, 3, rows)
    matrix = torch.arange(6) % 3
    generator = torch.Generator().manual_seed(7)
    spread = torch.arange(1, rows + 1, dtype=torch.float64) / rows
    duration = torch.stack([spread[torch.randperm(rows, generator=generator)] for _ in matrix])
    slots = adaptive_slots(duration)
    active, owner = slots.active.reshape(-1, rows), matrix.repeat_interleave(rows)
    with torch.no_grad():
        current = SlotData(active, owner, pattern_currents(truth, state[owner], active) * AMPERES, volts)
        charge = charges(truth, state[matrix], duration) * AMPERES * SECONDS
    totals = ChargeData(duration * SECONDS, matrix, charge)
    fit = fit_programmed(current, totals, SECONDS)
    return dataclasses.replace(
        surrogate(rows=rows, columns=4),
        shared=fit.shared,
        state_map=fit.state_map,
        current_scale=fit.current_scale,
        covariance=calibrated_covariance(fit, current, totals, SECONDS),
    )


def held_out(mismatched, rows, seed):
    """Coverage on 16 VMMs, each of unseen mismatched cells of ``rows`` rows."""
    volts, state = array(seed, 16, rows)
    time = random_duration(17, rows, seed)[:-1]
    with torch.no_grad():
        truth = (charges(unflatten(fitted_flat()), state, time) * AMPERES * SECONDS).numpy()
    duration, given = time.numpy() * SECONDS, mismatched.states(volts.numpy())
    return coverage(truth, mismatched.extrapolated(duration, given), mismatched.charge_sigma(duration, given))


@pytest.mark.parametrize("rows", [10, 32])
def test_intervals_hold_on_unseen_cells_of_more_rows(mismatched, rows):
    result = held_out(mismatched, rows, seed=rows)
    assert result.held >= 0.75 and 0.2 <= result.z_rms <= 1.8  # one draw: errors of one fit are common to its charges


def test_sigma_grows_with_rows_beyond_those_of_the_fit(mismatched):
    widths = [held_out(mismatched, rows, seed=1).relative_width for rows in (10, 20, 32)]
    assert widths[0] < widths[1] < widths[2]


def test_the_covariance_is_symmetric_and_positive(mismatched):
    assert torch.allclose(mismatched.covariance, mismatched.covariance.T)
    assert bool((torch.linalg.eigvalsh(mismatched.covariance) > 0).all())


def test_sigma_of_one_loose_parameter_is_what_it_moves():
    plain = surrogate()
    shared_size = len(plain.shared)
    for k in (0, 8, shared_size - 1, shared_size + 1):
        covariance = torch.zeros(shared_size + MAP_TERMS, shared_size + MAP_TERMS, dtype=torch.float64)
        covariance[k, k] = 1e-10
        state = plain.states(np.random.default_rng(k).uniform(0.42, 0.58, (8, 6)))
        duration = random_duration(5, 8).numpy() * SECONDS
        sigma = dataclasses.replace(plain, covariance=covariance).charge_sigma(duration, state)
        moved = [_shifted(plain, k, step).charge(duration, _state(plain, state, k, step)) for step in (1e-5, -1e-5)]
        assert np.allclose(sigma, abs(moved[0] - moved[1]) / 2, rtol=0.05, atol=1e-3 * sigma.max())


def _shifted(plain, k, step):
    if k >= len(plain.shared):
        return plain
    shared = plain.shared.clone()
    shared[k] += step
    return dataclasses.replace(plain, shared=shared)


def _state(plain, state, k, step):
    if k < len(plain.shared):
        return state
    t = (plain.state_map.inverse(state) - plain.state_map.centre) / plain.state_map.unit
    return state + step * t ** (k - len(plain.shared))


def test_derivatives_by_the_state_map_come_with_those_by_the_parameters():
    plain = surrogate(rows=4, columns=3)
    volts = torch.full((2, 4, 3), 0.5, dtype=torch.float64)
    y, by = derivatives(plain.shared, plain.state_map, volts, lambda p, u: u.sum(1) + 0 * p.edge_time.sum(-2))
    assert y.shape == (2, 3) and by.shape == (2, 3, len(plain.shared) + MAP_TERMS)
    assert (
        by[..., len(plain.shared)].tolist() == [[4.0] * 3] * 2 and float(by[..., : len(plain.shared)].abs().max()) == 0
    )


def test_a_surrogate_keeps_its_covariance_in_its_file(mismatched, tmp_path):
    path = tmp_path / "array.safetensors"
    save_surrogate(mismatched, path)
    assert torch.equal(load_surrogate(path).covariance, mismatched.covariance)


def test_no_intervals_without_a_covariance_or_outside_the_domain(mismatched):
    state = surrogate().states(np.full((8, 6), 0.5))
    with pytest.raises(InputError, match="no calibrated covariance: fit it again"):
        surrogate().charge_sigma(np.full((2, 8), 1e-7), state)
    with pytest.raises(InputError, match="domain"):
        mismatched.charge_sigma(np.full((2, 8), 2e-6), state)
