"""A run that was verified is what its files say; whatever is changed in it afterwards is found."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cosim.campaigns.campaign import run_campaign
from cosim.campaigns.plan import Plan
from cosim.errors import InputError
from cosim.files.dataset import DataSet, load_dataset, save_dataset
from cosim.files.folders import write_json
from cosim.run_folder.belonging import artefact_differences, layer_folders
from cosim.run_folder.verify import LEVEL_DB, verify_run
from cosim.spice.ngspice import Ngspice
from surrogate.files import load_surrogate, save_surrogate
from tests.cosim.command_line import fgcosim
from tests.cosim.small_run import ARRAY, make_run

RUNS = 2


@pytest.fixture(scope="module")
def whole(make_design, engine: Ngspice, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run, not to be changed."""
    folder = tmp_path_factory.mktemp("verify") / "run"
    make_run(make_design(4, 4, "resistive", **ARRAY), engine, folder)
    return folder


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(whole, tmp_path / "run")
    return tmp_path / "run"


def test_a_run_is_what_it_was(whole: Path) -> None:
    result = verify_run(whole, runs=RUNS, workers=2)
    assert result.passed and result.differences == () and result.notes == ()
    assert {r.data for r in result.repetitions} == {"data.h5", "signoff/layer-0/data.h5", "signoff/layer-1/data.h5"}
    assert len(result.repetitions) == 3 * RUNS
    assert all(r.equal and r.level_db is None and r.ser_db == 300 for r in result.repetitions)
    data = load_dataset(whole / "data.h5")
    assert result.samples == len(data) + 4  # two images through two layers


def test_the_seed_draws_the_runs(whole: Path) -> None:
    drawn = [[r.run for r in verify_run(whole, runs=2, seed=seed).repetitions] for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def changed(run: Path, change: Callable[[DataSet], DataSet]) -> None:
    """Change the data set and keep its checksum right, as a wrong program would."""
    save_dataset(change(load_dataset(run / "data.h5")), run / "data.h5")


def nudged(data: DataSet, name: str) -> DataSet:
    """All values of one array, each to the next number."""
    return replace(data, **{name: np.nextafter(getattr(data, name), np.inf)})


@pytest.mark.parametrize(
    ("name", "word"), [("charge", "charge"), ("slot_current", "slot currents"), ("energy", "energy")]
)
def test_one_wrong_digit_is_found_in_samples_and_in_repetitions(run: Path, name: str, word: str) -> None:
    changed(run, lambda data: nudged(data, name))
    result = verify_run(run, runs=1)
    first = result.repetitions[0]
    assert not result.passed and not first.passed and not first.equal and min(first.ser_db, first.energy_db) > 250
    assert any(f"data.h5: run 0: {word} differ from its sample" in line for line in result.differences)
    assert any("data.h5: run" in line and "demanded is the last digit" in line for line in result.differences)
    assert verify_run(run, runs=1, level_db=LEVEL_DB).repetitions[0].passed


def test_swapped_runs_are_found(run: Path) -> None:
    changed(run, lambda data: replace(data, charge=data.charge[::-1]))
    assert any("charge differ" in line for line in verify_run(run, runs=0).differences)


def test_damaged_and_missing_samples_are_counted(run: Path) -> None:
    for k, path in enumerate(sorted((run / "samples").glob("*.sample"))):
        if k % 2:
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:-1])
    count = len(load_dataset(run / "data.h5"))
    (line,) = verify_run(run, runs=0).differences
    assert line.startswith(f"data.h5: {count} of {count} samples missing or damaged")


def test_samples_that_were_not_kept_are_a_note(run: Path) -> None:
    shutil.rmtree(run / "samples")
    result = verify_run(run, runs=0)
    assert result.passed and any("samples" in note or "sample files" in note for note in result.notes)


def _other_json(name: str, *keys: str) -> Callable[[Path], None]:
    def change(run: Path) -> None:
        content = json.loads((run / name).read_text())
        entry = content
        for key in keys[:-1]:
            entry = entry[key]
        entry[keys[-1]] = "0" * 64 if isinstance(entry[keys[-1]], str) else 0.123
        write_json(content, run / name)

    return change


def _other_surrogate(run: Path) -> None:
    surrogate = load_surrogate(run / "surrogate.safetensors")
    save_surrogate(replace(surrogate, current_scale=surrogate.current_scale * 1.01), run / "surrogate.safetensors")


def _other_report(run: Path) -> None:
    surrogate = load_surrogate(run / "surrogate.safetensors")
    report = json.loads(json.dumps(surrogate.report))
    report["roles"]["weights"]["ser_db"] += 1
    save_surrogate(surrogate.with_report(report), run / "surrogate.safetensors")


def _other_waveforms(run: Path) -> None:
    with np.load(run / "waveforms.npz") as file:
        arrays = dict(file)
    np.savez(run / "waveforms.npz", **{**arrays, "duration": arrays["duration"][::-1].copy()})


