"""Fits to real SPICE runs of a tiny array, and to measurement files."""

import dataclasses

import numpy as np
import pytest

from cosim.campaigns.campaign import run_campaign
from cosim.campaigns.plan import Plan
from cosim.commands.fit import fit
from cosim.errors import InputError
from cosim.files.dataset import save_dataset
from cosim.files.measurements import load_measurements, save_measurements
from cosim.fitting.fit import MIN_SLOTS, fit_dataset, fit_measurements
from cosim.fitting.validation import held_out_ser
from cosim.progress import Stages
from netlists.designfile import load_design
from surrogate.files import load_surrogate, save_surrogate
from surrogate.ideal import least_squares_weights
from surrogate.scores import decibel

ROWS, COLUMNS = 6, 4
FIT, HELD_OUT = 6, 3


@pytest.fixture(scope="module")
def campaign(engine, tmp_path_factory):
    """A few SPICE runs of 6x4 cells at 1.1 … 1.35 V (some 5 … 500 nA): data set of fit, unseen patterns and cells."""
    design = load_design("default").resized(ROWS, COLUMNS)
    rng = np.random.default_rng(0)
    cells = rng.uniform(1.1, 1.35, (4, ROWS, COLUMNS))
    spread = np.arange(1, ROWS + 1) / ROWS * design.read.t_max
    random = rng.integers(0, 256, (HELD_OUT * 2, ROWS)) / 255 * design.read.t_max
    plan = Plan(
        cells=cells,
        duration=np.concatenate([[rng.permutation(spread) for _ in range(FIT)], random]),
        weights_index=np.array([0, 1, 2, 0, 1, 2] + [0] * HELD_OUT + [3] * HELD_OUT),
        role=("fit",) * FIT + ("patterns",) * HELD_OUT + ("weights",) * HELD_OUT,
        seed=0,
    )
    return run_campaign(design, plan, engine, tmp_path_factory.mktemp("campaign"), workers=1)


@pytest.fixture(scope="module")
def fitted(campaign):
    return fit_dataset(campaign)


@pytest.mark.parametrize(("role", "level"), [("patterns", 45), ("weights", 45)])
def test_unseen_spice_runs_are_predicted(campaign, fitted, role, level):
    runs = campaign.runs(role)
    state = fitted.states(campaign.cells)[campaign.weights_index[runs]]
    ser = decibel(campaign.charge[runs], fitted.charge(campaign.duration[runs], state))
    assert ser >= level
    assert ser > decibel(campaign.charge[runs], fitted.charge(campaign.duration[runs], state, ("crosstalk",))) + 10


def test_the_fit_command_prints_what_unseen_runs_say(campaign, fitted, tmp_path, capsys):
    save_dataset(campaign, tmp_path / "data.h5")
    assert fit(tmp_path / "data.h5", tmp_path / "s.safetensors", Stages())
    ser = held_out_ser(fitted, campaign)
    assert list(ser) == ["patterns", "weights"]
    said = f"SER against unseen runs: patterns {ser['patterns']:.1f} dB, weights {ser['weights']:.1f} dB;"
    assert said in capsys.readouterr().out


def test_the_surrogate_knows_where_it_comes_from(campaign, fitted):
    assert fitted.provenance["design_hash"] == campaign.design_hash
    assert fitted.provenance["dataset_hash"] == campaign.hash
    assert fitted.provenance["simulator"] == campaign.simulator
    assert fitted.provenance["fit_runs"] == FIT
    assert (fitted.domain.rows, fitted.domain.columns) == (ROWS, COLUMNS)
    assert fitted.domain.duration_max == fitted.time_scale == pytest.approx(1e-6, rel=1e-6, abs=0)
    assert fitted.report is None
    assert fitted.shared_error.shape == fitted.shared.shape


def test_the_fit_sees_only_its_own_runs(campaign, fitted):
    others = np.isin(np.arange(len(campaign)), campaign.runs("fit"), invert=True)
    charge, current = campaign.charge.copy(), campaign.slot_current.copy()
    charge[others] *= 3
    current[np.isin(campaign.slot_sample, np.flatnonzero(others))] *= 3
    again = fit_dataset(dataclasses.replace(campaign, charge=charge, slot_current=current))
    assert again.shared.tolist() == pytest.approx(fitted.shared.tolist(), rel=1e-9, abs=1e-12)


