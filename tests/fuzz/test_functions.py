"""Public functions with values that do not belong: a usable result, or ``ValueError`` in one line."""

import math

import numpy as np
import torch
from fuzzing import altered_array, assert_finite, attempt, floats, fuzz, integers, odd, texts
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from readers import dataset, design, measured, surrogate

from cosim.campaigns.plan import PlanSize, random_durations, standard_plan, unseen_plan
from cosim.files.measurements import Measurements
from cosim.fitting.fit import fit_measurements
from cosim.run_folder.report import decibels, percent, seconds, si
from cosim.vmm.programming import ReadCurve
from netlists import quantity
from netlists.circuits.stimulus import check_durations
from netlists.design import Design
from netlists.graph import array_graph
from netlists.nodal import clamp_currents
from surrogate.analog import LayerSettings
from surrogate.analog.pulses import pulse_codes
from surrogate.analog.weights import encoding_of
from surrogate.extraction import extract_states
from surrogate.mapping import CurrentRange, inverse_curve, level_currents, program
from surrogate.scores import decibel
from surrogate.strict_json import parse_json

ROWS, COLUMNS = 4, 2
T_MAX = design().read.t_max
CURVE = ReadCurve(state=np.linspace(0.3, 0.7, 20), current=np.geomspace(1e-10, 1e-5, 20))
DIMENSIONS = [value for value in vars(quantity).values() if isinstance(value, quantity.Dimension)]


def _near(shape, low, high):
    """Arrays of which most entries lie in a range and some are odd."""
    usual = st.floats(low, high) | st.sampled_from([0.0, low, high])
    return arrays(np.float64, shape, elements=usual | usual | usual | floats)


def _states(shape=(ROWS, COLUMNS)):
    return _near(shape, -6.0, 6.0).map(torch.from_numpy)


@fuzz(100, st.tuples(st.sampled_from(DIMENSIONS), odd | st.tuples(floats.map(repr), texts).map("".join)))
def test_quantities(_, case):
    dimension, value = case
    attempt(dimension.parse, value)
    attempt(dimension.bounded, value)


@fuzz(30, st.tuples(st.sampled_from(DIMENSIONS), st.floats(-1e15, 1e15), st.sampled_from(sorted(quantity.PREFIXES))))
def test_quantities_that_are_well_written(_, case):
    dimension, number, prefix = case
    si_value = attempt(dimension.parse, f"{number!r} {prefix}{dimension.units[0]}")
    if si_value is not None and dimension.offset == 0:
        assert math.isclose(si_value, number * 10.0 ** quantity.PREFIXES[prefix], rel_tol=1e-12, abs_tol=1e-300)


@fuzz(30, st.tuples(st.sampled_from(["array", "read", "wires", "weights", "coupling"]), st.data()))
def test_designs_of_numbers(_, case):
    section, data = case
    tree = design().model_dump(mode="json")
    tree[section][data.draw(st.sampled_from(sorted(tree[section])))] = data.draw(odd)
    try:
        given = Design.model_validate(tree)
    except ValueError:  # pydantic's own, of many lines, of which design files show the first
        return
    assert_finite(given.model_dump())
    assert Design.model_validate(given.model_dump(mode="json")).hash == given.hash


@fuzz(50, _near((2, ROWS), 0, T_MAX) | array_shapes(min_dims=0, max_side=5).flatmap(lambda s: _near(s, 0, T_MAX)))
def test_durations(_, duration):
    checked = attempt(check_durations, design(), duration)
    assert checked is None or (checked.shape[-1] == ROWS and ((checked >= 0) & (checked <= T_MAX * 1.001)).all())


cells_of_any_kind = _near((ROWS, COLUMNS), 0.2, 0.8) | altered_array(np.ones((ROWS, COLUMNS)))


