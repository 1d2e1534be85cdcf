"""Timelines: which rows are active when, how rests are shortened, and that nothing of a pulse's width is lost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlists.circuits.stimulus import t_start
from netlists.circuits.timeline import bit_line_delay, pulse_timeline, settling_time, walk_timeline, word_line_delay

durations = st.lists(st.one_of(st.just(0.0), st.floats(1e-9, 200e-9)), min_size=4, max_size=4).map(np.array)


@given(duration=durations)
def test_every_row_is_active_for_its_duration(make_design, duration):
    timeline = pulse_timeline(make_design(4, 3), duration)
    lengths = np.diff(timeline.begin) + timeline.stretch[1:-1]
    assert timeline.active[1:-1].T.astype(float) @ lengths == pytest.approx(duration, abs=1e-18)


@given(duration=durations)
def test_rests_are_shortened_no_further_than_they_need_to_settle(make_design, duration):
    design = make_design(4, 3)
    timeline = pulse_timeline(design, duration)
    least = design.read.t_edge + settling_time(design)
    lengths = np.diff(timeline.begin)
    assert (timeline.stretch >= 0).all() and (np.diff(timeline.begin) > 0).all()
    assert (lengths <= least * (1 + 1e-12)).all()
    assert lengths[timeline.stretch[1:-1] > 0] == pytest.approx(least, rel=1e-6, abs=0)
    assert timeline.t_stop >= timeline.begin[-1] + least


def test_it_begins_and_ends_at_rest(make_design):
    design = make_design(4, 3)
    timeline = pulse_timeline(design, np.array([5e-9, 0, 20e-9, 5e-9]))
    assert not timeline.active[0].any() and not timeline.active[-1].any()
    assert timeline.active[1:3].tolist() == [[True, False, True, True], [False, False, True, False]]
    assert timeline.begin[0] == t_start(design)


def test_idle_rows_alone_give_an_empty_timeline(make_design):
    timeline = pulse_timeline(make_design(4, 3), np.zeros(4))
    assert not timeline.active.any() and timeline.stretch.tolist() == [0, 0]


def test_ramps_pass_from_begin_to_the_edges_end(make_design):
    timeline = pulse_timeline(make_design(4, 3), np.array([5e-9, 5.4e-9, 20e-9, 0]))
    ramps = timeline.ramps()
    assert ramps[0].tolist() == [0] * len(timeline.begin)
    assert ramps[-1] == pytest.approx(np.ones(len(timeline.begin)))
    for edge, begin in enumerate(timeline.begin):
        exact = np.interp(timeline.corners, [begin, begin + timeline.t_edge], [0, 1])
        assert ramps[:, edge] == pytest.approx(exact, abs=1e-9)


def test_a_walk_passes_through_its_patterns(make_design):
    active = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 0]], bool)
    timeline = walk_timeline(make_design(3, 2), active)
    assert (timeline.active == active).all()
    assert len(timeline.begin) == 3 and len(timeline.rest_end) == 4


@pytest.mark.parametrize(
    ("delay", "wires"), [(bit_line_delay, "switch_resistance"), (word_line_delay, "driver_resistance")]
)
def test_settling_grows_with_the_slowest_line(make_design, delay, wires):
    slow = make_design(8, 8, wires={wires: "1 Mohm"})
    assert delay(slow) > 100 * delay(make_design(8, 8))
    assert settling_time(slow) == pytest.approx(12 * delay(slow), rel=1e-6, abs=0)