def test_a_fitted_surrogate_survives_its_file(fitted, campaign, tmp_path):
    path = tmp_path / "array.safetensors"
    save_surrogate(fitted, path)
    loaded = load_surrogate(path)
    assert loaded.provenance == fitted.provenance
    state = fitted.states(campaign.cells[0])
    duration = campaign.duration[:2]
    assert np.array_equal(loaded.charge(duration, state), fitted.charge(duration, state))


def test_too_few_slots_are_refused(campaign):
    role = ("fit",) + ("patterns",) * (len(campaign) - 1)
    with pytest.raises(InputError, match=f"at least {MIN_SLOTS} are needed"):
        fit_dataset(dataclasses.replace(campaign, role=role))
    with pytest.raises(InputError, match="0 slots of role 'fit'"):
        fit_dataset(dataclasses.replace(campaign, role=("patterns",) * len(campaign)))


# --- measurements -----------------------------------------------------------------------------------------------


def vmms(campaign, fitted, count, seed):
    """VMMs of matrix 0 as a chip of the fitted model would show them."""
    rng = np.random.default_rng(seed)
    duration = rng.integers(0, 256, (count, ROWS)) / 255 * 1e-6
    return duration, fitted.charge(duration, fitted.states(campaign.cells[0]))


@pytest.fixture(scope="module")
def measured(campaign, fitted, tmp_path_factory):
    path = tmp_path_factory.mktemp("chip") / "chip.csv"
    save_measurements(*vmms(campaign, fitted, 24, 1), path)
    data = load_measurements(path)
    return data, fit_measurements(data, path)


def test_a_measured_array_is_fitted_without_its_voltages(campaign, fitted, measured):
    duration, truth = vmms(campaign, fitted, 30, 2)
    data, surrogate = measured
    ser = decibel(truth, surrogate.charge(duration, surrogate.state))
    ideal = decibel(truth, duration @ least_squares_weights(data.duration, data.charge))
    assert ser >= 45
    assert ser > ideal + 10


def test_a_measured_surrogate_knows_where_it_comes_from(measured):
    data, surrogate = measured
    assert surrogate.provenance["measurements"] == "chip.csv"
    assert surrogate.provenance["measurements_hash"] == data.hash
    assert surrogate.state_map is None
    assert surrogate.state.shape == surrogate.state_error.shape == (ROWS, COLUMNS)
    assert surrogate.ideal_one_hot is None
    assert surrogate.ideal_least_squares.shape == (ROWS, COLUMNS)


def test_a_measured_surrogate_survives_its_file(measured, tmp_path):
    data, surrogate = measured
    path = tmp_path / "chip.safetensors"
    save_surrogate(surrogate, path)
    loaded = load_surrogate(path)
    first, second = (s.charge(data.duration, s.state) for s in (surrogate, loaded))
    assert np.array_equal(first, second)


def test_too_few_measurements_are_refused(campaign, fitted, tmp_path):
    path = tmp_path / "short.csv"
    save_measurements(*vmms(campaign, fitted, ROWS, 3), path)
    with pytest.raises(InputError, match=f"{ROWS} measurements of an array with {ROWS} rows"):
        fit_measurements(load_measurements(path), path)


def test_charges_that_are_all_zero_are_refused(campaign, fitted, tmp_path):
    path = tmp_path / "zero.csv"
    duration, charge = vmms(campaign, fitted, 20, 4)
    save_measurements(duration, 0 * charge, path)
    with pytest.raises(InputError, match=r"zero\.csv: charges: all are zero"):
        fit_measurements(load_measurements(path), path)


def test_measurements_without_a_pulse_are_refused(tmp_path):
    path = tmp_path / "idle.csv"
    save_measurements(np.zeros((9, 2)), np.ones((9, 3)) * 1e-13, path)
    with pytest.raises(InputError, match=r"idle\.csv"):
        fit_measurements(load_measurements(path), path)
