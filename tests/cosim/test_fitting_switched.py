"""Arrays with disconnected or with bent, clamped idle cells in ngspice, a surrogate fitted to them, and arrays that the
fit never saw."""

import numpy as np
import pytest
import torch

from cosim.campaign import run_campaign, simulate_many
from cosim.fitting import fit_dataset
from cosim.plan import PlanSize, random_cells, random_durations, standard_plan
from cosim.programming import read_curve
from cosim.validation import validate_dataset
from surrogate.scores import decibel

SECTIONS = {
    "wires": {"word_line_resistance": "30 ohm", "bit_line_resistance": "200 ohm", "switch_resistance": "2 kohm"},
    "weights": {"current_min": "100 nA", "current_max": "5 uA"},
    "read": {"voltage": "0.3 V", "bits": 8, "t_max": "256 ns"},
}
ACCESS, BENT = {"access_resistance": "3 kohm"}, {"sinh_voltage": "0.25 V"}
CELLS = {
    "linear": ("disconnected", ACCESS), "bent": ("disconnected", {**ACCESS, **BENT}), "clamped": ("clamped", BENT),
}  # fmt: skip


@pytest.fixture(scope="module", params=CELLS)
def fitted(request, make_design, engine, tmp_path_factory):
    """A 6x4 design with strong drops, its campaign and the surrogate fitted to it."""
    idle, cell = CELLS[request.param]
    design = make_design(6, 4, {"kind": "resistive", **cell}, array={"idle": idle}, **SECTIONS)
    plan = standard_plan(design, read_curve(design, engine), size=PlanSize(patterns=2, weights=2))
    data = run_campaign(design, plan, engine, tmp_path_factory.mktemp("switched"), workers=1)
    return design, data, fit_dataset(data)


def test_unseen_runs_are_predicted_and_pass(fitted):
    design, data, surrogate = fitted
    report = validate_dataset(surrogate, data)
    assert report["passed"]
    for role in ("patterns", "weights"):
        assert report["roles"][role]["ser_db"] > 65
        assert report["roles"][role]["median_cell_error"] < 1e-3
    assert report["fast_engine_ser_db"] > (55 if design.cell.sinh_voltage is None else 45)
    budget = {entry["effect"]: entry["ser_db"] for entry in report["budget"]}
    assert budget["bit_line_drop"] < 30
    assert budget.get("access", 0.0) < 45 and ("access" in budget) == (design.array.idle == "disconnected")


def test_the_fit_finds_the_design_s_numbers(fitted):
    design, _, surrogate = fitted
    wanted = [100, 30, 200, 2000] if design.cell.access_resistance is None else [100, 30, 200, 2000, 3000]
    ohms = torch.exp(surrogate.shared[: len(wanted)]) * design.read.voltage / surrogate.current_scale
    bend = 0 if design.cell.sinh_voltage is None else (0.3 / 0.25) ** 2
    assert ohms.tolist() == pytest.approx(wanted, rel=1e-2, abs=0)
    assert float(surrogate.shared[-2]) == pytest.approx(bend, rel=1e-3, abs=1e-3)
    if design.array.idle == "disconnected":
        assert float(surrogate.shared[-1]) == pytest.approx(1 / 256 / 6, rel=0.15, abs=0)


@pytest.mark.parametrize(("rows", "columns"), [(12, 3), (3, 7)])
def test_arrays_of_other_sizes_are_predicted(fitted, engine, tmp_path, rows, columns):
    design, _, surrogate = fitted
    design = design.resized(rows, columns)
    rng = np.random.default_rng(1)
    cells = random_cells(rng, design, read_curve(design, engine), 1)
    duration = random_durations(rng, design, 2)
    predicted = surrogate.charge(duration, surrogate.states(cells[0]))
    data = simulate_many(design, cells, duration, np.zeros(2, dtype=np.int64), engine, tmp_path, workers=1)
    assert decibel(data.charge, predicted) > 65
