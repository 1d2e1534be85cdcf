"""The command line of ``scripts/study_low_resolution``."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from cosim.commands.scripts.status import exit_status
from cosim.design_space.low_resolution import HIDDEN, Point, Study, run
from cosim.design_space.low_resolution_cases import CASES
from cosim.design_space.low_resolution_figure import draw
from cosim.design_space.low_resolution_table import Row, rows, write_table
from cosim.progress import Stages
from surrogate.data import mnist
from surrogate.data.folder import data_folder
from surrogate.hardware import load_hardware

TABLE = "low-resolution.csv"
MNIST, EMNIST = "mnist-14x14", "emnist-balanced-14x14"
MOST = 1000


def main(description: str, recipe: Path) -> int:
    """Run the study on the hardware of ``recipe`` unless another is given; the exit status: 0, 2 (bad input), 130
    (interrupted)."""
    options = _options(description, recipe)
    return exit_status(lambda: Console().print(_shown(study(options, Stages()))))


def study(options: argparse.Namespace, stages: Stages) -> list[Row]:
    """All points, the table and a figure for each data set in ``options.out``. Raises ``InputError``, ``OSError``."""
    base, sets = Study(load_hardware(options.hardware)), options.sets or present(options.data, stages)
    points = [Point(case, name, seed) for seed in range(options.seeds) for name in sets for case in CASES]
    options.out.mkdir(parents=True, exist_ok=True)
    with stages.counted("Points of the study") as progress:
        results = run(base, points, options.out, options.data, options.workers, progress)
    table = rows(zip(points, results, strict=True))
    write_table(table, options.out / TABLE)
    for name in sets:
        title = f"{name}, perceptron with {HIDDEN} hidden units, {options.seeds} seeds"
        draw([row for row in table if row.data == name], title, options.out / f"{name}.svg")
    return table


def present(folder: Path | None, stages: Stages) -> list[str]:
    """MNIST, and EMNIST where its files are, both at 14x14 pixels."""
    place = data_folder(folder)
    if place is not None and mnist.present(mnist.EMNIST["balanced"], place):
        return [MNIST, EMNIST]
    stages.console.print(f"{EMNIST}: left out, as its files are not there", highlight=False)
    return [MNIST]


def _shown(table: list[Row]) -> Table:
    shown = Table("data", "varied", "case", "software", "deployed", "retrained")
    for row in table:
        figures = (
            (row.software, row.software_std), (row.deployed, row.deployed_std), (row.retrained, row.retrained_std)
        )  # fmt: skip
        shown.add_row(row.data, row.case.group, row.case.name, *(f"{mean:.1f} ± {std:.1f} %" for mean, std in figures))
    return shown


def _options(description: str, recipe: Path) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, help="folder of the data sets (default: FGCOSIM_DATA)")
    parser.add_argument("--out", type=Path, default=Path("runs/low-resolution"), help="folder (default %(default)s)")
    parser.add_argument("--hardware", type=Path, default=recipe, help="hardware recipe that the cases change")
    parser.add_argument("--sets", nargs="+", help="data sets (default: MNIST, and EMNIST where it is present)")
    parser.add_argument("--seeds", type=_count, default=3, help="networks and chips (default %(default)s)")
    parser.add_argument("--workers", type=_count, default=2, help="processes (default %(default)s)")
    return parser.parse_args()


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= MOST:
        raise argparse.ArgumentTypeError(f"give a whole number from 1 to {MOST}")
    return value
