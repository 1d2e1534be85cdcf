"""States extracted from synthetic charges of the reference model, and their standard errors."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic import decibels, random_duration, random_state, surrogate

from surrogate.errors import InputError
from surrogate.extraction import extract_states, prior_states
from surrogate.parameters import SIZE, positions

ROWS, COLUMNS, SECONDS = 6, 4, 1e-6
NOISE = 1e-15
"""C; full scale is 1e-12 C."""


def measured(count, noise=0.0, seed=1, **changes):
    """Durations and charges of an array that differs from the surrogate by ``changes``, and its states."""
    state, duration = random_state(ROWS, COLUMNS, seed=seed), random_duration(count + 1, ROWS, seed=seed)[:-1].numpy()
    charge = surrogate(ROWS, COLUMNS, **changes).charge(duration * SECONDS, state)
    return duration * SECONDS, charge + noise * np.random.default_rng(seed).normal(size=charge.shape), state


def test_as_many_exact_measurements_as_rows_tell_the_states():
    duration, charge, state = measured(ROWS + 2)
    found = extract_states(surrogate(ROWS, COLUMNS), duration, charge)
    held_out = random_duration(30, ROWS, seed=9).numpy() * SECONDS
    truth, predicted = (torch.from_numpy(surrogate().charge(held_out, u)) for u in (state, found.states.mean))
    assert decibels(truth, predicted) > 50
    assert bool(((found.states.mean - state).abs() < 2 * found.state_error).all())
    assert found.misfit < 0.1


def test_standard_errors_are_those_of_repeated_experiments():
    z = []
    for seed in range(4):
        duration, charge, state = measured(16, NOISE, seed)
        found = extract_states(surrogate(ROWS, COLUMNS), duration, charge, NOISE)
        z.append((found.states.mean - state) / found.state_error)
    z = torch.stack(z)
    assert 0.8 < float(z.square().mean().sqrt()) < 1.2
    assert 0.9 < float((z.abs() < 2).double().mean()) < 0.99


def test_cells_that_no_measurement_reaches_stay_as_uncertain_as_before():
    state = random_state(ROWS, COLUMNS)
    duration = np.eye(ROWS)[: ROWS // 2] * SECONDS
    found = extract_states(surrogate(), duration, surrogate().charge(duration, state))
    prior = prior_states(surrogate(), ROWS, COLUMNS).standard_error
    assert float(found.state_error[: ROWS // 2].max()) < 0.1
    torch.testing.assert_close(found.state_error[ROWS // 2 + 2 :], prior[ROWS // 2 + 2 :], rtol=1e-2, atol=0)


def test_charges_of_either_sign():
    duration, charge, _ = measured(12)
    negative = replace(surrogate(ROWS, COLUMNS), current_scale=-1e-6)
    found = [extract_states(s, duration, sign * charge) for s, sign in ((surrogate(), 1), (negative, -1))]
    torch.testing.assert_close(found[0].states.mean, found[1].states.mean)


def test_an_array_of_another_layout_shows_in_the_misfit_and_widens_the_errors():
    duration, charge, _ = measured(24)
    right = extract_states(surrogate(ROWS, COLUMNS), duration, charge)
    duration, charge, _ = measured(24, kappa=[[-0.07, -1.04, -0.27, -0.07], [-0.07, -0.27, -1.04, -0.07]])
    wrong = extract_states(surrogate(ROWS, COLUMNS), duration, charge)
    assert right.misfit < 1 < 5 < wrong.misfit
    assert float(wrong.state_error.median()) > 3 * float(right.state_error.median())


def test_the_surrogates_own_uncertainty_is_part_of_the_standard_errors():
    duration, charge, state = measured(24, log_specific_current=-1.79)
    exact = surrogate(ROWS, COLUMNS)
    covariance = torch.zeros(SIZE + 4, SIZE + 4, dtype=torch.float64)
    at = positions("log_specific_current").start
    covariance[at, at] = 0.01**2
    uncertain = replace(exact, covariance=covariance)
    error = (extract_states(exact, duration, charge).states.mean - state).abs()
    trusting, wary = (extract_states(s, duration, charge).state_error for s in (exact, uncertain))
    assert float((error < 2 * trusting).double().mean()) < 0.5
    assert float((error < 2 * wary).double().mean()) > 0.9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"charge": np.zeros((3, COLUMNS))}, "give \\[n, rows\\]"),
        ({"charge": np.full((10, COLUMNS), np.nan)}, "not finite"),
        ({"duration": np.full((10, ROWS), 2e-6)}, "beyond the surrogate's domain"),
        ({"noise": -1.0}, "noise -1 C"),
        ({"surrogate": replace(surrogate(), kind="linear")}, "resistive"),
    ],
)
def test_unusable_input_is_refused(change, message):
    duration, charge, _ = measured(10)
    given = {"surrogate": surrogate(), "duration": duration, "charge": charge, **change}
    with pytest.raises(InputError, match=message):
        extract_states(**given)
