"""The command line as a user meets it: exit statuses, one line of error, nothing overwritten."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cosim.files.measurements import load_measurements, save_measurements
from netlists.designfile import dump_design, load_design
from tests.cosim.command_line import fgcosim


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """The command exited with 2 and said so in one line that holds all ``words``."""
    assert done.returncode == 2, done.stderr
    line = done.stderr.strip()
    assert "\n" not in line and "Traceback" not in line, line
    for word in words:
        assert word in line, line


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A design file of a 4x4 array."""
    design = load_design("default").resized(4, 4).model_copy(update={"name": "tiny"})
    path = tmp_path / "tiny.yaml"
    path.write_text(dump_design(design), encoding="utf-8")
    return path


def test_help_lists_every_command(tmp_path: Path) -> None:
    done = fgcosim("--help", cwd=tmp_path)
    assert done.returncode == 0
    for name in ("run", "simulate", "generate", "fit", "validate", "retrain", "signoff", "report"):
        assert name in done.stdout
        assert fgcosim(name, "--help", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("rows: 4", "rows: 0", ["array.rows"]),
        ("rows: 4", "rowz: 4", ["array.row", "tiny.yaml:"]),
        ("voltage: 1.2 V", "voltage: 1.2", ["read.voltage", "1.2 V"]),
        ("voltage: 1.2 V", "voltage: 1.2 A", ["read.voltage"]),
        ("substrate: 1.23e-16 F", "substrate: -1 aF", ["coupling.substrate"]),
    ],
)
def test_bad_designs_are_one_line(tiny: Path, old: str, new: str, words: list[str]) -> None:
    text = tiny.read_text(encoding="utf-8")
    assert old in text
    tiny.write_text(text.replace(old, new), encoding="utf-8")
    refused(fgcosim("simulate", "tiny.yaml", "-o", "q.csv", cwd=tiny.parent), *words)
    assert not (tiny.parent / "q.csv").exists()


def test_simulate_from_durations(tiny: Path) -> None:
    folder = tiny.parent
    (folder / "t.csv").write_text("T_0,T_1,T_2,T_3\n1e-6,0,5e-7,2.5e-7\n0,0,1e-6,0\n", encoding="utf-8")
    done = fgcosim("simulate", "tiny.yaml", "-o", "q.csv", "--durations", "t.csv", "--decks", "decks", cwd=folder)
    assert done.returncode == 0, done.stderr
    data = load_measurements(folder / "q.csv")
    np.testing.assert_array_equal(data.duration[0], [1e-6, 0, 5e-7, 2.5e-7])
    assert (data.charge > 0).all()
    deck = (folder / "decks/decks/run-0.cir").read_text(encoding="utf-8")
    assert ".param t_0=1e-06" in deck and ".subckt fgcell" in deck


def test_durations_beyond_t_max(tiny: Path) -> None:
    (tiny.parent / "t.csv").write_text("T_0,T_1,T_2,T_3\n2e-6,0,0,0\n", encoding="utf-8")
    done = fgcosim("simulate", "tiny.yaml", "-o", "q.csv", "--durations", "t.csv", cwd=tiny.parent)
    refused(done, "t.csv", "duration", "t_max")


def test_no_ngspice(tiny: Path) -> None:
    done = fgcosim("simulate", "tiny.yaml", "-o", "q.csv", cwd=tiny.parent, env={"FGCOSIM_NGSPICE": "/nowhere/ngspice"})
    refused(done, "/nowhere/ngspice", "install")


def test_runs_as_a_process(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "cosim.cli", "fit", "none.h5", "-o", "s.safetensors"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    refused(done, "none.h5")


def test_missing_and_foreign_files(tmp_path: Path) -> None:
    (tmp_path / "x.h5").write_bytes(b"not hdf5 at all")
    (tmp_path / "x.safetensors").write_bytes(b"\x10" + b"\0" * 30)
    (tmp_path / "m.csv").write_text("T_0,Q_0\n1e-6,1e-12\n2e-6\n", encoding="utf-8")
    refused(fgcosim("fit", "none.h5", "-o", "s.safetensors", cwd=tmp_path), "none.h5")
    refused(fgcosim("fit", "x.h5", "-o", "s.safetensors", cwd=tmp_path), "x.h5")
    refused(fgcosim("fit", "m.csv", "-o", "s.safetensors", cwd=tmp_path), "m.csv:3")
    refused(fgcosim("validate", "x.safetensors", "m.csv", cwd=tmp_path), "x.safetensors")
    refused(fgcosim("retrain", "x.safetensors", "-o", "out", cwd=tmp_path), "x.safetensors")
    refused(fgcosim("report", "nothing", cwd=tmp_path), "nothing")
    assert not (tmp_path / "s.safetensors").exists() and not (tmp_path / "out").exists()


def synthetic_measurements(folder: Path, seed: int, name: str, n: int = 40) -> None:
    """Charges of an array with crosstalk and drop, from the reference model: stands for a measured chip."""
    import torch

    from surrogate.model import charges
    from surrogate.parameters import positions, start_values, unflatten

    flat = start_values()
    flat[positions("kappa")] = torch.tensor([-0.05, -0.2, -0.8, -0.05, -0.05, -0.8, -0.2, -0.05], dtype=torch.float64)
    state = torch.from_numpy(np.random.default_rng(7).uniform(-4, 1, (1, 6, 3)))
    rng = np.random.default_rng(seed)
    duration = rng.integers(0, 256, (n, 6)) / 255
    charge = charges(unflatten(flat), state, torch.from_numpy(duration)).numpy()
    save_measurements(duration * 1e-6, charge * 1e-13, folder / name)


def test_measurements_in_other_units_are_warned_of(tmp_path: Path) -> None:
    synthetic_measurements(tmp_path, 1, "fit.csv")
    right = load_measurements(tmp_path / "fit.csv")
    save_measurements(right.duration * 1e6, right.charge * 1e12, tmp_path / "micro.csv")
    done = fgcosim("fit", "micro.csv", "-o", "s.safetensors", cwd=tmp_path)
    assert done.returncode == 0
    warnings = [line for line in done.stderr.splitlines() if "warning" in line]
    assert [line.split("are ")[-1] for line in warnings] == ["durations in seconds?", "charges in coulombs?"]
    assert all(line.startswith("fgcosim: warning: micro.csv:") for line in warnings)


def test_fit_and_validate_measurements(tmp_path: Path) -> None:
    synthetic_measurements(tmp_path, 1, "fit.csv")
    synthetic_measurements(tmp_path, 2, "other.csv", 20)
    done = fgcosim("fit", "fit.csv", "-o", "s.safetensors", cwd=tmp_path)
    assert done.returncode == 0 and "warning" not in done.stderr
    assert re.search(r"s\.safetensors: SER of the fit to its own 40 measurements \d+\.\d dB", done.stdout)
    done = fgcosim("validate", "s.safetensors", "other.csv", "--json", cwd=tmp_path)
    result = json.loads(done.stdout)
    assert done.returncode == 0 and result["passed"]
    assert result["ser_db"] > 50 > result["ideal_least_squares_ser_db"]
    assert result["ideal_one_hot_ser_db"] is None
    strict = fgcosim("validate", "s.safetensors", "other.csv", "--json", "--ser", "250", cwd=tmp_path)
    assert strict.returncode == 1 and not json.loads(strict.stdout)["passed"]
    refused(fgcosim("validate", "s.safetensors", "fit.csv", cwd=tmp_path), "fit")
    refused(fgcosim("retrain", "s.safetensors", "-o", "out", cwd=tmp_path), "failed")
