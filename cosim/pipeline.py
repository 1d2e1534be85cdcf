"""The main job: from a design file to a network retrained through a validated surrogate and signed off in SPICE."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cosim.campaign import run_campaign
from cosim.dataset import DataSet, load_dataset, save_dataset
from cosim.errors import InputError
from cosim.fitting import fit_dataset
from cosim.folders import write_json
from cosim.networks import accuracies, describe, load_network, retrain_seeds, save_network, tile_settings
from cosim.ngspice import Ngspice, find_ngspice
from cosim.plan import PlanSize, standard_plan
from cosim.programming import read_curve
from cosim.progress import Stages
from cosim.report import write_report
from cosim.signoff import sign_off
from cosim.validation import validate_dataset
from cosim.waveforms import record_waveforms
from netlists.design import Design
from surrogate.digits import Images, digits
from surrogate.files import save_surrogate
from surrogate.layers import TileSettings, pulse_codes
from surrogate.surrogate import Surrogate
from surrogate.training import Recipe, trained_software


@dataclass(frozen=True)
class Job:
    """What to run: design, folder, seeds of the networks, images of the sign-off, plan and recipe."""

    design: Design
    folder: Path
    seeds: int = 3
    images: int = 20
    workers: int | None = None
    size: PlanSize = field(default_factory=PlanSize)
    recipe: Recipe = field(default_factory=Recipe)


class Clock:
    """Wall seconds of every stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.began = time.perf_counter()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time spent in this context to ``name``."""
        began = time.perf_counter()
        yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - began, 2)

    def total(self) -> dict[str, float]:
        """All stages and ``total``."""
        return {**self.seconds, "total": round(time.perf_counter() - self.began, 2)}


def run(job: Job, stages: Stages) -> dict[str, Any]:
    """Run the whole job and return the summary; every stage's result is in ``job.folder`` as soon as it is done.

    ``summary["surrogate"]["passed"]`` is False where cross-validation failed; nothing is retrained then. Raises
    ``InputError`` on bad input and where the folder belongs to another design.
    """
    engine = find_ngspice()
    require_pairs(job.design)
    _claim(job.folder, job.design)
    clock = Clock()
    with clock.stage("simulate"):
        data = _simulate(job, engine, stages)
    with clock.stage("fit"), stages.stage("Fitting the time-slot surrogate"):
        surrogate = fit_dataset(data)
        save_surrogate(surrogate, job.folder / "surrogate.safetensors")
    with clock.stage("validate"), stages.stage("Cross-validating on unseen SPICE runs"):
        surrogate = surrogate.with_report(validate_dataset(surrogate, data, job.design.levels))
        save_surrogate(surrogate, job.folder / "surrogate.safetensors")
    summary = _summary(data, surrogate, engine)
    if surrogate.report is None or not surrogate.report["passed"]:
        summary["wall_seconds"] = clock.total()
        write_json(summary, job.folder / "summary.json")
        return summary
    settings = tile_settings(job.design)
    with clock.stage("retrain"):
        _retrain(job, surrogate, settings, stages)
    with clock.stage("signoff"):
        _sign_off(job, surrogate, settings, engine, stages)
    network = json.loads((job.folder / "network.json").read_text(encoding="utf-8"))
    signoff = json.loads((job.folder / "signoff.json").read_text(encoding="utf-8"))
    summary["network"] = {
        "accuracy": network["accuracy"],
        "signoff": {k: signoff[k] for k in ("images", "class_agreement", "ser_db", "ser_pair_db")},
        "energy_per_vmm_j": signoff["energy_per_vmm_j"],
        "time_per_vmm_s": signoff["time_per_vmm_s"],
    }
    with clock.stage("report"), stages.stage("Drawing the report"):
        record_waveforms(job.design, data.cells[0], data.duration[0], engine, job.folder / "waveforms.npz")
        summary["wall_seconds"] = clock.total()
        write_json(summary, job.folder / "summary.json")
        write_report(job.folder)
    summary["wall_seconds"] = clock.total()
    write_json(summary, job.folder / "summary.json")
    return summary


def require_pairs(design: Design) -> None:
    """Raise ``InputError`` unless a network's signed weights find a pair of columns in ``design``."""
    if design.array.columns < 2:
        raise InputError(f"{design.name}: array.columns: differential pairs need at least 2")


