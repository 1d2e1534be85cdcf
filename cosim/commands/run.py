"""``fgcosim run``: the whole job, and a table of its key figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from cosim.progress import Stages
from cosim.run_folder.pipeline import Job
from cosim.run_folder.pipeline import run as run_job
from netlists.designfile import load_design


def run_all(
    design: str, out: Path | None, seeds: int, images: int, workers: int | None, stages: Stages,
    scheduler: str | None = None, monolithic: bool = False,
) -> bool:  # fmt: skip
    """The whole job of :func:`cosim.run_folder.pipeline.run`, and a table of its key figures."""
    loaded = load_design(design)
    folder = out or Path("runs") / loaded.name
    summary = run_job(Job(loaded, folder, seeds, images, workers, scheduler, monolithic), stages)
    _print_summary(summary, folder)
    return bool(summary["surrogate"]["passed"])


def _print_summary(summary: dict[str, Any], folder: Path) -> None:
    table = Table("figure", "value")
    for role, value in summary["surrogate"]["ser_db"].items():
        table.add_row(f"surrogate against SPICE, unseen {role}", f"{value:.1f} dB")
    for name, value in summary["ideal"]["ser_db"].items():
        table.add_row(f"ideal VMM, {name.replace('_', ' ')} weights", "–" if value is None else f"{value:.1f} dB")
    network = summary.get("network")
    if network:
        for name in ("software", "deployed", "control", "retrained"):
            mean, std = network["accuracy"][name], network["accuracy"][f"{name}_std"]
            table.add_row(f"accuracy, {name}", f"{mean:.1%} ± {std:.1%}")
        off = network["signoff"]
        verdict = f"{off['class_agreement']:.0%} agree, {off['ser_db']:.1f} dB"
        table.add_row(f"SPICE sign-off, {off['images']} images", verdict)
    else:
        table.add_row("cross-validation", f"failed: {', '.join(summary['surrogate']['failed'])}")
    table.add_row("wall time", f"{summary['wall_seconds']['total']:.0f} s")
    console = Console()
    console.print(table)
    console.print(f"{folder}: report.html, summary.json, data set, decks, surrogate, network")
