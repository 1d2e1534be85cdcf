"""Every artefact says where it comes from, and equal runs write equal files, however many workers they have."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors import safe_open

from cosim.commands.simulate import simulate_csv
from cosim.files.dataset import load_dataset
from cosim.files.folders import file_hash, read_json
from cosim.files.measurements import load_measurements
from cosim.files.provenance import Provenance, network_hash, surrogate_hash
from cosim.progress import Stages
from cosim.spice.ngspice import Ngspice
from cosim.version import PACKAGES, _source_hash, code_version
from netlists.designfile import dump_design
from surrogate.files import load_surrogate
from surrogate.tensor_file import save_tensors
from tests.cosim.small_run import ARRAY, make_run

LOCKS = ("*.lock",)
"""Files that name the process that holds a folder."""


@pytest.fixture(scope="module")
def design(make_design):
    """A small resistive array."""
    return make_design(4, 4, "resistive", **ARRAY)


@pytest.fixture(scope="module")
def run(design, engine: Ngspice, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run, simulated by one worker."""
    folder = tmp_path_factory.mktemp("provenance") / "run"
    make_run(design, engine, folder, workers=1)
    return folder


def _header(path: Path) -> dict[str, Any]:
    with safe_open(path, framework="pt") as file:
        header: dict[str, Any] = json.loads(file.metadata()["header"])
    return header


def _origins(run: Path) -> dict[str, dict[str, Any]]:
    """What every artefact says of itself."""
    surrogate = load_surrogate(run / "surrogate.safetensors")
    origins = {name: read_json(run / name)["provenance"] for name in ("network.json", "signoff.json", "summary.json")}
    origins["surrogate"] = surrogate.provenance
    origins["network"] = _header(run / "network.safetensors")
    with np.load(run / "waveforms.npz") as file:
        origins["waveforms"] = json.loads(str(file["provenance"]))
    for path in (run / "data.h5", *run.glob("signoff/*/data.h5")):
        data = load_dataset(path)
        origins[str(path)] = {**vars(data), "design": "test", "options": json.loads(data.options)}
    return origins


def test_every_artefact_says_which_design_code_simulator_and_options(run: Path, design, engine: Ngspice) -> None:
    for name, origin in _origins(run).items():
        assert origin["design_hash"] == design.hash, name
        assert origin["design"] == "test", name
        assert origin["code_version"] == code_version(), name
        assert origin["simulator"] == engine.label, name
        assert origin["options"] == engine.options(), name