@fuzz(20, st.tuples(st.sampled_from(["mos", "resistive"]), cells_of_any_kind))
def test_graphs(_, case):
    kind, cells = case
    if cells.dtype.kind in "SUc":
        return
    given = design() if kind == "mos" else _resistive()
    graph = attempt(array_graph, given, cells, finite=False)
    if graph is not None and kind == "resistive":
        attempt(clamp_currents, given, graph, np.eye(ROWS))


def _resistive():
    return Design.model_validate({**design().model_dump(mode="json"), "cell": {"kind": "resistive"}})


small = st.integers(0, 4) | integers


@fuzz(30, st.tuples(small, small, small, small, small, st.integers(0, 3) | integers, st.booleans() | st.none()))
def test_plans(_, case):
    *sizes, seed, network = case
    size = attempt(PlanSize, *(s if abs(s) < 50 else s // abs(s) * 50 if k else s for k, s in enumerate(sizes)))
    if size is None or size.fit > 1000:
        return
    widths = None if network is None else dataset().duration if network else np.full((3, ROWS), 1.0)
    plan = attempt(standard_plan, design(), CURVE, seed, size, widths)
    if plan is not None:
        assert len(plan.role) == len(plan.duration) == len(plan.weights_index)
        assert plan.weights_index.max() < len(plan.cells)
        check_durations(design(), plan.duration)
        unseen = {k for k, role in zip(plan.weights_index, plan.role, strict=True) if role in ("weights", "network")}
        assert not unseen & {k for k, role in zip(plan.weights_index, plan.role, strict=True) if role == "fit"}


@fuzz(20, st.tuples(st.integers(-2, 3), st.integers(-2, 6), st.integers(-1, 3)))
def test_plans_of_unseen_runs(_, case):
    count, rows, seed = case
    plan = attempt(unseen_plan, design(), CURVE, seed, count, rows)
    if plan is not None:
        assert len(plan) >= 1 and plan.duration.shape[1] == ROWS
    if count >= 0:
        assert random_durations(np.random.default_rng(0), design(), count).shape == (count, ROWS)


@fuzz(30, array_shapes(min_dims=0, max_dims=2, max_side=3).flatmap(lambda s: _near(s, 1e-9, 1e-6)))
def test_read_curves(_, current):
    state = attempt(CURVE.state_for, current)
    assert state is None or ((state >= 0.3) & (state <= 0.7)).all()


shapes = st.sampled_from([(ROWS, COLUMNS)] * 6 + [(2, ROWS, COLUMNS), (3, COLUMNS), (ROWS, 0), (ROWS,), (1, 1, 1, 1)])


@fuzz(50, st.tuples(_near((2, ROWS), 0, T_MAX) | altered_array(np.full((2, 4), T_MAX)), shapes.flatmap(_states),
                     st.sampled_from([(), ("crosstalk",), ("crosstalk", "edge"), ("nothing",), ("bit_line_drop",)])))
def test_charges(_, case):
    duration, state, without = case
    if duration.dtype.kind in "SUc":
        return
    for given in (surrogate(), measured()):
        charge = attempt(given.charge, duration, state, without)
        assert charge is None or charge.shape == (len(duration), state.shape[-1])


@fuzz(20, array_shapes(min_dims=1, max_dims=3, max_side=4).flatmap(lambda s: _near(s, 0.3, 0.7)))
def test_maps_from_voltage_to_state_and_back(_, volts):
    state = surrogate().states(volts)
    back = attempt(surrogate().state_map.inverse, state, finite=bool(np.isfinite(volts).all()))
    if back is not None and np.abs(volts).max() < 1e3:
        np.testing.assert_allclose(back.numpy(), volts, atol=1e-6)


@fuzz(30, st.tuples(floats, floats, st.integers(-1, 5), st.integers(-1, 5), st.integers(-1, 5)))
def test_settings_of_tiles(_, case):
    low, high, rows, columns, bits = case
    currents = attempt(CurrentRange, low, high, finite=False)
    if currents is not None:
        attempt(LayerSettings, rows, columns, bits, currents, finite=False)


MAPPINGS = st.fixed_dictionaries({}, optional={
    "mapping": st.sampled_from(["differential", "offset", "pairs"]), "sides": st.sampled_from(["one", "two"]),
    "zero": st.floats(-0.5, 1.5), "reference": st.sampled_from(["digital", "unit-cell"]),
    "bits": st.integers(-1, 17), "slices": st.integers(0, 5), "asymmetry": st.floats(-0.5, 1.5),
    "nonlinearity": st.floats(-12, 12),
})  # fmt: skip


@fuzz(60, st.tuples(_near((3, 2), -1, 1), MAPPINGS, st.floats(1e-9, 1e-7), st.floats(1.01, 100)))
def test_weights_become_currents_in_range(_, case):
    weight, changes, low, ratio = case
    tile = LayerSettings(4, 10, 8, CurrentRange(low, low * ratio))
    settings = attempt(tile.changed, {"weights": changes}, "test", finite=False)
    if settings is None:
        return
    encoding = encoding_of(settings.weights)
    level = encoding.levels(torch.from_numpy(np.nan_to_num(weight)))
    target = level_currents(level, settings.currents)
    assert target.shape == (3, 2 * encoding.columns)
    assert ((target >= low * (1 - 1e-9)) & (target <= low * ratio * (1 + 1e-9))).all()


INVERSE = inverse_curve(surrogate(), CurrentRange(5e-9, 5e-7), ROWS)


@fuzz(8, _near((ROWS, COLUMNS), 5e-9, 5e-7))
def test_target_currents_are_programmed(_, current):
    target = torch.from_numpy(current)
    if bool(((target >= 5e-9) & (target <= 5e-7)).all()):
        shown = surrogate().one_hot_current(program(surrogate(), INVERSE, target))
        torch.testing.assert_close(shown, target, rtol=1e-2, atol=0)


@fuzz(30, st.tuples(_near((3, 4), 0, 1), st.integers(1, 16)))
def test_pulse_codes(_, case):
    x, bits = case
    codes = pulse_codes(torch.from_numpy(np.nan_to_num(x)), bits)
    assert ((codes >= 0) & (codes <= 1)).all()
    assert torch.allclose(codes * (2**bits - 1), torch.round(codes * (2**bits - 1)), atol=1e-6)


@fuzz(2, st.tuples(_near((3, ROWS), 0, T_MAX), _near((3, COLUMNS), 0, 1e-13), floats))
def test_extraction(_, case):
    found = attempt(extract_states, surrogate(), *case)
    assert found is None or found.states.mean.shape == (ROWS, COLUMNS)


@fuzz(2, st.tuples(_near((6, 2), 0, 1e-6), _near((6, 1), 0, 1e-12)))
def test_fits_to_measurements(tmp_path, case):
    data = attempt(Measurements, *case, "0" * 64)
    if data is not None:
        attempt(fit_measurements, data, tmp_path / "m.csv")


@fuzz(30, st.tuples(_near((3, 2), -1e-12, 1e-12), _near((3, 2), -1e-12, 1e-12)))
def test_levels(_, case):
    truth, predicted = (np.clip(np.nan_to_num(a), -1e100, 1e100) for a in case)
    assert decibel(truth, predicted) <= 300


@fuzz(50, st.tuples(floats.filter(lambda x: not abs(x) > 1e300), st.sampled_from(["V", "J", "s"])))
def test_numbers_for_people(_, case):
    value, unit = case
    for text in (si(value, unit), decibels(value), percent(value), seconds(value) if 0 <= value < 1e9 else "0 s"):
        assert text and "nan" not in text and "inf" not in text and len(text) < 340


@fuzz(50, texts | odd.map(repr) | st.recursive(texts | integers.map(str), lambda s: s.map(lambda x: f'{{"a": {x}}}')))
def test_json(_, text):
    content = attempt(parse_json, text)
    assert content is None or isinstance(content, dict)
