"""One point in real ngspice: what is kept of it, when it is computed again, and how it fails."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest

from cosim.files.dataset import load_dataset
from cosim.study import run
from cosim.study.point import FIGURES, PointTask, compute, finished
from cosim.vmm.programming import read_curve
from cosim.vmm.stored_charge import gate_charge
from netlists.designfile import parse_design
from tests.cosim.study.small_study import study_of


@pytest.fixture(scope="module")
def task(engine, tmp_path_factory) -> PointTask:
    """A computed point: the first of the small study."""
    folder = tmp_path_factory.mktemp("point")
    study, points = study_of(folder)
    point = points.points[0]
    made = PointTask(
        point.name, point.design, folder, study.extraction, study.network, study.campaign, engine, folder / "point"
    )
    compute(made)
    return made


def test_figures_of_a_point(task):
    found = finished(task)
    assert found is not None and found["status"] == "done"
    figures = found["figures"]
    assert figures.keys() <= FIGURES.keys()
    assert figures["ser_least"] == min(figures["ser_patterns"], figures["ser_weights"]) > 48
    assert figures["area_per_cell"] == pytest.approx(1.4e-6**2, rel=1e-9, abs=0)
    assert figures["ideal_one_hot"] < figures["ser_least"]


def test_shifts_follow_the_extracted_couplings(task):
    figures = finished(task)["figures"]
    assert figures["shift_own"] < figures["shift_near"] < figures["shift_far"] < 0
    by_capacitance = figures["coupling_near"] / figures["coupling_own"]
    assert figures["shift_near"] / figures["shift_own"] < by_capacitance  # the transistor's overlap is own, too


@pytest.mark.long
def test_cells_are_programmed_to_currents_that_do_not_depend_on_the_layout(task, engine, tmp_path):
    """Matrix 0 of two layouts: different voltages, the same one-hot currents."""
    other = replace(
        task, folder=tmp_path / "other", design=study_of(tmp_path)[1].points[1].design,
        campaign=task.campaign.model_copy(update={"patterns": 1, "weights": 1}),
    )  # fmt: skip
    compute(other)
    volts, currents = [], []
    for folder in (task.folder, other.folder):
        data = load_dataset(folder / "data.h5")
        design = parse_design(data.design_yaml, "design")
        curve = read_curve(design, engine)
        volts.append(data.cells[0])
        currents.append(np.exp(np.interp(data.cells[0], curve.state, np.log(curve.current))))
    assert np.abs(volts[0] - volts[1]).max() > 1e-3
    np.testing.assert_allclose(currents[0], currents[1], rtol=1e-9)


@pytest.mark.long
def test_cells_programmed_at_the_nominal_point_keep_their_charges(engine, tmp_path):
    """Over temperatures, where cells programmed at each differ; weak currents rise with it, strong ones fall."""
    grid = {"read.temperature": ["0 degC", "27 degC", "60 degC"]}
    campaign = {"fit": 2, "patterns": 2, "weights": 2, "network": 0}
    charges, figures = dict[str, list[np.ndarray]](), list[dict[str, float]]()
    for programming in ("nominal", "each"):
        study, points = study_of(tmp_path, grid=grid, campaign=campaign, extraction="none", programming=programming)
        for k in range(3):
            made = run._task(study, points, k, engine, tmp_path / programming, None)
            compute(made)
            data = load_dataset(made.folder / "data.h5")
            here = parse_design(data.design_yaml, "design")
            assert here.read.temperature == points.points[k].design.read.temperature
            curve = gate_charge(here, float(data.cells.min()), float(data.cells.max()), engine)
            charges.setdefault(programming, []).append(curve.of(data.cells))
            if programming == "nominal":
                figures.append(json.loads((made.folder / "result.json").read_text())["figures"])
    cold, nominal, hot = charges["nominal"]
    np.testing.assert_allclose([cold, hot], [nominal, nominal], rtol=1e-5)
    np.testing.assert_allclose(charges["each"][1], nominal, rtol=1e-9)
    assert min(np.abs(charges["each"][k] / nominal - 1).max() for k in (0, 2)) > 5e-3
    assert figures[0]["kept_current_min"] < figures[1]["kept_current_min"] < figures[2]["kept_current_min"]
    assert figures[0]["kept_current_max"] > figures[1]["kept_current_max"] > figures[2]["kept_current_max"]
    weights = here.weights
    assert figures[1]["kept_current_min"] == pytest.approx(weights.current_min, rel=1e-6, abs=0)
    assert figures[1]["kept_current_max"] == pytest.approx(weights.current_max, rel=1e-6, abs=0)


def test_a_finished_point_is_recognised_by_all_that_decides_it(task):
    assert finished(replace(task, folder=task.folder, workers=7, scheduler="tcp://x:1")) is not None
    network = task.network.model_copy(update={"seeds": 1})
    campaign = task.campaign.model_copy(update={"patterns": 4})
    design = task.design.model_copy(update={"layout": task.design.layout.model_copy(update={"row_pitch": 1.5e-6})})
    for other in (
        replace(task, network=network), replace(task, campaign=campaign), replace(task, design=design),
        replace(task, extraction="none"), replace(task, programmed_as=design),
        replace(task, engine=replace(task.engine, version="0")),
    ):  # fmt: skip
        assert finished(other) is None


def test_a_damaged_result_is_none(task, tmp_path):
    other = replace(task, folder=tmp_path)
    for content in ("", "[]", '{"key": 1}', json.dumps({"key": task.key, "status": "failed", "figures": {}})):
        (tmp_path / "result.json").write_text(content)
        assert finished(other) is None


def test_a_broken_rule_is_a_reason(task, tmp_path):
    layout = task.design.layout.model_copy(update={"row_pitch": 1.2e-6})
    compute(replace(task, folder=tmp_path, design=task.design.model_copy(update={"layout": layout})))
    found = json.loads((tmp_path / "result.json").read_text())
    assert found["status"] == "failed" and "layout.row_pitch: 1.2 um is less than" in found["reason"]


def test_a_surrogate_below_its_level_is_a_reason_and_keeps_its_figures(task, tmp_path):
    """In the folder of the computed point, whose samples are used again and whose other files are not."""
    levels = task.design.levels.model_copy(update={"ser": 200.0})
    folder = tmp_path / "again"
    shutil.copytree(task.folder, folder)
    (folder / "network.json").write_text("of another variant")
    compute(replace(task, folder=folder, design=task.design.model_copy(update={"levels": levels})))
    found = json.loads((folder / "result.json").read_text())
    assert found["status"] == "failed" and "ser " in found["reason"] and "(level 200)" in found["reason"]
    assert math.isclose(found["figures"]["ser_least"], finished(task)["figures"]["ser_least"])
    assert not (folder / "network.json").exists()
