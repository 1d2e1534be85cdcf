"""Whole studies in processes of their own: any number of workers, points that fail, studies that are killed."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from cosim.study import run
from cosim.study.results import provenance_of, table_of, write_csv, write_hdf5
from cosim.study.run import Outcome, run_points
from tests.cosim.study.small_study import study_of, write_study

THREE = {"layout.row_pitch": ["1.4 um", "1.2 um", "1.6 um"]}


def test_table_is_the_same_in_csv_and_hdf5(engine, tmp_path):
    study, points = study_of(tmp_path, grid=THREE)
    outcomes = [
        Outcome("a", {"ser_least": 1 / 3, "area_per_cell": 1.96e-12}, "", {"design": "a"}),
        Outcome("b", {}, 'too narrow, "0.1 um": widen it', {}),
        Outcome("c", {"ser_least": 50.0}, "", {}),
    ]
    table = table_of(points, outcomes)
    write_csv(table, tmp_path / "r.csv")
    write_hdf5(table, provenance_of(study, outcomes, engine), tmp_path / "r.h5")
    _assert_equal(tmp_path / "r.csv", tmp_path / "r.h5")
    first = (tmp_path / "r.h5").read_bytes()
    write_hdf5(table, provenance_of(study, outcomes, engine), tmp_path / "r.h5")
    assert (tmp_path / "r.h5").read_bytes() == first


def _assert_equal(table: Path, other: Path) -> None:
    rows = list(csv.DictReader(table.open(encoding="utf-8", newline="")))
    with h5py.File(other) as file:
        assert file.attrs["format"] == "fgcosim-study-1" and "small" in file.attrs["study"]
        names = [name.decode() if isinstance(name, bytes) else name for name in file.attrs["columns"]]
        assert len(rows) > 0 and len(rows[0]) == len(names)
        for name, title in zip(names, rows[0], strict=True):
            values, unit = file[name][:], file[name].attrs.get("unit", "")
            assert title == (f"{name} [{unit}]" if unit else name)
            texts = [row[title] for row in rows]
            if values.dtype.kind == "f":
                np.testing.assert_array_equal(values, [float(text) if text else np.nan for text in texts])
            else:
                assert [value.decode() for value in values] == texts


@pytest.mark.long
def test_a_process_that_dies_is_a_failed_point_and_finished_ones_are_kept(engine, tmp_path, monkeypatch):
    """Points that do not compute anything: one that is finished, two whose processes end with nothing."""
    monkeypatch.setattr(run, "_alone", os._exit)  # with a task as status: a TypeError in the new process
    study, points = study_of(tmp_path, grid=THREE)
    monkeypatch.setattr(run, "finished", lambda task: {} if task.name.endswith("1.4um") else None)
    folder = tmp_path / "out" / "points" / points.points[0].name
    folder.mkdir(parents=True)
    (folder / "result.json").write_text('{"figures": {"ser_least": 60.0}}')
    seen: list[tuple[int, int]] = []
    outcomes = run_points(study, points, engine, tmp_path / "out", 2, progress=lambda *at: seen.append(at))
    assert [outcome.done for outcome in outcomes] == [True, False, False]
    assert outcomes[0].figures == {"ser_least": 60.0}
    assert "ended with status 1" in outcomes[1].reason
    assert seen[0] == (1, 3) and seen[-1] == (3, 3)


def _command(path: Path, out: Path, *options: str) -> list[str]:
    return [sys.executable, "-W", "ignore", "-m", "cosim.cli", "study", str(path), "--out", str(out), *options]


@pytest.mark.long
def test_any_number_of_workers_gives_the_same_files(tmp_path):
    path = write_study(tmp_path, grid=THREE)
    for workers in ("1", "3"):
        done = subprocess.run(
            _command(path, tmp_path / workers, "--workers", workers), capture_output=True, text=True, check=False
        )
        assert done.returncode == 1, done.stderr  # a row pitch of 1.2 um breaks a rule
        assert "failed: row_pitch-1.2um: layout.row_pitch: 1.2 um is less than" in done.stdout
    for name in ("results.csv", "results.h5", "overview.svg", "kernel-layout-row-pitch.svg"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "3" / name).read_bytes(), name
    _assert_equal(tmp_path / "1" / "results.csv", tmp_path / "1" / "results.h5")


@pytest.mark.long
def test_a_killed_study_goes_on_where_it_stopped(tmp_path):
    path, out = write_study(tmp_path), tmp_path / "out"
    first, second = (out / "points" / f"row_pitch-{pitch}um" for pitch in ("1.4", "1.6"))
    process = subprocess.Popen(_command(path, out, "--workers", "1"), stderr=subprocess.DEVNULL)
    _wait_for(lambda: any((second / "samples").glob("*.sample")), process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (first / "result.json").is_file() and not (second / "result.json").exists()
    kept = {file: file.stat().st_mtime_ns for file in (first / "result.json", *(second / "samples").glob("*.sample"))}
    done = subprocess.run(_command(path, out, "--workers", "1"), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {file: file.stat().st_mtime_ns for file in kept} == kept
    whole = tmp_path / "whole"
    subprocess.run(_command(path, whole, "--workers", "2"), capture_output=True, check=True)
    assert (whole / "results.csv").read_bytes() == (out / "results.csv").read_bytes()


def _wait_for(condition, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 300
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline, "the study ended or hung"
        time.sleep(0.02)
