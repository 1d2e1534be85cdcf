"""The read curve: which stored state gives which one-hot current, in the array's own circuit."""

import numpy as np
import pytest

from cosim.errors import InputError
from cosim.vmm import programming
from cosim.vmm.programming import ReadCurve, read_curve
from cosim.vmm.simulate import simulate


@pytest.fixture(autouse=True)
def few_points(monkeypatch):
    """A coarse curve is enough to see its properties, and quick without the KLU solver too."""
    monkeypatch.setattr(programming, "POINTS", 12)


@pytest.fixture(scope="module", params=["n", "p"])
def channel(request):
    """Kind of transistor."""
    return request.param


def test_the_curve_rises_and_covers_the_weights(make_design, engine, channel):
    design = make_design(3, 2, channel)
    curve = read_curve(design, engine)
    assert len(curve.state) == len(curve.current) >= 6
    assert (np.diff(curve.current) > 0).all()
    assert (np.diff(curve.state) * (1 if channel == "n" else -1) > 0).all()
    assert curve.current[0] < design.weights.current_min
    assert curve.current[-1] > design.weights.current_max


def test_states_from_the_curve_read_near_their_currents(make_design, engine, channel):
    """Neighbouring gates differ from those of the curve, so this is near, not exact."""
    design = make_design(3, 2, channel)
    target = np.array([[10e-9, 400e-9]])
    state = read_curve(design, engine).state_for(np.repeat(target, 3, axis=0))
    sample = simulate(design, state, np.array([0, design.read.t_max, 0]), engine)
    assert sample.slot_current == pytest.approx(target, rel=0.25, abs=0)


def test_resistive_cells_need_no_simulation(make_design):
    design = make_design(3, 2, "resistive")
    curve = read_curve(design, None)
    current = np.geomspace(design.weights.current_min, design.weights.current_max, 5).reshape(1, 5)
    assert curve.state_for(current) == pytest.approx(current / design.read.voltage, rel=1e-6, abs=0)


def test_the_curve_goes_through_its_points():
    curve = ReadCurve(state=np.array([0.1, 0.2, 0.4]), current=np.array([1e-9, 1e-8, 1e-7]))
    assert curve.state_for(curve.current) == pytest.approx(curve.state)
    assert curve.state_for(np.array([[[3e-9]]])).shape == (1, 1, 1)


@pytest.mark.parametrize("wrong", [0.9e-9, 1.1e-7, 0.0, -1e-9, np.nan, np.inf])
def test_currents_outside_the_curve_are_refused(wrong):
    curve = ReadCurve(state=np.array([0.1, 0.2]), current=np.array([1e-9, 1e-7]))
    with pytest.raises(InputError, match="change weights or cell"):
        curve.state_for(np.array([5e-9, wrong]))


def test_weights_that_no_state_reaches_are_refused(make_design, engine):
    design = make_design(1, 1, weights={"current_min": "1 mA", "current_max": "100 A"})
    with pytest.raises(InputError, match="change cell or weights"):
        read_curve(design, engine)