@pytest.mark.parametrize(
    ("change", "file"),
    [
        (_other_json("run.json", "design_hash"), "run.json"),
        (_other_json("network.json", "provenance", "surrogate_hash"), "network.json"),
        (_other_json("network.json", "provenance", "network_hash"), "network.json"),
        (_other_json("signoff.json", "provenance", "network_hash"), "signoff.json"),
        (_other_json("signoff.json", "provenance", "layer_1_hash"), "signoff.json"),
        (_other_json("signoff.json", "energy_per_vmm_j"), "signoff.json"),
        (_other_json("summary.json", "surrogate", "ser_db", "weights"), "summary.json"),
        (_other_json("summary.json", "network", "accuracy", "retrained"), "summary.json"),
        (_other_json("summary.json", "provenance", "dataset_hash"), "summary.json"),
        (_other_surrogate, "network.safetensors"),
        (_other_report, "surrogate.safetensors"),
        (_other_waveforms, "waveforms.npz"),
        (lambda run: (run / "signoff.json").write_text("{"), "signoff.json"),
        (lambda run: (run / "network.safetensors").write_bytes(b"x" * 99), "network.safetensors"),
        (lambda run: (run / "report.html").write_text("of another run"), "report.html"),
        (lambda run: shutil.rmtree(run / "signoff"), "signoff.json"),
    ],
)
def test_artefacts_that_do_not_belong_together(run: Path, change: Callable[[Path], None], file: str) -> None:
    layers = {folder.name: load_dataset(folder / "data.h5") for folder in layer_folders(run)}
    assert artefact_differences(run, load_dataset(run / "data.h5"), layers) == []
    change(run)
    left = {name: data for name, data in layers.items() if (run / "signoff" / name).is_dir()}
    differences = artefact_differences(run, load_dataset(run / "data.h5"), left)
    assert any(file in line for line in differences)
    assert all("\n" not in line for line in differences)


def test_the_data_set_of_another_campaign(run: Path, make_design, engine: Ngspice, tmp_path: Path) -> None:
    design = make_design(4, 4, "resistive", **ARRAY)
    data = load_dataset(run / "data.h5")
    plan = Plan(data.cells * 0.9, data.duration, data.weights_index, data.role, 8)
    save_dataset(run_campaign(design, plan, engine, tmp_path / "other"), run / "data.h5")
    lines = "\n".join(verify_run(run, runs=0).differences)
    for name in ("surrogate.safetensors", "network.safetensors", "network.json", "signoff.json", "summary.json"):
        assert name in lines
    assert "samples missing" in lines


def test_another_release_need_only_agree(whole: Path, fake_ngspice) -> None:
    """Decks of another release and solver: results that differ in their last digits, and say so."""
    fake_ngspice('exec "$REAL" "$@"')
    script = Path(os.environ["FGCOSIM_NGSPICE"])
    script.write_text(script.read_text().replace('exec "$REAL" --version', "{ echo ngspice-40; exit 0; }"))
    result = verify_run(whole, runs=1)
    assert result.simulator == "ngspice-40"
    assert result.passed and len(result.notes) == 3 and f"{LEVEL_DB:g} dB" in result.notes[0]
    assert all(r.level_db == LEVEL_DB and r.ser_db > LEVEL_DB for r in result.repetitions)


def test_a_wrong_simulator_is_found(whole: Path, fake_ngspice) -> None:
    """One that drives the switches with other resistances."""
    fake_ngspice('sed -i "s/2000/2500/" "$5"; sed -i "s/2kohm/3kohm/" "$5"; exec "$REAL" "$@"')
    result = verify_run(whole, runs=1)
    assert not result.passed and not any(r.passed for r in result.repetitions if r.data == "data.h5")


def test_a_simulator_that_fails_is_a_difference(whole: Path, fake_ngspice) -> None:
    fake_ngspice("kill -SEGV $$")
    result = verify_run(whole, runs=1)
    assert len(result.differences) == 3 and all("cannot be repeated" in line for line in result.differences)


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no data\.h5"):
        verify_run(tmp_path)
    (tmp_path / "data.h5").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"data\.h5"):
        verify_run(tmp_path)


def test_the_command_line_says_what_it_found(run: Path, tmp_path: Path) -> None:
    done = fgcosim("verify", "run", "--runs", "1", cwd=tmp_path)
    assert done.returncode == 0 and "verified" in done.stdout and "signoff/layer-1/data.h5" in done.stdout
    changed(run, lambda data: nudged(data, "charge"))
    done = fgcosim("verify", "run", "--runs", "1", "--json", cwd=tmp_path)
    result = json.loads(done.stdout)
    assert done.returncode == 1 and not result["passed"]
    assert len(result["repetitions"]) == 3 and result["differences"]
    done = fgcosim("verify", "run", "--runs", "1", cwd=tmp_path)
    assert done.returncode == 1 and "differs: data.h5: run " in done.stdout
    for arguments in (("verify", "nowhere"), ("verify", "run", "--runs", "-1")):
        assert fgcosim(*arguments, cwd=tmp_path).returncode == 2
