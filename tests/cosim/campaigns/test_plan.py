"""Sampling plans: valid durations, held-out cells that are held out, and the same plan from the same seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.campaigns.plan import (
    MIN_FIT_SLOTS,
    ROLES,
    PlanSize,
    random_cells,
    random_durations,
    standard_plan,
    unseen_plan,
)
from cosim.errors import InputError
from cosim.vmm.programming import ReadCurve
from netlists.circuits.stimulus import check_durations

CURVE = ReadCurve(state=np.array([0.8, 1.2, 1.6]), current=np.array([1e-9, 1e-7, 1e-6]))


def _network(design, count=20, seed=5):
    return np.random.default_rng(seed).choice([0.0, 20e-9, design.read.t_max], (count, design.array.rows))


@given(
    rows=st.integers(1, 300), columns=st.integers(1, 4), bits=st.integers(1, 7), seed=st.integers(0, 10_000),
    fit=st.integers(1, 6), matrices=st.integers(1, 6), patterns=st.integers(0, 5), weights=st.integers(1, 5),
)  # fmt: skip
def test_any_plan_can_be_simulated(make_design, rows, columns, bits, seed, fit, matrices, patterns, weights):
    design = make_design(rows, columns, read={"bits": bits})
    size = PlanSize(fit=fit, fit_matrices=matrices, patterns=patterns, weights=weights, network=3)
    plan = standard_plan(design, CURVE, seed, size, _network(design, 3))
    check_durations(design, plan.duration)
    assert plan.cells.shape[1:] == (rows, columns)
    assert len(plan) == len(plan.role) == len(plan.weights_index) == len(plan.duration)
    assert plan.weights_index.min() >= 0 and plan.weights_index.max() < len(plan.cells)
    assert set(plan.role) <= set(ROLES)
    assert (plan.duration > 0).any(axis=1).all()
    assert [plan.role.count(role) for role in ("patterns", "weights")] == [patterns, weights]
    assert plan.role.count("fit") >= fit
    assert plan.role.count("fit") * rows >= MIN_FIT_SLOTS


@pytest.fixture
def plan(make_design):
    """The default plan of a small design, with a network's durations."""
    design = make_design(5, 3)
    return standard_plan(design, CURVE, 1, network_duration=_network(design))


def _runs(plan, role):
    return np.array([k for k, r in enumerate(plan.role) if r == role])


def test_held_out_cells_are_unseen_by_the_fit(plan):
    seen = set(plan.weights_index[_runs(plan, "fit")])
    assert set(plan.weights_index[_runs(plan, "patterns")]) <= seen
    for role in ("weights", "network"):
        assert not set(plan.weights_index[_runs(plan, role)]) & seen


def test_fit_runs_pass_through_a_slot_for_every_row(plan, make_design):
    t_max = make_design().read.t_max
    for k in _runs(plan, "fit"):
        assert np.sort(plan.duration[k]) == pytest.approx(np.arange(1, 6) / 5 * t_max)
    assert len({tuple(plan.duration[k]) for k in _runs(plan, "fit")}) > 1


def test_one_hot_runs_read_every_row_of_matrix_0(plan, make_design):
    runs = _runs(plan, "one_hot")
    assert np.array_equal(plan.duration[runs], np.eye(5) * make_design().read.t_max)
    assert not plan.weights_index[runs].any()


def test_random_durations_are_codes_of_the_read_resolution(make_design):
    design = make_design(5, 3)
    codes = random_durations(np.random.default_rng(0), design, 50) / design.read.t_max * 15
    assert codes == pytest.approx(codes.round())
    assert (codes == 0).any() and (codes > 0).any(axis=1).all()


def test_network_runs_come_from_the_network(plan, make_design):
    given_rows = {tuple(row) for row in _network(make_design(5, 3))}
    runs = _runs(plan, "network")
    assert 0 < len(runs) <= PlanSize().network
    assert {tuple(plan.duration[k]) for k in runs} <= given_rows


