"""Resistive arrays in ngspice, a surrogate fitted to them, and larger arrays that the fit never saw."""

import numpy as np
import pytest
import torch

from cosim.campaigns.campaign import run_campaign, simulate_many
from cosim.campaigns.plan import PlanSize, random_cells, random_durations, standard_plan
from cosim.fitting.fit import fit_dataset
from cosim.fitting.validation import validate_dataset
from cosim.vmm.programming import read_curve
from surrogate.scores import decibel

WIRES = {"word_line_resistance": "30 ohm", "bit_line_resistance": "7 ohm", "switch_resistance": "2 kohm"}
CURRENTS = {"current_min": "500 nA", "current_max": "50 uA"}


@pytest.fixture(scope="module")
def fitted(make_design, engine, tmp_path_factory):
    """A 6x4 design with strong drops, its campaign and the surrogate fitted to it."""
    design = make_design(6, 4, "resistive", wires=WIRES, weights=CURRENTS)
    plan = standard_plan(design, read_curve(design, engine), size=PlanSize(patterns=2, weights=2))
    data = run_campaign(design, plan, engine, tmp_path_factory.mktemp("resistive"), workers=1)
    return design, data, fit_dataset(data)


def test_unseen_runs_are_predicted_and_pass(fitted):
    _, data, surrogate = fitted
    report = validate_dataset(surrogate, data)
    assert report["passed"]
    for role in ("patterns", "weights"):
        assert report["roles"][role]["ser_db"] > 70
        assert report["roles"][role]["median_cell_error"] < 1e-3
    assert report["fast_engine_ser_db"] > 70
    budget = {entry["effect"]: entry["ser_db"] for entry in report["budget"]}
    assert budget["bit_line_drop"] < 30 and budget["word_line_drop"] < 60


def test_the_fit_finds_the_design_s_resistances(fitted):
    design, _, surrogate = fitted
    ohms = torch.exp(surrogate.shared) * design.read.voltage / surrogate.current_scale
    assert ohms.tolist() == pytest.approx([100, 30, 7, 2000], rel=1e-3, abs=0)


@pytest.mark.parametrize(("rows", "columns"), [(24, 3), (3, 7)])
def test_arrays_of_other_sizes_are_predicted(fitted, engine, tight_engine, tmp_path, rows, columns):
    """What is left is the simulator's own integration of the edges, the less of it the tighter its tolerances."""
    design, _, surrogate = fitted
    design = design.resized(rows, columns)
    rng = np.random.default_rng(1)
    cells = random_cells(rng, design, read_curve(design, engine), 1)
    duration = random_durations(rng, design, 2)
    predicted = surrogate.charge(duration, surrogate.states(cells[0]))
    for simulator, level in ((engine, 70), (tight_engine, 110)):
        data = simulate_many(design, cells, duration, np.zeros(2, dtype=np.int64), simulator, tmp_path, workers=1)
        assert decibel(data.charge, predicted) > level
