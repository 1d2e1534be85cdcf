"""The command line of ``scripts/study_mappings``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from cosim.commands.scripts.status import exit_status
from cosim.design_space.mappings import baseline, given, points, run
from cosim.design_space.mappings_figure import draw
from cosim.design_space.mappings_table import Row, rows, write_table
from cosim.errors import InputError
from cosim.progress import Stages
from surrogate.atomic import replacing
from surrogate.reproduction.kept import kept

TABLE, FIGURE, SUMMARY = "mappings.csv", "mappings.svg", "mappings.json"
MOST_IMAGES = 10_000


def main(description: str) -> int:
    """Run the study; the exit status: 0, 2 (bad input), 130 (interrupted)."""
    options = _options(description)
    return exit_status(lambda: Console().print(_shown(study(options, Stages()))))


def study(options: argparse.Namespace, stages: Stages) -> list[Row]:
    """All points, the table, the figure and the summary in ``options.out``. Raises ``InputError``, ``OSError``."""
    torch.set_num_threads(1)
    wanted = points(options.images, options.seeds, 1 if options.quick else None)
    if options.images * options.seeds > MOST_IMAGES:
        raise InputError(f"--images {options.images} of --seeds {options.seeds}: there are {MOST_IMAGES} test images")
    options.out.mkdir(parents=True, exist_ok=True)
    if not options.quick:
        with stages.stage("The digital network on all test images"):
            digital = kept(options.out / "baseline.json", "all test images",
                           lambda: {"accuracy": baseline(given(options.data))})["accuracy"]  # fmt: skip
    else:
        digital = float("nan")
    with stages.counted("Points of the study") as progress:
        results = run(wanted, options.data, options.out / "points", options.workers, progress)
    table = rows(results)
    write_table(table, options.out / TABLE)
    draw(table, digital, options.out / FIGURE)
    summary = {
        "digital_accuracy_of_all_test_images": None if options.quick else digital, "images_per_seed": options.images,
        "seeds": options.seeds, "points": len(results), "cpu_s": sum(result["cpu_s"] for result in results),
    }  # fmt: skip
    with replacing(options.out / SUMMARY) as temporary:
        temporary.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    return table


def _shown(table: list[Row]) -> Table:
    shown = Table("effect", "system", "size", "accuracy", "±", title="ResNet-20 on CIFAR-10 without retraining")
    for row in table:
        shown.add_row(row.effect, row.system, f"{row.size:g}", f"{row.accuracy:.1%}", f"{row.deviation:.1%}")
    return shown


def _options(description: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, help="folder of the data sets (default: FGCOSIM_DATA)")
    parser.add_argument("--out", type=Path, default=Path("runs/mappings"), help="folder (default %(default)s)")
    parser.add_argument("--images", type=_count, default=400, help="test images a seed (default %(default)s)")
    parser.add_argument("--seeds", type=_count, default=3, help="chips, each with images of its own (%(default)s)")
    parser.add_argument("--workers", type=_count, default=2, help="processes (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help="one size of each effect: shows that it works")
    return parser.parse_args()


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= MOST_IMAGES:
        raise argparse.ArgumentTypeError(f"give a whole number from 1 to {MOST_IMAGES}")
    return value
