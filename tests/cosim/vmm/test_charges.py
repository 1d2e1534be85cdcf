"""The rule that integrates cell currents: exact where it should be, of fourth order, untroubled by corners."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.vmm.charges import quadrature

EDGE = 1.0
BEGIN = np.array([2.0, 7.0])


def _times(rng, count):
    corners = np.concatenate([[0.0, 12.0], BEGIN, BEGIN + EDGE])
    return np.unique(np.concatenate([corners, rng.uniform(0, 12, count)]))


def _error(per_unit, function, exact):
    time = np.unique(np.concatenate([np.linspace(0, 12, 12 * per_unit + 1), BEGIN, BEGIN + EDGE]))
    return abs(quadrature(time, BEGIN, EDGE) @ function(time) - exact)


@given(seed=st.integers(0, 1000), slope=st.floats(-3, 3))
def test_straight_lines_between_corners_are_exact(seed, slope):
    time = _times(np.random.default_rng(seed), 30)
    ramp = np.interp(time, [2, 3, 7, 8], [0, 1, 1, 0]) + slope * time
    assert quadrature(time, BEGIN, EDGE) @ ramp == pytest.approx(5 + 72 * slope, abs=1e-9)


def test_parabolas_are_exact_where_every_step_has_a_neighbour():
    time = np.array([0, 0.5, 2, 2.2, 2.7, 3, 3.1, 3.5, 7, 7.1, 7.6, 8, 9, 12])
    assert quadrature(time, BEGIN, EDGE) @ time**2 == pytest.approx(12**3 / 3, rel=1e-12, abs=0)


def test_it_beats_the_trapezoidal_rule_by_orders():
    function = np.exp
    exact = np.exp(12) - 1
    errors = [_error(k, function, exact) for k in (4, 8, 16)]
    assert errors[0] > 6 * errors[1] > 36 * errors[2]
    time = np.linspace(0, 12, 16 * 12 + 1)
    assert errors[2] < abs(np.trapezoid(function(time), time) - exact) / 30


def test_a_kink_at_a_corner_costs_nothing():
    exact = 0.5 + 4 + 0.5
    assert _error(10, lambda t: np.interp(t, [2, 3, 7, 8], [0, 1, 1, 0]), exact) < 1e-12
