"""Floating-gate arrays in ngspice, by property: sign, monotony, additivity, rest and the deck run by hand."""

import re
import subprocess

import numpy as np
import pytest

from cosim.vmm.simulate import simulate
from cosim.vmm.whole import vmm_deck
from netlists.errors import InputError

NO_COUPLING = {
    name: "0 F"
    for name in (
        "own_word_line", "near_word_line", "far_word_line", "second_word_line", "bit_line", "floating_gate_same_row",
        "floating_gate_same_column",
    )
}  # fmt: skip
NO_WIRES = {
    "word_line_resistance": "0 ohm", "bit_line_resistance": "0 ohm", "driver_resistance": "1 ohm",
    "switch_resistance": "1 ohm", "word_line_capacitance": "0 F", "bit_line_capacitance": "0 F",
    "word_line_pair_capacitance": "0 F", "bit_line_pair_capacitance": "0 F", "crossing_capacitance": "0 F",
}  # fmt: skip
CHANNELS = ("n", "p")
DURATION = np.array([200e-9, 13e-9, 80e-9, 150e-9])


def _cells(channel, shape, seed=0):
    """Floating-gate voltages from weak to moderate inversion."""
    volts = np.random.default_rng(seed).uniform(1.15, 1.5, shape)
    return volts if channel == "n" else 1.0 - volts


@pytest.fixture(scope="module", params=CHANNELS)
def channel(request):
    """Kind of transistor."""
    return request.param


@pytest.fixture(scope="module")
def ideal(make_design, channel):
    """A 4x3 array without coupling and almost without wires."""
    return make_design(4, 3, channel, coupling=NO_COUPLING, wires=NO_WIRES)


def test_charges_and_currents_are_positive(make_design, engine, channel):
    sample = simulate(make_design(4, 3, channel), _cells(channel, (4, 3)), DURATION, engine)
    assert (sample.charge > 0).all()
    assert (sample.slot_current > 0).all()
    assert sample.energy > 0
    assert sample.attempt == 0


def test_charge_grows_with_the_duration(make_design, engine, channel):
    """Of a row alone; beside an active row the coupling of a pulse may cost more than its own cell adds."""
    design, cells = make_design(2, 2, channel), _cells(channel, (2, 2))
    widths = [0, 1e-9, 1.5e-9, 2e-9, 5e-9, 20e-9, 80e-9, 81e-9, 200e-9]
    charges = np.array([simulate(design, cells, np.array([t, 0]), engine).charge for t in widths])
    assert (np.diff(charges, axis=0) > 0).all()


def test_campaign_tolerances_hold_70_db(make_design, engine, tight_engine, channel):
    design = make_design(4, 3, channel, read={"t_max": "1 us", "bits": 8})
    rng = np.random.default_rng(0)
    charge, reference = [], []
    for seed in range(6):
        duration = rng.integers(0, 256, 4) * design.read.t_max / 255
        cells = _cells(channel, (4, 3), seed)
        charge.append(simulate(design, cells, duration, engine).charge)
        reference.append(simulate(design, cells, duration, tight_engine).charge)
    error = np.array(charge) - np.array(reference)
    assert 20 * np.log10(np.linalg.norm(reference) / np.linalg.norm(error)) > 70


def test_charge_grows_with_the_state(make_design, engine, channel):
    design = make_design(2, 5, channel)
    volts = np.linspace(0.9, 1.7, 5)
    row = volts if channel == "n" else 1.0 - volts
    sample = simulate(design, np.stack([_cells(channel, 5), row]), np.array([0, 100e-9]), engine)
    assert (np.diff(sample.charge) > 0).all()
    assert (np.diff(sample.slot_current[0]) > 0).all()


def test_without_parasitics_charges_add_up(ideal, engine, channel):
    """No coupling and no wires: every row contributes as if it were alone, to 2e-4."""
    cells = _cells(channel, (4, 3))
    alone = [simulate(ideal, cells, np.where(np.arange(4) == k, DURATION, 0), engine).charge for k in range(4)]
    assert simulate(ideal, cells, DURATION, engine).charge == pytest.approx(sum(alone), rel=2e-4, abs=0)


def test_without_parasitics_slot_currents_are_sums_of_cells(ideal, engine, channel):
    cells = _cells(channel, (4, 3))
    cell = np.array([simulate(ideal, cells, 200e-9 * (np.arange(4) == k), engine).slot_current[0] for k in range(4)])
    sample = simulate(ideal, cells, DURATION, engine)
    assert sample.slot_current == pytest.approx(sample.slot_active @ cell, rel=1e-4, abs=0)