def test_every_artefact_names_what_it_was_made_from(run: Path) -> None:
    origins, surrogate = _origins(run), load_surrogate(run / "surrogate.safetensors")
    data = load_dataset(run / "data.h5")
    for name in ("surrogate", "network", "network.json", "signoff.json", "summary.json"):
        assert origins[name]["dataset_hash"] == data.hash, name
    for name in ("network", "network.json", "signoff.json", "summary.json"):
        assert origins[name]["surrogate_hash"] == surrogate_hash(surrogate), name
    with safe_open(run / "network.safetensors", framework="pt") as file:
        network = network_hash({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    assert origins["network.json"]["network_hash"] == origins["signoff.json"]["network_hash"] == network
    for k in (0, 1):
        layer = load_dataset(run / "signoff" / f"layer-{k}" / "data.h5")
        assert origins["signoff.json"][f"layer_{k}_hash"] == layer.hash


def _contents(folder: Path) -> dict[str, bytes]:
    files = [p for p in folder.rglob("*") if p.is_file() and not any(p.match(lock) for lock in LOCKS)]
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


@pytest.mark.parametrize("workers", [2, 3])
def test_a_run_is_the_same_to_the_last_byte_however_many_workers(
    run: Path, design, engine: Ngspice, tmp_path: Path, workers: int
) -> None:
    make_run(design, engine, tmp_path / "again", workers)
    first, second = _contents(run), _contents(tmp_path / "again")
    assert len(first) > 40 and first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


@pytest.mark.long
def test_a_whole_job_is_the_same_to_the_last_byte_however_many_workers(tmp_path: Path) -> None:
    """Training and report included; the only differences are wall times."""
    from cosim.run_folder.pipeline import Job, run
    from cosim.run_folder.verify import verify_run
    from netlists.designfile import load_design
    from surrogate.training.comparison import ComparisonRecipe

    for workers in (1, 2):
        recipe = ComparisonRecipe(software_epochs=10, retraining_epochs=2)
        job = Job(load_design("default").resized(8, 8), tmp_path / str(workers), 2, 1, workers, recipe=recipe)
        run(job, Stages(Console(quiet=True)))
    first, second = _contents(tmp_path / "1"), _contents(tmp_path / "2")
    assert first.keys() == second.keys()
    assert {name for name in first if first[name] != second[name]} <= {"summary.json", "report.html"}
    summaries = [json.loads(files["summary.json"]) for files in (first, second)]
    for summary in summaries:
        summary.pop("wall_seconds")
    assert summaries[0] == summaries[1]
    pages = [files["report.html"].decode() for files in (first, second)]
    timed = [page[: page.index("<h3>Wall time</h3>")] + page[page.index("<footer>") :] for page in pages]
    assert timed[0] == timed[1]
    assert verify_run(tmp_path / "1", runs=1).passed


def test_measurements_have_their_origin_beside_them(design, engine: Ngspice, tmp_path: Path) -> None:
    (tmp_path / "d.yaml").write_text(dump_design(design), encoding="utf-8")
    for name in ("a", "b"):
        simulate_csv(
            str(tmp_path / "d.yaml"), tmp_path / f"{name}.csv", 2, None, None, 5, 1, Stages(Console(quiet=True))
        )
    origin = read_json(tmp_path / "a.csv.json")
    assert (origin["design_hash"], origin["simulator"], origin["seed"]) == (design.hash, engine.label, 5)
    assert origin["code_version"] == code_version() and origin["options"] == engine.options()
    assert origin["csv_hash"] == file_hash(tmp_path / "a.csv") == load_measurements(tmp_path / "a.csv").hash
    for end in ("csv", "csv.json"):
        assert (tmp_path / f"a.{end}").read_bytes() == (tmp_path / f"b.{end}").read_bytes()


def test_equal_tensor_files_are_equal_in_every_byte(tmp_path: Path) -> None:
    metadata = {name: name * 3 for name in ("format", "header", "z", "é")}
    tensors = {"b": torch.arange(6, dtype=torch.float64).reshape(2, 3), "a": torch.tensor(True)}
    contents = set()
    for _ in range(20):
        save_tensors(tensors, metadata, tmp_path / "x")
        contents.add((tmp_path / "x").read_bytes())
    assert len(contents) == 1
    with safe_open(tmp_path / "x", framework="pt") as file:
        assert file.metadata() == metadata
        assert all(torch.equal(file.get_tensor(name), tensor) for name, tensor in tensors.items())


def test_what_does_not_apply_is_left_out() -> None:
    assert Provenance(made_from={"measurements": "m"}).as_dict() == {
        "code_version": code_version(), "measurements_hash": "m",
    }  # fmt: skip


def test_the_code_version_changes_with_every_source(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[3]
    for package in PACKAGES:
        shutil.copytree(root / package, tmp_path / package)
    same = _source_hash(tmp_path)
    assert same[:8] in code_version() or same == _source_hash(root)
    (tmp_path / "cosim" / "__pycache__" / "x.pyc").parent.mkdir(exist_ok=True)
    (tmp_path / "cosim" / "__pycache__" / "x.pyc").write_bytes(b"compiled")
    assert _source_hash(tmp_path) == same
    with (tmp_path / "surrogate" / "model.py").open("a") as file:
        file.write("#\n")
    changed = _source_hash(tmp_path)
    (tmp_path / "netlists" / "errors.py").rename(tmp_path / "netlists" / "faults.py")
    assert len({same, changed, _source_hash(tmp_path)}) == 3
