"""Split arrays in ngspice: the whole array's charges, an error estimate that can be trusted, and who must not split."""

from dataclasses import replace

import numpy as np
import pytest

from cosim.errors import InputError
from cosim.spice.ladder import Climber
from cosim.spice.ngspice import run_deck
from cosim.vmm.prediction import predict
from cosim.vmm.relaxation import blocks_of, relax
from cosim.vmm.simulate import simulate, splits
from cosim.vmm.split import block_solver, simulate_split
from cosim.vmm.whole import integrator_charges, simulate_whole, vmm_deck
from netlists.circuits.block import Boundary
from netlists.circuits.timeline import pulse_timeline
from surrogate.scores import decibel

DURATION = np.array([200, 0, 120, 53.3, 13.3, 186.7, 120, 80]) * 1e-9
STATES = {"n": (0.9, 1.5), "p": (-0.6, 0.2)}
LONG = {"read": {"t_max": "1 us"}}


def _cells(design, channel="n", seed=0):
    low, high = STATES[channel]
    return np.random.default_rng(seed).uniform(low, high, (design.array.rows, design.array.columns))


@pytest.fixture(scope="module")
def climber(engine):
    return Climber(engine, 300.0)


@pytest.mark.parametrize(
    ("channel", "columns", "changes"),
    [
        ("n", 12, {}),
        ("p", 13, {}),
        ("n", 12, {"array": {"mirrored": False}}),
        ("n", 13, {"coupling": {"near_word_line": "0 F"}}),
        ("n", 12, {"wires": {"word_line_resistance": "0 ohm", "bit_line_resistance": "0 ohm"}}),
        ("n", 12, {"wires": {"driver_resistance": "1 kohm", "word_line_resistance": "15 ohm"}}),
    ],
)
def test_a_split_array_has_the_whole_arrays_charges(make_design, climber, channel, columns, changes):
    design = make_design(8, columns, channel, **{**LONG, **changes})
    cells, duration = _cells(design, channel), 5 * DURATION
    whole = simulate_whole(design, cells, duration, climber)
    split = simulate_split(design, cells, duration, climber)
    assert len(blocks_of(design)) == 1 or split.passes >= 1
    assert decibel(whole.charge, split.charge) > 75
    assert decibel(whole.slot_current, split.slot_current) > 75
    assert (whole.slot_active == split.slot_active).all()
    assert split.energy == pytest.approx(whole.energy, rel=0.01, abs=0)
    assert split.split_error < 1e-4 and whole.split_error == whole.passes == 0


SNEAKING = {"wires": {"switch_resistance": "5 kohm", "driver_resistance": "1 ohm"}}
"""Bit lines that fall far, so that strongly-on cells of idle rows conduct back into them."""


@pytest.mark.parametrize(("channel", "low", "high"), [("n", 2.4, 3.2), ("p", -1.6, -1.0)])
def test_idle_cells_that_conduct_back_lower_the_charge(make_design, climber, channel, low, high):
    design = make_design(8, 16, channel, **LONG, **SNEAKING)
    cells, duration = np.random.default_rng(1).uniform(low, high, (8, 16)), 5 * DURATION
    deck = vmm_deck(design, cells, duration, climber.engine.options())
    integrated = integrator_charges(design, run_deck(climber.engine, deck, 60.0))
    whole, split = (run(design, cells, duration, climber) for run in (simulate_whole, simulate_split))
    assert decibel(integrated, whole.charge) > 75
    assert decibel(whole.charge, split.charge) > 75


def test_cell_currents_add_up_to_the_clamps(make_design, climber):
    design = make_design(8, 16, **LONG, **SNEAKING)
    cells = np.random.default_rng(1).uniform(2.0, 2.6, (8, 16))
    timeline = pulse_timeline(design, 5 * DURATION)
    boundary = predict(design, climber, cells, timeline).boundary
    run = block_solver(design, cells, timeline, climber)(range(3, 7), boundary)
    assert (run.cell[1:-1].min(axis=(1, 2)) < -1e-3 * run.cell[1:-1].max(axis=(1, 2))).any()
    assert run.cell.sum(axis=1) == pytest.approx(run.clamp, abs=1e-4 * run.clamp.max())


