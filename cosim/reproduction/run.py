"""The comparison of one network on all layouts over seeds, its sign-off in SPICE, and its rows of the table."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cosim.progress import Stages
from cosim.reproduction.layouts import LAYOUTS, SimulatedLayout, simulated
from cosim.reproduction.sampled import sampled_sign_off
from cosim.reproduction.signoff import Arrays, sign_off
from cosim.reproduction.table import add_rows
from cosim.spice.ngspice import find_ngspice
from cosim.version import code_version
from surrogate.data.catalogue import load
from surrogate.data.images import DataSet
from surrogate.hashes import network_hash
from surrogate.reproduction.comparison import Compared, SeedRun, compare
from surrogate.reproduction.kept import kept
from surrogate.reproduction.plans import plan, shortened

SAMPLED_IMAGES, JUDGED_IMAGES = 100, 1000
"""Test images out of whose VMMs a sample is drawn, and those on which the errors found are judged."""


@dataclass(frozen=True)
class Reproduction:
    """What is run: the comparison ``name`` of :mod:`surrogate.reproduction.plans` with seeds 0 … ``seeds`` − 1 on all
    ``layouts``, all of it in ``folder``. The first network of each layout is signed off in SPICE: every VMM of the
    first ``images`` test images, or, where that is 0, ``sample`` random VMMs of each layer (0: none)."""

    name: str
    folder: Path
    data: Path | None = None
    seeds: int = 3
    layouts: tuple[str, ...] = tuple(LAYOUTS)
    images: int = 100
    sample: int = 0
    quick: bool = False
    workers: int | None = None
    device: str = "cpu"

    @property
    def variant(self) -> str:
        """Name of its row and of its folder inside ``folder``."""
        return f"{self.name}-quick" if self.quick else self.name

    def command(self, layout: str) -> str:
        """What makes the row of one of :attr:`layouts`, but for folders and numbers of processes."""
        signed = f"--images {self.images}" if self.images else f"--images 0 --sample {self.sample}"
        seeds = f" --seeds {self.seeds}" if self.seeds != Reproduction.seeds else ""
        return f"scripts/reproduce_{self.name} --layouts {layout} {signed}{seeds}{' --quick' * self.quick}"


def reproduce(job: Reproduction, stages: Stages) -> list[dict[str, Any]]:
    """Run the comparison and return its rows, which are also put into the table of ``job.folder``. Interrupted or
    killed, the same call goes on. Raises ``InputError`` and ``SimulationError`` as its steps do."""
    chosen = plan(job.name, job.quick)
    data = load(chosen.software.data, job.data)
    data = shortened(data) if job.quick else data
    runs = [
        SeedRun(chosen, data, seed, job.folder / job.variant / f"seed-{seed}", job.device) for seed in range(job.seeds)
    ]
    rows = []
    for name in job.layouts:
        place = simulated(name, job.folder / "layouts" / name, stages, job.workers)
        with stages.stage(f"{job.variant} on {name}"):
            compared = [compare(run, place.layout, stages.console.print) for run in runs]
        signed = _signed_off(job, place, compared[0], data, stages) if job.images or job.sample else None
        rows.append(_row(job, name, place, data, compared, signed))
        add_rows(job.folder, rows)
    return rows


def _signed_off(
    job: Reproduction, place: SimulatedLayout, compared: Compared, data: DataSet, stages: Stages
) -> dict[str, Any]:
    folder = job.folder / job.variant / f"seed-{compared.seed}" / place.layout.name / "signoff"
    images, known = data.test.first(job.images or SAMPLED_IMAGES), compared.accuracy["retrained"]
    title = f"{len(images)} images" if job.images else f"{job.sample} VMMs of each layer"

    def compute() -> dict[str, Any]:
        began = time.monotonic()
        with stages.counted(f"Signing off {title} in ngspice") as progress:
            arrays = Arrays(place.design, find_ngspice(), folder, job.workers, progress)
            if job.images:
                found = sign_off(arrays, compared.network, images, known)
            else:
                judged = data.test.first(JUDGED_IMAGES)
                found = sampled_sign_off(arrays, compared.network, images, job.sample, compared.seed, judged, known)
        return found | {"wall_s": time.monotonic() - began}

    network = network_hash(compared.network.state_dict())
    depends = [network, place.design.hash, images.digest(), job.images, job.sample, code_version()]
    return kept(folder / ("images.json" if job.images else "sample.json"), depends, compute)


def _row(
    job: Reproduction,
    layout: str,
    place: SimulatedLayout,
    data: DataSet,
    compared: list[Compared],
    signed: dict[str, Any] | None,
) -> dict[str, Any]:
    """One row of the table; its wall time is that of all trainings, campaign, fit and sign-off, whenever they ran."""
    wall_s = sum(sum(c.seconds.values()) for c in compared) + place.seconds + (signed["wall_s"] if signed else 0.0)
    report = place.layout.surrogate.report or {}
    return {
        "network": job.variant, "data": data.test.name, "test_images": len(data.test), "layout": place.layout.name,
        "arrays": f"{place.layout.settings.rows}x{place.layout.settings.columns}",
        "accuracy": {name: _over_seeds(c.accuracy[name] for c in compared) for name in compared[0].accuracy},
        "by_seed": [{"seed": c.seed, **c.accuracy} for c in compared],
        "training_s": {name: _over_seeds(c.seconds[name] for c in compared) for name in compared[0].accuracy},
        "surrogate_ser_db": {role: scores["ser_db"] for role, scores in report.get("roles", {}).items()},
        "surrogate_s": place.seconds, "signoff": signed, "seeds": [c.seed for c in compared], "wall_s": wall_s,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores", "device": job.device,
        "threads": torch.get_num_threads(), "torch": torch.__version__, "code_version": code_version(),
        "command": job.command(layout),
    }  # fmt: skip


def _over_seeds(values: Iterable[float]) -> dict[str, float]:
    found = list(values)
    return {"mean": statistics.fmean(found), "std": statistics.stdev(found) if len(found) > 1 else 0.0}
