"""Charge of an idle floating gate in real ngspice."""

from __future__ import annotations

import numpy as np
import pytest

from cosim.spice.ngspice import run_deck
from cosim.study.parameters import changed
from cosim.vmm.programming import ReadCurve
from cosim.vmm.stored_charge import TO_LINES, gate_charge, kept_curve
from netlists.devices.choice import device_of
from tests.small_designs import small_design

CURVE = ReadCurve(np.linspace(0.6, 1.2, 7), np.geomspace(5e-9, 5e-7, 7))


@pytest.mark.parametrize("cell", ["n", "p"])
def test_the_gates_charge_is_what_flows_into_it(cell, engine):
    """A slow ramp of the gate's voltage: the integral of its current is the difference of the charges."""
    design = small_design(cell=cell)
    curve = gate_charge(design, 0.4, 1.0, engine)
    device = device_of(design.cell)
    deck = [
        "* charge", device.definition(), "Vg g 0 pwl(0 0.3 1e-6 0.3 11e-6 1.1 12e-6 1.1)",
        f"Vi i 0 {design.v_idle}", f"Vb b 0 {design.v_bulk}", device.instance("t", "i g i b", device.fixed),
        ".options gmin=1e-18 num_threads=1 reltol=1e-5 abstol=1e-20 chgtol=1e-22", ".save i(vg)",
        ".tran 10n 12u", ".end",
    ]  # fmt: skip
    vectors = run_deck(engine, "\n".join(deck) + "\n", 60.0)
    flown = -np.trapezoid(vectors["i(vg)"], vectors["time"])
    farads = sum(getattr(design.coupling, name) for name in TO_LINES) + 2 * design.coupling.second_word_line
    stored = float(np.diff(curve.of(np.array([0.3, 1.1])))[0]) - farads * 0.8
    assert stored == pytest.approx(flown, rel=2e-3, abs=0)


def test_the_same_physics_keep_the_voltages_and_others_the_charges(engine):
    design = small_design()
    hot = small_design(read={"temperature": "70 degC"})
    np.testing.assert_allclose(kept_curve(CURVE, design, design, engine).state, CURVE.state, rtol=1e-12)
    moved = kept_curve(CURVE, design, hot, engine)
    assert np.array_equal(moved.current, CURVE.current)
    shift = moved.state - CURVE.state
    assert (shift < -5e-3).all() and (shift > -20e-3).all()  # a hot gate holds more charge at the same voltage
    before, after = (gate_charge(d, 0.6, 1.2, engine) for d in (design, hot))
    np.testing.assert_allclose(after.of(moved.state), before.of(CURVE.state), rtol=1e-9)
    np.testing.assert_allclose(kept_curve(moved, hot, design, engine).state, CURVE.state, atol=1e-6)


def test_a_slower_corner_moves_a_floating_gate_with_its_threshold(engine):
    """By a part of the 40 mV: the rest is what other capacitances hold back."""
    design = small_design()
    slow = changed(design, {"cell.corner": "ss"})
    shift = kept_curve(CURVE, design, slow, engine).state - CURVE.state
    assert (shift > 5e-3).all() and (shift < 40e-3).all(), shift
