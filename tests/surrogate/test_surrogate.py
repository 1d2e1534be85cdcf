"""The surrogate object: domain, trust, physical units."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic import PASSED, fitted, random_duration, random_state, surrogate

from surrogate.errors import InputError
from surrogate.model import charges
from surrogate.surrogate import Domain, ideal_weights

DOMAIN = Domain(1e-9, 1e-6, -4.0, 2.0, 8, 6)


@pytest.mark.parametrize("widths", [[0.0, 1e-6], [1e-6 * (1 + 1e-7), 0.0], [0.0, 0.0], [1e-9, 5e-7]])
def test_durations_in_the_domain(widths):
    DOMAIN.check_duration(np.array([widths]))


@pytest.mark.parametrize(
    ("widths", "message"),
    [([1.1e-6, 0.0], "beyond"), ([-1e-9, 0.0], "negative"), ([np.nan, 0.0], "not finite"), ([np.inf, 0], "not finite")],
)
def test_durations_outside_the_domain(widths, message):
    with pytest.raises(InputError, match=message):
        DOMAIN.check_duration(np.array([widths]))
    with pytest.raises(InputError, match=message):
        surrogate(2, 3).charge(np.array([widths]), random_state(2, 3))


@pytest.mark.parametrize("state", [-4.2, 0.0, 2.2])
def test_states_in_the_domain(state):
    DOMAIN.check_state(torch.tensor([[0.0, state]]))


@pytest.mark.parametrize("state", [-4.3, 2.3, float("nan"), float("inf"), -float("inf")])
def test_states_outside_the_domain(state):
    with pytest.raises(InputError, match="domain"):
        DOMAIN.check_state(torch.tensor([[0.0, state]]))


@pytest.mark.parametrize("shift", [10.0, -10.0, float("nan")])
def test_charges_of_states_outside_the_domain_are_refused_unless_asked_for(shift):
    s, duration, state = surrogate(2, 3), np.full((1, 2), 5e-7), random_state(2, 3)
    with pytest.raises(InputError, match="domain"):
        s.charge(duration, state + shift)
    if shift == shift:
        assert np.isfinite(s.extrapolated(duration, state + shift)).all()
    np.testing.assert_array_equal(s.extrapolated(duration, state), s.charge(duration, state))


@pytest.mark.parametrize(
    ("duration", "state"),
    [((2, 3), (2, 3)), ((2,), (2, 3)), ((2, 2), (3, 2, 3)), ((0, 2), (2, 3)), ((1, 2), (2, 0)), ((1, 2), (2,))],
)
def test_shapes_that_do_not_fit_are_refused(duration, state):
    with pytest.raises(InputError):
        surrogate(2, 3).charge(np.full(duration, 5e-7), random_state(*state))


def test_charges_that_are_not_finite_are_refused():
    huge = replace(surrogate(2, 3), current_scale=1.7e308, time_scale=1e-9)
    with pytest.raises(InputError, match="not finite"):
        huge.charge(np.full((1, 2), 1e-6), torch.full((2, 3), 2.0, dtype=torch.float64))


def test_unknown_effects_are_refused():
    with pytest.raises(InputError, match="'gravity' is none of crosstalk"):
        surrogate(2, 3).charge(np.full((1, 2), 5e-7), random_state(2, 3), ("gravity",))


def test_only_a_passed_cross_validation_is_trusted():
    surrogate(report=PASSED).require_passed()
    with pytest.raises(InputError, match=r"not validated: run 'fgcosim validate'"):
        surrogate(report=None).require_passed()
    with pytest.raises(InputError, match=r"failed its cross-validation \(ser, ser_centred\)"):
        surrogate(report={"passed": False, "failed": ["ser", "ser_centred"]}).require_passed()
    with pytest.raises(InputError, match="unknown"):
        surrogate(report={}).require_passed()


def test_with_report_leaves_the_original_alone():
    plain = surrogate(report=None)
    validated = plain.with_report(PASSED)
    validated.require_passed()
    assert plain.report is None
    assert torch.equal(plain.shared, validated.shared)


def test_charges_in_coulombs():
    s, state, duration = surrogate(6, 4), random_state(6, 4), random_duration(7, 6)
    expected = charges(fitted(), state[None], duration).numpy() * 1e-12
    np.testing.assert_allclose(s.charge(duration.numpy() * 1e-6, state), expected, rtol=1e-9)
    several = state.expand(7, 6, 4)
    np.testing.assert_allclose(s.charge(duration.numpy() * 1e-6, several), expected, rtol=1e-9)
    no_drop = charges(fitted().without("bit_line_drop"), state[None], duration).numpy() * 1e-12
    np.testing.assert_allclose(s.charge(duration.numpy() * 1e-6, state, ("bit_line_drop",)), no_drop, rtol=1e-9)


def test_one_hot_currents_are_charges_of_single_pulses():
    s, states = surrogate(6, 4, edge_time=0.0), random_state(3, 6, 4)
    given = s.one_hot_current(states)
    assert given.shape == (3, 6, 4)
    for state, currents in zip(states, given, strict=True):
        np.testing.assert_allclose(s.charge(1e-6 * np.eye(6), state) / 1e-6, currents.numpy(), rtol=1e-7)


def test_a_measured_array_has_no_map_from_voltages():
    programmed = surrogate()
    assert programmed.states(np.full((2, 2), 0.5)).tolist() == [[-1.0, -1.0], [-1.0, -1.0]]
    measured = type(programmed)(
        shared=programmed.shared,
        shared_error=programmed.shared_error,
        current_scale=1e-6,
        time_scale=1e-6,
        domain=DOMAIN,
        state=random_state(8, 6),
    )
    with pytest.raises(InputError, match="no map from voltages"):
        measured.states(np.zeros((8, 6)))


def test_ideal_weights_of_measured_data():
    weights = np.array([[1.0, 2.0], [3.0, 4.0]]) * 1e-7
    duration = np.array([[1e-6, 0.0], [0.0, 1e-6], [1e-6, 5e-7]])
    hot, least_squares = ideal_weights(duration, duration @ weights)
    np.testing.assert_allclose(hot.numpy(), weights, rtol=1e-12)
    np.testing.assert_allclose(least_squares.numpy(), weights, rtol=1e-9)
    assert ideal_weights(duration[1:], duration[1:] @ weights)[0] is None
