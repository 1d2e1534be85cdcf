"""Scores by hand-computed examples, and the ideal VMMs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surrogate.ideal import least_squares_weights, one_hot_weights
from surrogate.scores import decibel, score


def test_decibels_by_hand():
    assert decibel(np.array([[3.0, 4.0]]), np.array([[3.3, 4.4]])) == pytest.approx(20.0)
    assert decibel(np.array([[1.0], [1.0]]), np.array([[1.0], [0.0]])) == pytest.approx(3.0103, abs=1e-4)
    assert decibel(np.array([[1.0]]), np.array([[2.0]])) == pytest.approx(0.0)


def test_a_perfect_prediction_has_300_decibels():
    truth = np.array([[1e-15, 2e-15], [3e-15, -4e-15]])
    assert score(truth, truth).as_dict() == {
        "ser_db": 300.0, "ser_centred_db": 300.0, "ser_worst_column_db": 300.0, "median_cell_error": None,
    }  # fmt: skip
    assert decibel(np.zeros((2, 2)), np.zeros((2, 2))) == 300.0


def test_an_error_where_there_is_no_signal_is_bad_and_finite():
    assert decibel(np.zeros((2, 2)), np.ones((2, 2))) == -300


def test_not_a_number_never_looks_good():
    assert not decibel(np.ones((2, 1)), np.array([[1.0], [np.nan]])) >= 0


def test_centred_and_worst_column_by_hand():
    truth = np.array([[10.0, 1.0], [12.0, 3.0]])  # both columns vary by ±1 about 11 and 2
    predicted = truth + np.array([[0.1, 0.1], [-0.1, 0.1]])
    scores = score(truth, predicted)
    assert scores.ser_centred_db == pytest.approx(20.0)
    assert scores.ser_worst_column_db == pytest.approx(10 * np.log10(5.0 / 0.01))
    assert scores.ser_db == pytest.approx(10 * np.log10((100 + 144 + 1 + 9) / 4 / 0.01))


def test_a_constant_error_counts_in_the_centred_score_too():
    truth = np.array([[10.0], [12.0]])
    assert score(truth, truth + 1).ser_centred_db == pytest.approx(0.0)


def test_median_error_of_cells():
    truth = np.ones((2, 2))
    cells = np.array([[1.0, 2.0, -4.0]])
    scores = score(truth, truth, cells, cells * np.array([1.01, 0.9, 1.3]))
    assert scores.median_cell_error == pytest.approx(0.1)


@given(st.floats(1e-20, 1e20), st.floats(1e-6, 1.0))
def test_decibels_do_not_depend_on_the_unit(unit, error):
    truth = np.array([[1.0, -2.0], [0.5, 3.0]])
    predicted = truth + error * np.array([[1.0, 1.0], [-1.0, 1.0]])
    assert decibel(unit * truth, unit * predicted) == pytest.approx(decibel(truth, predicted), abs=1e-6)


WEIGHTS = np.array([[1.0, 2.0], [3.0, 0.5], [0.1, 4.0]]) * 1e-7


def test_one_hot_weights_are_exact_on_an_ideal_array():
    duration = np.diag([1e-6, 5e-7, 2e-7])
    np.testing.assert_allclose(one_hot_weights(duration, duration @ WEIGHTS), WEIGHTS, rtol=1e-12)


def test_one_hot_weights_use_single_pulses_only_and_average_by_charge():
    duration = np.array([[1e-6, 0, 0], [3e-6, 0, 0], [0, 1e-6, 0], [0, 0, 1e-6], [1e-6, 1e-6, 1e-6], [0, 0, 0]])
    charge = duration @ WEIGHTS
    charge[4] = 1.0  # a dense VMM says nothing here
    charge[0] += 4e-13
    weights = one_hot_weights(duration, charge)
    np.testing.assert_allclose(weights[0], WEIGHTS[0] + 1e-7, rtol=1e-9)
    np.testing.assert_allclose(weights[1:], WEIGHTS[1:], rtol=1e-12)


@pytest.mark.parametrize(
    "duration", [np.diag([1e-6, 1e-6, 0.0]), np.ones((5, 3)) * 1e-6, np.zeros((2, 3)), np.zeros((0, 3))]
)
def test_one_hot_weights_need_every_row_read_alone(duration):
    assert one_hot_weights(duration, duration @ WEIGHTS) is None


def test_least_squares_weights_are_exact_on_ideal_data():
    duration = np.random.default_rng(0).random((20, 3)) * 1e-6
    np.testing.assert_allclose(least_squares_weights(duration, duration @ WEIGHTS), WEIGHTS, rtol=1e-9)


def test_least_squares_weights_have_minimum_norm_where_undetermined():
    duration = np.array([[1e-6, 1e-6, 0.0]])
    weights = least_squares_weights(duration, np.array([[2e-13]]))
    np.testing.assert_allclose(weights, [[1e-7], [1e-7], [0.0]], atol=1e-16)
