"""The main job: from a design file to a network retrained through a validated surrogate and signed off in SPICE."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cosim.campaigns.campaign import write_campaign
from cosim.campaigns.plan import PlanSize, standard_plan
from cosim.deployment.networks import tile_settings
from cosim.deployment.steps import NETWORK, NETWORK_REPORT, retrain_into, sign_off_into
from cosim.errors import InputError
from cosim.files.dataset import DataSet, load_dataset
from cosim.files.folders import write_json
from cosim.files.lock import locked
from cosim.files.provenance import surrogate_hash
from cosim.fitting.fit import fit_dataset
from cosim.fitting.validation import validate_dataset
from cosim.progress import Stages
from cosim.run_folder.report import write_report
from cosim.run_folder.summary import network_figures, surrogate_figures
from cosim.spice.ngspice import Ngspice, find_ngspice
from cosim.vmm.programming import ReadCurve, read_curve
from cosim.vmm.waveforms import record_waveforms
from netlists.design import Design
from surrogate.analog.observed import observed
from surrogate.analog.pulses import input_range, pulse_codes
from surrogate.analog.tiling import Tiling
from surrogate.data.digits import digits
from surrogate.files import save_surrogate
from surrogate.surrogate import Surrogate
from surrogate.training.comparison import ComparisonRecipe, trained_software


@dataclass(frozen=True)
class Job:
    """What to run: design, folder, seeds of the networks, images of the sign-off, plan and recipe; and where: on
    ``workers`` cores here or, the SPICE runs, on the Dask cluster behind the address ``scheduler``; ``monolithic``
    forbids to split arrays into blocks of columns. The cells of the campaign hold the voltages that the curve
    ``programmed`` gives for the plan's currents, by default that of ``design`` itself."""

    design: Design
    folder: Path
    seeds: int = 3
    images: int = 20
    workers: int | None = None
    scheduler: str | None = None
    monolithic: bool = False
    size: PlanSize = field(default_factory=PlanSize)
    recipe: ComparisonRecipe = field(default_factory=ComparisonRecipe)
    programmed: ReadCurve | None = None


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
    ``InputError`` on bad input and where the folder belongs to another design or another process works in it.
    """
    engine = find_ngspice(job.monolithic)
    require_pairs(job.design)
    job.folder.mkdir(parents=True, exist_ok=True)
    with locked(job.folder / "run.lock"):
        _claim(job.folder, job.design)
        return _run(job, engine, stages)


def _run(job: Job, engine: Ngspice, stages: Stages) -> dict[str, Any]:
    clock = Clock()
    data, surrogate = validated(job, engine, stages, clock)
    summary = surrogate_figures(data, surrogate)
    if surrogate.report is not None and surrogate.report["passed"]:
        with clock.stage("retrain"):
            network = retrained(job, surrogate, stages)
        with clock.stage("signoff"):
            signoff = sign_off_into(
                job.folder, surrogate, job.folder / NETWORK, job.design, job.images, engine, job.workers, stages,
                job.scheduler,
            )
        summary["network"] = network_figures(network, signoff)
    with clock.stage("report"), stages.stage("Drawing the report"):
        record_waveforms(job.design, data.cells[0], data.duration[0], engine, job.folder / "waveforms.npz")
        summary["wall_seconds"] = clock.total()
        write_json(summary, job.folder / "summary.json")
        write_report(job.folder)
    summary["wall_seconds"] = clock.total()
    write_json(summary, job.folder / "summary.json")
    return summary


def validated(job: Job, engine: Ngspice, stages: Stages, clock: Clock) -> tuple[DataSet, Surrogate]:
    """The job's campaign, and the surrogate fitted to it with the report of its cross-validation; both lie in
    ``job.folder`` as ``data.h5``, which is used again where it is there, and ``surrogate.safetensors``."""
    with clock.stage("simulate"):
        data = _simulate(job, engine, stages)
    with clock.stage("fit"), stages.stage("Fitting the time-slot surrogate"):
        surrogate = fit_dataset(data)
        save_surrogate(surrogate, job.folder / "surrogate.safetensors")
    with clock.stage("validate"), stages.stage("Cross-validating on unseen SPICE runs"):
        surrogate = surrogate.with_report(validate_dataset(surrogate, data, job.design.levels))
        save_surrogate(surrogate, job.folder / "surrogate.safetensors")
    return data, surrogate


def require_pairs(design: Design) -> None:
    """Raise ``InputError`` unless a network's signed weights find a pair of columns in ``design``."""
    if design.array.columns < 2:
        raise InputError(f"{design.name}: array.columns: differential pairs need at least 2")


def network_durations(design: Design, count: int = 400) -> NDArray[np.float64]:
    """Pulse widths [k, N] s that a software network's layers give to row tiles of ``design`` on training images."""
    settings = tile_settings(design)
    images, _ = digits()
    software = trained_software(images, 0, ComparisonRecipe(software_epochs=30))
    linear = {name: layer for name, layer in software.named_modules() if isinstance(layer, nn.Linear)}
    rows = []
    for name, shown in observed(software, linear, images.pixels[:count]).items():
        layer = linear[name]
        tiling = Tiling(layer.in_features, layer.out_features, 1, settings.rows, settings.columns)
        codes = pulse_codes(shown.given / input_range(shown.given), settings.bits)
        rows.append(tiling.whole_rows(tiling.split_rows(codes)).flatten(0, 1))
    top = 2**settings.bits - 1
    return np.round(torch.cat(rows).double().numpy() * top) / top * design.read.t_max


def _claim(folder: Path, design: Design) -> None:
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
        try:
            data = load_dataset(path)
            if data.design_hash == job.design.hash and data.simulator == engine.label:
                return data
        except InputError as error:
            stages.console.print(f"{error}: from the samples", soft_wrap=True, highlight=False, markup=False)
    with stages.stage("Reading the cell's curve in SPICE and a software network's pulse widths"):
        widths = network_durations(job.design) if job.size.network else None
        curve = job.programmed or read_curve(job.design, engine)
    plan = standard_plan(job.design, curve, size=job.size, network_duration=widths)
    with stages.counted("Simulating arrays in ngspice") as progress:
        write_campaign(job.design, plan, engine, job.folder, path, job.workers, progress, job.scheduler)
    return load_dataset(path)


def retrained(job: Job, surrogate: Surrogate, stages: Stages) -> dict[str, Any]:
    """``network.json``: what lies in the folder, where the same surrogate, recipe and seeds made it."""
    path = job.folder / NETWORK_REPORT
    if path.is_file() and (job.folder / NETWORK).is_file():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            made_by = (found["provenance"]["surrogate_hash"], found["recipe"], len(found["seeds"]))
            if made_by == (surrogate_hash(surrogate), asdict(job.recipe), job.seeds) and "accuracy" in found:
                return dict(found)
        except (ValueError, LookupError, TypeError):
            pass
    return retrain_into(job.folder, surrogate, job.design, job.seeds, job.recipe, job.workers, stages)