@pytest.mark.parametrize(("rows", "read_rows"), [(40, 4), (3, 4), (1, 2)])
def test_an_unseen_plan_judges_only(make_design, rows, read_rows):
    design = make_design(rows, 2)
    plan = unseen_plan(design, CURVE, 3, 5, read_rows)
    check_durations(design, plan.duration)
    assert plan.cells.shape == (5, rows, 2)
    assert [plan.role.count(role) for role in ("weights", "one_hot")] == [5, min(rows, read_rows)]
    assert plan.weights_index[_runs(plan, "weights")].tolist() == list(range(5))  # every VMM has cells of its own
    alone = plan.duration[_runs(plan, "one_hot")] > 0
    assert (alone.sum(axis=1) == 1).all() and alone[0, 0] and alone[-1, -1]


def test_cells_lie_in_the_weight_range(make_design):
    design = make_design(8, 8)
    cells = random_cells(np.random.default_rng(0), design, CURVE, 20)
    limits = CURVE.state_for(np.array([design.weights.current_min, design.weights.current_max]))
    assert cells.shape == (20, 8, 8)
    assert (cells >= limits[0]).all() and (cells <= limits[1]).all()
    current = np.exp(np.interp(cells, CURVE.state, np.log(CURVE.current)))
    share = np.log(current / design.weights.current_min) / np.log(100)
    assert np.histogram(share, 4, (0, 1))[0] == pytest.approx([320] * 4, rel=0.2, abs=0)  # uniform in the logarithm


def test_the_seed_decides_the_plan(make_design):
    design = make_design(5, 3)
    one, same, other = (standard_plan(design, CURVE, seed) for seed in (1, 1, 2))
    assert np.array_equal(one.cells, same.cells) and np.array_equal(one.duration, same.duration)
    assert not np.array_equal(one.cells, other.cells)
    assert (one.seed, other.seed) == (1, 2)


def test_only_keeps_the_runs_of_a_role(plan):
    part = plan.only("weights", "one_hot")
    runs = np.sort(np.concatenate([_runs(plan, "weights"), _runs(plan, "one_hot")]))
    assert np.array_equal(part.duration, plan.duration[runs])
    assert np.array_equal(part.weights_index, plan.weights_index[runs])
    assert part.role == tuple(plan.role[k] for k in runs)
    assert np.array_equal(part.cells, plan.cells)


@pytest.mark.parametrize(("duration", "says"), [(np.zeros((4, 5)), "all are zero"), (np.zeros((0, 5)), "all are zero"),
                                                (np.ones((4, 6)), "shape"), (np.ones(5), "shape")])  # fmt: skip
def test_network_durations_that_do_not_fit_are_refused(make_design, duration, says):
    with pytest.raises(InputError, match=says):
        standard_plan(make_design(5, 3), CURVE, network_duration=duration)


def test_a_curve_that_does_not_reach_the_weights_is_refused(make_design):
    narrow = ReadCurve(state=np.array([0.8, 1.2]), current=np.array([1e-8, 1e-7]))
    with pytest.raises(InputError, match="change weights or cell"):
        standard_plan(make_design(5, 3), narrow)


def test_a_plan_without_unseen_weights_still_judges_a_networks_widths_on_unseen_cells(make_design):
    plan = standard_plan(make_design(3, 2), CURVE, size=PlanSize(weights=0), network_duration=np.full((4, 3), 1e-7))
    indices = {role: {k for k, r in zip(plan.weights_index, plan.role, strict=True) if r == role} for role in plan.role}
    assert "weights" not in indices and not indices["network"] & indices["fit"]
    assert max(indices["network"]) == len(plan.cells) - 1


@pytest.mark.parametrize("sizes", [{"fit": 0}, {"fit_matrices": 0}, {"weights": -1}, {"fit": 1.5}, {"patterns": 10**9}])
def test_senseless_sizes_are_refused(sizes):
    with pytest.raises(InputError, match=f"plan: {next(iter(sizes))} is "):
        PlanSize(**sizes)
