"""Pulse widths: 0 or between t_edge and t_max, one for every word line."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from netlists.circuits.stimulus import check_durations, t_start, t_stop
from netlists.errors import InputError

ROWS = 4
allowed = st.one_of(st.just(0.0), st.floats(1e-9, 200e-9))


@given(duration=arrays(float, st.tuples(st.integers(0, 3), st.just(ROWS)), elements=allowed))
def test_durations_in_range_pass_unchanged(make_design, duration):
    assert np.array_equal(check_durations(make_design(ROWS, 2), duration), duration)


@given(row=st.integers(0, ROWS - 1), value=st.floats().filter(lambda t: t != 0 and not 0.999e-9 < t < 200.1e-9))
def test_durations_out_of_range_are_refused_by_index(make_design, row, value):
    duration = np.zeros(ROWS)
    duration[row] = value
    with pytest.raises(InputError, match=rf"duration\[{row}\].*t_edge.*t_max"):
        check_durations(make_design(ROWS, 2), duration)


@pytest.mark.parametrize("shape", [(ROWS + 1,), (ROWS, 1), (1, ROWS, 2), ()])
def test_one_duration_for_every_row(make_design, shape):
    with pytest.raises(InputError, match="word lines"):
        check_durations(make_design(ROWS, 2), np.zeros(shape))


def test_every_code_of_the_read_resolution_is_allowed(make_design):
    design = make_design(16, 1, read={"t_max": "1 us", "bits": 8})
    codes = np.arange(256).reshape(-1, 16)
    check_durations(design, codes * (design.read.t_max / 255))


def test_a_transient_holds_the_longest_pulse_and_its_edges(make_design):
    design = make_design()
    assert t_start(design) > 0
    assert t_stop(design) > t_start(design) + design.read.t_max + 3 * design.read.t_edge