@pytest.mark.parametrize("shape", [(1, 130), (5, 3), (3, 40)])
def test_other_shapes(make_design, climber, shape):
    design = make_design(*shape, **LONG)
    cells = _cells(design)
    duration = 5 * DURATION[: shape[0]]
    whole, split = (run(design, cells, duration, climber) for run in (simulate_whole, simulate_split))
    assert decibel(whole.charge, split.charge) > 75


def test_pulses_that_end_together_or_nearly_so(make_design, climber):
    design = make_design(8, 12, **LONG)
    duration = np.array([500, 500.2, 500.2001, 501.5, 0, 1, 1.5, 1000]) * 1e-9
    cells = _cells(design)
    whole, split = (run(design, cells, duration, climber) for run in (simulate_whole, simulate_split))
    assert decibel(whole.charge, split.charge) > 75
    assert (whole.slot_active == split.slot_active).all()


def test_no_pulse_no_charge(make_design, climber):
    design = make_design(8, 12)
    split = simulate_split(design, _cells(design), np.zeros(8), climber)
    assert np.abs(split.charge).max() < 1e-18
    assert split.slot_current.shape == (0, 12)


def test_a_wrong_start_takes_more_passes_to_the_same_charges(make_design, climber):
    design = make_design(8, 24, **LONG)
    cells, timeline = _cells(design), pulse_timeline(design, 5 * DURATION)
    start = predict(design, climber, cells, timeline)
    ideal = start.boundary.gate * 0 + 0.6
    wrong = replace(start, boundary=Boundary(np.where(timeline.active[:, :, None], 0.0, 1.2) + 0 * ideal, ideal))
    solve = block_solver(design, cells, timeline, climber)
    good, bad = relax(design, timeline, start, solve), relax(design, timeline, wrong, solve)
    assert bad.passes > good.passes == 1
    assert decibel(good.joined("charge"), bad.joined("charge")) > 80


def test_the_estimated_error_is_the_error(make_design, climber, monkeypatch):
    design = make_design(8, 24, **LONG)
    cells, timeline = _cells(design), pulse_timeline(design, 5 * DURATION)
    start = predict(design, climber, cells, timeline)
    shifted = start.boundary.word_line + 3e-4 * timeline.active[:, :, None]
    off = replace(start, boundary=replace(start.boundary, word_line=shifted))
    solve = block_solver(design, cells, timeline, climber)
    exact = relax(design, timeline, start, solve).joined("charge")
    monkeypatch.setattr("cosim.vmm.relaxation.TARGET_ERROR", 1.0)
    once = relax(design, timeline, off, solve)
    error = np.sqrt(np.mean((once.joined("charge") - exact) ** 2) / np.mean(exact**2))
    assert once.passes == 1 and error > 1e-3
    assert 0.8 < once.error / error < 1.5


def test_tightly_coupled_arrays_are_simulated_whole(make_design, engine):
    design = make_design(8, 16, wires={"driver_resistance": "100 kohm"})
    assert splits(design)
    assert simulate(design, _cells(design), DURATION, engine).passes == 0


def test_who_splits(make_design, engine):
    design = make_design(8, 16)
    assert splits(design) and not splits(make_design(8, 15)) and not splits(make_design(8, 16, "resistive"))
    cells = _cells(design)
    assert simulate(design, cells, DURATION, engine).passes == 1
    assert simulate(design, cells, DURATION, replace(engine, monolithic=True)).passes == 0
    with pytest.raises(InputError, match=r"cells: shape \(8, 15\)"):
        simulate(design, cells[:, :15], DURATION, engine)


def test_decks_of_all_blocks_are_kept_and_runnable(make_design, engine, tmp_path):
    design = make_design(32, 8)
    simulate(design, _cells(design), np.tile(DURATION, 4), engine, tmp_path / "run-0.cir")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["run-0-columns-0-2.cir", "run-0-columns-3-4.cir", "run-0-columns-5-7.cir"]
