"""Resistive cells that are more than resistors: what designs accept, what their circuits hold, what ngspice makes of
them."""

import numpy as np
import pytest
from pydantic import ValidationError

from cosim.vmm.simulate import simulate
from netlists.designfile import dump_design, load_design, parse_design
from netlists.errors import InputError
from netlists.graph import array_graph
from netlists.nodal import clamp_currents
from netlists.resistive import ReadNoise

ACCESSED = {"kind": "resistive", "access_resistance": "3 kohm"}
READ = {"voltage": "0.3 V", "bits": 8, "t_max": "256 ns"}
CURRENTS = {"current_min": "100 nA", "current_max": "5 uA"}
DISCONNECTED = {"idle": "disconnected"}


def make(make_design, cell, array=DISCONNECTED, **sections):
    return make_design(3, 2, cell, array=array, read=READ, weights=CURRENTS, **sections)


@pytest.mark.parametrize(
    ("cell", "array", "word"),
    [
        ({"kind": "resistive"}, DISCONNECTED, "access_resistance"),
        (ACCESSED, {"idle": "clamped"}, "access_resistance"),
        ({**ACCESSED, "sinh_voltage": "1 mV"}, DISCONNECTED, "sinh_voltage"),
        ({**ACCESSED, "on_off_ratio": 20.0}, DISCONNECTED, "on_off_ratio"),
        ({**ACCESSED, "on_off_ratio": 1.0}, DISCONNECTED, "on_off_ratio"),
        ({**ACCESSED, "read_noise": {"white": -0.1, "at": "1 us"}}, DISCONNECTED, "white"),
        ({"kind": "mos", "width": "1 um", "length": "1 um"}, DISCONNECTED, "idle"),
    ],
)
def test_contradictions_name_their_key(make_design, cell, array, word):
    with pytest.raises(ValidationError, match=word):
        make(make_design, cell, array)


def test_a_plain_cell_keeps_its_hash_and_noise_is_not_hashed(make_design):
    plain = make(make_design, "resistive", {})
    assert plain.model_dump(mode="json")["cell"] == {"kind": "resistive"}
    quiet = make(make_design, ACCESSED)
    noisy = make(make_design, {**ACCESSED, "read_noise": {"white": 0.1, "at": "256 ns"}})
    assert quiet.hash == noisy.hash != plain.hash
    assert parse_design(dump_design(noisy), "again") == noisy


def test_read_noise_falls_with_the_pulse_to_its_flicker():
    noise = ReadNoise(white=0.02, flicker=0.01, at="256 ns")
    sigma = noise.sigma(np.array([64e-9, 256e-9, 1.0]))
    assert sigma == pytest.approx([np.hypot(0.04, 0.01), np.hypot(0.02, 0.01), 0.01], rel=1e-3)


@pytest.mark.parametrize("bent", [{}, {"sinh_voltage": "0.2 V"}])
def test_conductance_is_that_of_the_current_behind_the_access_device(make_design, bent):
    cell = make(make_design, {**ACCESSED, **bent}).cell
    current = np.array([1e-7, 5e-6])
    g = cell.conductance(current, 0.3)
    assert g * cell.relative_current(0.3 - 3000 * current, 0.3) == pytest.approx(current, rel=1e-12)
    assert cell.relative_current(np.array(0.3), 0.3) == pytest.approx(0.3, rel=1e-12)
    with pytest.raises(InputError, match=r"cell\.access_resistance"):
        cell.conductance(np.array([1e-3]), 0.3)


def test_slots_in_ngspice_are_nodal_solutions_without_the_idle_cells(make_design, engine):
    """A closed switch is its on resistance in series, an open one nothing."""
    wires = {"bit_line_resistance": "300 ohm", "word_line_resistance": "200 ohm"}
    design, clamped = make(make_design, ACCESSED, wires=wires), make(make_design, "resistive", {}, wires=wires)
    g = np.array([[5e-6, 2e-5], [1e-5, 7e-6], [1.6e-5, 3e-6]])
    sample = simulate(design, g, np.array([60e-9, 200e-9, 120e-9]), engine)
    for active, current in zip(sample.slot_active, sample.slot_current, strict=True):
        series = np.where(active[:, None], 1 / (1 / g + 3000), 1e-18)
        exact = clamp_currents(clamped, array_graph(clamped, series), active)
        assert current == pytest.approx(exact, rel=1e-6, abs=0)


def test_a_clamped_nonlinear_cell_conducts_its_sinh(make_design, engine):
    """Between lines of hardly any resistance one cell after the other sees the read voltage, or none."""
    wires = {name: "0.01 ohm" for name in ("driver_resistance", "switch_resistance")}
    wires |= {name: "0 ohm" for name in ("word_line_resistance", "bit_line_resistance")}
    bent = {"kind": "resistive", "sinh_voltage": "0.1 V"}
    design = make_design(2, 1, bent, read=READ, weights=CURRENTS, wires=wires)
    g = np.array([[5e-6], [1e-5]])
    sample = simulate(design, g, np.array([0.0, 100e-9]), engine)
    assert sample.slot_current[0] == pytest.approx(g[1] * 0.3, rel=1e-5)
    lower = make_design(2, 1, bent, read={**READ, "voltage": "0.15 V"}, weights=CURRENTS, wires=wires)
    half = g * np.sinh(0.15 / 0.1) / np.sinh(0.3 / 0.1) * 0.3 / 0.15
    assert half[1] * 0.15 == pytest.approx(design.cell.relative_current(np.array(0.15), 0.3) * g[1], rel=1e-12)
    assert simulate(lower, g, np.array([0.0, 100e-9]), engine).slot_current[0] == pytest.approx(g[1] * 0.15, rel=1e-5)


def test_the_built_in_pcm_design_is_one():
    design = load_design("pcm")
    assert design.array.idle == "disconnected"
    assert design.weights.current_max / design.weights.current_min <= design.cell.on_off_ratio * (1 + 1e-9)