def network_durations(design: Design, count: int = 400) -> NDArray[np.float64]:
    """Pulse widths [k, N] s that a software network's layers give to row tiles of ``design`` on training images."""
    settings = tile_settings(design)
    images, _ = digits()
    software = trained_software(images, 0, Recipe(software_epochs=30))
    rows = []
    with torch.no_grad():
        for given in software.inputs(images.pixels[:count]):
            codes = pulse_codes(given, settings.bits)
            spare = -given.shape[1] % settings.rows
            rows.append(torch.nn.functional.pad(codes, (0, spare)).reshape(-1, settings.rows))
    top = 2**settings.bits - 1
    return np.round(torch.cat(rows).double().numpy() * top) / top * design.read.t_max


def _claim(folder: Path, design: Design) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    marker = folder / "run.json"
    if marker.is_file():
        try:
            owner = json.loads(marker.read_text(encoding="utf-8")).get("design_hash")
        except (ValueError, AttributeError):
            owner = None
        if owner != design.hash:
            raise InputError(f"{folder}: holds a run of another design: choose another folder with --out")
    else:
        write_json({"design": design.name, "design_hash": design.hash}, marker)


def _simulate(job: Job, engine: Ngspice, stages: Stages) -> DataSet:
    path = job.folder / "data.h5"
    if path.is_file():
        data = load_dataset(path)
        if data.design_hash == job.design.hash and data.simulator == engine.label:
            return data
    with stages.stage("Reading the cell's curve in SPICE and a software network's pulse widths"):
        widths = network_durations(job.design)
        curve = read_curve(job.design, engine)
    plan = standard_plan(job.design, curve, size=job.size, network_duration=widths)
    with stages.counted("Simulating arrays in ngspice") as progress:
        data = run_campaign(job.design, plan, engine, job.folder, job.workers, progress)
    save_dataset(data, path)
    return data


def _retrain(job: Job, surrogate: Surrogate, settings: TileSettings, stages: Stages) -> None:
    path = job.folder / "network.json"
    key = _key(surrogate, job)
    if path.is_file() and (job.folder / "network.safetensors").is_file():
        try:
            if json.loads(path.read_text(encoding="utf-8")).get("key") == key:
                return
        except ValueError:
            pass
    with stages.counted("Retraining the network through the surrogate") as progress:
        results = retrain_seeds(surrogate, settings, list(range(job.seeds)), job.recipe, job.workers, progress)
    save_network(results[0].network, surrogate, results[0].seed, job.folder / "network.safetensors")
    content = {**describe(results, job.recipe), "accuracy": accuracies(results), "key": key}
    write_json(content, path)


def _key(surrogate: Surrogate, job: Job) -> str:
    digest = hashlib.sha256(surrogate.shared.numpy().tobytes())
    digest.update(repr((job.recipe, job.seeds, job.design.hash)).encode())
    return digest.hexdigest()


def _sign_off(job: Job, surrogate: Surrogate, settings: TileSettings, engine: Ngspice, stages: Stages) -> None:
    network = load_network(job.folder / "network.safetensors", surrogate, settings)
    _, test_set = digits()
    images = Images(test_set.pixels[: job.images], test_set.label[: job.images])
    with stages.counted("Signing off: every VMM of the test images in ngspice") as progress:
        result = sign_off(job.design, surrogate, network, images, engine, job.folder / "signoff", job.workers, progress)
    write_json(result.summary, job.folder / "signoff.json")


def _summary(data: DataSet, surrogate: Surrogate, engine: Ngspice) -> dict[str, Any]:
    report = surrogate.report or {}
    return {
        "design": surrogate.provenance["design"],
        "design_hash": data.design_hash,
        "spice": {
            "simulator": engine.name,
            "klu": engine.klu,
            "runs": len(data),
            "slots": len(data.slot_current),
            "energy_per_vmm_j": float(data.energy[data.runs("patterns", "weights")].mean()),
        },
        "surrogate": {
            "passed": report["passed"],
            "failed": report["failed"],
            "ser_db": {role: scores["ser_db"] for role, scores in report["roles"].items()},
            "ser_centred_db": {role: scores["ser_centred_db"] for role, scores in report["roles"].items()},
            "ser_worst_column_db": {role: scores["ser_worst_column_db"] for role, scores in report["roles"].items()},
            "median_cell_error": next(iter(report["roles"].values()))["median_cell_error"],
            "fast_engine_ser_db": report["fast_engine_ser_db"],
        },
        "ideal": {"ser_db": {name: scores["ser_db"] for name, scores in report["ideal"].items()}},
    }
