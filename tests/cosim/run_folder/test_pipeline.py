"""The whole job on a small array, in real ngspice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from cosim.campaigns.plan import PlanSize
from cosim.errors import InputError
from cosim.progress import Stages
from cosim.run_folder.pipeline import Job, network_durations, run
from netlists.design import Design, Levels
from netlists.designfile import load_design
from surrogate.training.comparison import ComparisonRecipe


def quiet() -> Stages:
    """Progress that shows nothing."""
    return Stages(Console(quiet=True))


def small(rows: int = 8) -> Design:
    """The default cells in a small array."""
    return load_design("default").resized(rows, 8)


def test_network_durations_fit_the_design() -> None:
    design = small()
    widths = network_durations(design, count=20)
    assert widths.shape[1] == 8 and widths.max() <= design.read.t_max
    codes = widths / design.read.t_max * 255
    np.testing.assert_allclose(codes, np.round(codes), atol=1e-9)


def test_a_folder_belongs_to_one_design(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"design_hash": "of another"}', encoding="utf-8")
    with pytest.raises(InputError, match="another design"):
        run(Job(small(), tmp_path), quiet())


@pytest.mark.long
def test_whole_job_on_resistive_cells(tmp_path: Path) -> None:
    from netlists.design import ResistiveCell

    design = small().model_copy(update={"cell": ResistiveCell(kind="resistive")})
    summary = run(Job(design, tmp_path, seeds=1, images=1, recipe=ComparisonRecipe(retraining_epochs=2)), quiet())
    assert summary["surrogate"]["passed"]
    assert min(summary["surrogate"]["ser_db"].values()) > 70
    assert (tmp_path / "report.html").is_file()


@pytest.mark.long
def test_whole_job_on_disconnected_cells(tmp_path: Path) -> None:
    """The built-in PCM design in a small array: fitted, judged, trained through, signed off, and reported as such."""
    design = load_design("pcm").resized(16, 8)
    summary = run(Job(design, tmp_path, seeds=1, images=1, recipe=ComparisonRecipe(retraining_epochs=2)), quiet())
    assert summary["surrogate"]["passed"] and min(summary["surrogate"]["ser_db"].values()) > 70
    assert summary["network"]["signoff"]["class_agreement"] == 1 and summary["network"]["signoff"]["ser_db"] > 55
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Array of resistive cells “pcm" in text and "loating" not in text


@pytest.mark.long
def test_whole_job_and_again(tmp_path: Path) -> None:
    job = Job(small(), tmp_path, seeds=1, images=1, size=PlanSize(), recipe=ComparisonRecipe(retraining_epochs=2))
    summary = run(job, quiet())
    assert summary["surrogate"]["passed"]
    assert summary["surrogate"]["ser_db"]["weights"] > 50
    assert summary["network"]["signoff"]["ser_db"] > 40
    for name in ("data.h5", "surrogate.safetensors", "network.safetensors", "summary.json", "report.html"):
        assert (tmp_path / name).is_file()
    stamps = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("samples/*.npz")}
    again = run(job, quiet())
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("samples/*.npz")} == stamps
    assert again["surrogate"]["ser_db"] == summary["surrogate"]["ser_db"]
    assert again["network"]["accuracy"] == summary["network"]["accuracy"]


@pytest.mark.long
def test_a_failed_validation_stops_the_job(tmp_path: Path) -> None:
    design = small(4).model_copy(update={"levels": Levels().model_copy(update={"ser": 200.0})})
    summary = run(replace(Job(design, tmp_path), seeds=1), quiet())
    assert not summary["surrogate"]["passed"] and summary["surrogate"]["failed"] == ["ser"]
    assert not (tmp_path / "network.json").exists()
    assert json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))["surrogate"]["failed"] == ["ser"]
