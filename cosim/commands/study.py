"""``fgcosim study``: all points of a study file, their table and their pictures."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Column as RichColumn
from rich.table import Table as RichTable

from cosim.progress import Stages
from cosim.spice.ngspice import find_ngspice
from cosim.study.plots import draw_plots
from cosim.study.points import points_of
from cosim.study.results import Table, provenance_of, table_of, write_csv, write_hdf5
from cosim.study.run import require_folder, run_points
from cosim.study.studyfile import load_study

WIDTH = 160
"""Columns of a table that is written to a file."""
SHOWN = (
    ("area_per_cell", "area", 1e12, "{:.2f} µm²"), ("shift_own", "own", 1e3, "{:.1f} mV"),
    ("shift_near", "near", 1e3, "{:.1f} mV"), ("shift_far", "far", 1e3, "{:.1f} mV"),
    ("shift_second", "second", 1e3, "{:.2f} mV"), ("ser_least", "SER", 1.0, "{:.1f} dB"),
    ("ideal_one_hot", "ideal VMM", 1.0, "{:.1f} dB"),
    ("software", "software", 100.0, "{:.1f} %"), ("deployed", "deployed", 100.0, "{:.1f} %"),
    ("control", "control", 100.0, "{:.1f} %"), ("retrained", "retrained", 100.0, "{:.1f} %"),
    ("kept", "kept", 100.0, "{:.1f} %"), ("kept_current_min", "least", 1e9, "{:.3g} nA"),
    ("kept_current_max", "largest", 1e9, "{:.3g} nA"),
)  # fmt: skip


def study(
    path: Path, out: Path | None, workers: int | None, stages: Stages, scheduler: str | None = None
) -> bool:
    """Run the study in the file ``path`` in the folder ``out`` (``runs/NAME`` by default), or go on with it; writes
    ``results.csv``, ``results.h5`` and pictures and prints the table. False where a point failed.

    Raises :class:`~cosim.errors.InputError` naming file, key and remedy before anything is computed.
    """
    loaded = load_study(path)
    points = points_of(loaded, path)
    engine = find_ngspice()
    folder = out or Path("runs") / loaded.name
    require_folder(folder)
    with stages.counted(f"{len(points.points)} points") as progress:
        outcomes = run_points(loaded, points, engine, folder, workers, scheduler, progress)
    table = table_of(points, outcomes)
    write_csv(table, folder / "results.csv")
    write_hdf5(table, provenance_of(loaded, outcomes, engine), folder / "results.h5")
    draw_plots(table, folder)
    show(table, folder)
    return all(outcome.done for outcome in outcomes)


def show(table: Table, folder: Path) -> None:
    """Print the key figures of every point, and why points failed."""
    shown = [figure for figure in SHOWN if table.has(figure[0])]
    rich = RichTable(RichColumn("point", overflow="fold"), *(title for _, title, _, _ in shown), box=None)
    for k, name in enumerate(table["point"].values):
        values = [float(table[figure].values[k]) * scale for figure, _, scale, _ in shown]
        texts = ["–" if value != value else form.format(value) for value, (*_, form) in zip(values, shown, strict=True)]
        rich.add_row(str(name), *texts)
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console = Console(highlight=False, soft_wrap=True, width=WIDTH)
    console.print(rich)
    for name, reason in zip(table["point"].values, table["reason"].values, strict=True):
        if reason:
            console.print(f"failed: {name}: {reason}", markup=False)
    console.print(f"{folder}: results.csv, results.h5, pictures, points/", markup=False)
