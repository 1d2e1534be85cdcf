"""Patterns chosen by information: they must tell more than random ones and one-hot reads do."""

import numpy as np
import torch
from synthetic import random_state, surrogate

from surrogate.experiment import (
    _gradients,
    _neighbours,
    _posterior,
    candidate_patterns,
    choose_patterns,
    measure_and_extract,
)
from surrogate.extraction import charge_error, extract_states, prior_states
from surrogate.model import charges, pattern_currents
from surrogate.slots import adaptive_slots

ROWS, COLUMNS, NOISE = 6, 4, 1e-15
GENERATOR = torch.Generator


def rms_error(patterns):
    """Error of the charges predicted from states that noisy measurements of ``patterns`` told."""
    array, state, rng = surrogate(ROWS, COLUMNS), random_state(ROWS, COLUMNS, seed=3), np.random.default_rng(0)
    duration, held_out = patterns.numpy() * 1e-6, rng.random((20, ROWS)) * 1e-6
    exact, truth, errors = array.charge(duration, state), array.charge(held_out, state), []
    for _ in range(2):
        found = extract_states(array, duration, exact + NOISE * rng.normal(size=exact.shape), NOISE)
        errors.append(array.charge(held_out, found.states.mean) - truth)
    return float(np.sqrt(np.mean(np.square(errors))))


def test_chosen_patterns_tell_more_than_one_hot_reads_and_random_patterns():
    prior = prior_states(surrogate(), ROWS, COLUMNS)
    chosen = rms_error(choose_patterns(surrogate(), prior, ROWS, NOISE))
    random = candidate_patterns(ROWS, GENERATOR().manual_seed(5))
    random = random[torch.randperm(len(random), generator=GENERATOR().manual_seed(5))]
    assert chosen < 0.75 * rms_error(torch.eye(ROWS, dtype=torch.float64))
    assert chosen < 0.5 * rms_error(random[:ROWS])


def test_chosen_patterns_depend_on_nothing_but_their_arguments():
    prior = prior_states(surrogate(), ROWS, COLUMNS)
    first, again, other = (choose_patterns(surrogate(), prior, 4, NOISE, seed) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert first.shape == (4, ROWS) and set(first.unique().tolist()) <= {0.0, 1.0}


def test_each_batch_measures_what_is_still_open():
    array, state = surrogate(ROWS, COLUMNS), random_state(ROWS, COLUMNS, seed=4)
    steps = list(measure_and_extract(array, lambda t: array.charge(t, state), ROWS, COLUMNS, [3, 7]))
    assert [len(duration) for duration, _, _ in steps] == [3, 10]
    assert all(len(duration) == len(charge) for duration, charge, _ in steps)
    errors = [float(found.state_error.square().mean().sqrt()) for _, _, found in steps]
    assert errors[0] > 5 * errors[1]
    assert float((steps[-1][2].states.mean - state).abs().median()) < 0.01


def test_candidates_are_distinct_and_never_idle():
    pool = candidate_patterns(ROWS, GENERATOR().manual_seed(0))
    around = _neighbours(torch.eye(ROWS, dtype=torch.float64), GENERATOR().manual_seed(0))
    for patterns in (pool, around):
        assert len(patterns.unique(dim=0)) == len(patterns)
        assert bool(patterns.any(dim=1).all())
    assert len(around) == ROWS * (ROWS - 1) // 2  # two rows; flipping the only row leaves none


def test_posterior_is_the_inverse_of_the_summed_precision():
    g = torch.randn(3, 5, 4, generator=GENERATOR().manual_seed(0), dtype=torch.float64)
    prior = torch.eye(4, dtype=torch.float64).repeat(3, 1, 1) * 2.0
    torch.testing.assert_close(_posterior(prior, g), torch.linalg.inv(torch.linalg.inv(prior) + g.mT @ g))


def test_different_pulse_widths_tell_no_more_than_their_slots_patterns_at_full_length():
    array = surrogate(ROWS, COLUMNS, edge_time=0.0)
    state = random_state(ROWS, COLUMNS)[None]
    duration = torch.rand(5, ROWS, generator=GENERATOR().manual_seed(0), dtype=torch.float64)
    slots = adaptive_slots(duration)

    def scaled(inputs, engine):
        q, g = _gradients(array, state, inputs, engine)
        return g / charge_error(array, q, NOISE)[..., None]

    whole = scaled(duration, charges)
    parts = scaled(slots.active.reshape(-1, ROWS), pattern_currents).reshape(COLUMNS, 5, ROWS, ROWS)
    bound = torch.einsum("ns,cnsi,cnsk->cnik", slots.length, parts, parts)
    excess = torch.linalg.eigvalsh(bound - whole[..., :, None] * whole[..., None, :])
    assert float(excess.min()) > -1e-3 * float(bound.abs().max())