def test_without_parasitics_charge_is_current_times_duration(ideal, engine, channel):
    """Edges cost a constant, so a longer pulse adds its current times the difference, to 2e-4."""
    cells = _cells(channel, (4, 3))
    short, long = (simulate(ideal, cells, np.array([0, t, 0, 0]), engine) for t in (50e-9, 200e-9))
    assert long.charge - short.charge == pytest.approx(150e-9 * long.slot_current[0], rel=2e-4, abs=0)


def test_coupling_breaks_additivity(make_design, engine, channel):
    """The effect that the project is about is there: neighbours change each other's current."""
    design, cells = make_design(4, 3, channel), _cells(channel, (4, 3))
    alone = [simulate(design, cells, np.where(np.arange(4) == k, DURATION, 0), engine).charge for k in range(4)]
    assert np.abs(simulate(design, cells, DURATION, engine).charge / sum(alone) - 1).max() > 0.02


def test_all_zero_durations_give_almost_no_charge(make_design, engine, channel):
    """Less than 1e-4 of what the smallest weight collects in the longest pulse; no slot, no current."""
    design = make_design(4, 3, channel)
    sample = simulate(design, _cells(channel, (4, 3)), np.zeros(4), engine)
    assert np.abs(sample.charge).max() < 1e-4 * design.weights.current_min * design.read.t_max
    assert sample.slot_active.shape == (0, 4)
    assert sample.slot_current.shape == (0, 3)


@pytest.mark.parametrize("size", [(1, 1), (1, 3), (3, 1)])
def test_smallest_arrays(make_design, engine, channel, size):
    design = make_design(*size, channel)
    sample = simulate(design, _cells(channel, size), np.full(size[0], 100e-9), engine)
    assert sample.charge == pytest.approx(100e-9 * sample.slot_current[0], rel=0.03, abs=0)


def test_shortest_pulse(make_design, engine, channel):
    """A pulse of t_edge is a triangle; its charge is small, but there, and it ends."""
    design, cells = make_design(1, 1, channel), _cells(channel, (1, 1))
    short, twice, long = (simulate(design, cells, np.array([t]), engine).charge[0] for t in (1e-9, 2e-9, 100e-9))
    assert 0 < short < twice < 0.03 * long


def test_only_slots_that_settle_are_kept(make_design, engine):
    design, cells = make_design(4, 1), _cells("n", (4, 1))
    sample = simulate(design, cells, np.array([100e-9, 101e-9, 0, 150e-9]), engine)
    assert sample.slot_active.tolist() == [[True, True, False, True], [False, False, False, True]]


def test_n_and_p_channel_rows_draw_their_current_from_the_word_line_alone(make_design, engine, channel):
    """A conducting junction would make the driver's resistance matter; it must not."""
    cells = _cells(channel, (2, 2))
    currents = [
        simulate(make_design(2, 2, channel, wires={"driver_resistance": ohms}), cells, DURATION[[0, 3]], engine)
        for ohms in ("10 ohm", "50 ohm")
    ]
    assert currents[0].slot_current == pytest.approx(currents[1].slot_current, rel=2e-3, abs=0)


def test_deck_runs_by_hand_and_prints_the_charges(make_design, engine, channel, tmp_path):
    design, cells = make_design(3, 2, channel), _cells(channel, (3, 2))
    deck = tmp_path / "deck.cir"
    deck.write_text(vmm_deck(design, cells, DURATION[:3], engine.options()))
    done = subprocess.run([engine.path, "-b", "deck.cir"], capture_output=True, text=True, cwd=tmp_path, check=True)
    printed = dict(re.findall(r"(?m)^(charge_\d+)\s*=\s*(\S+)", done.stdout))
    expected = simulate(design, cells, DURATION[:3], engine).charge
    assert [float(printed[f"charge_{j}"]) for j in range(2)] == pytest.approx(expected, rel=5e-3, abs=0)


@pytest.mark.parametrize("duration", [[1e-12, 0], [201e-9, 0], [-1e-9, 0], [np.nan, 0], [0, 0, 0]])
def test_durations_out_of_range_are_refused(make_design, engine, duration):
    with pytest.raises(InputError, match="duration"):
        simulate(make_design(2, 2), np.ones((2, 2)), np.array(duration), engine)


def test_cells_of_the_wrong_shape_are_refused(make_design, engine):
    with pytest.raises(InputError, match="shape"):
        simulate(make_design(2, 2), np.ones((2, 3)), np.zeros(2), engine)
