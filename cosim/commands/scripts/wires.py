"""The command line of ``scripts/study_wires``."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from cosim.commands.scripts.numbers import count
from cosim.commands.scripts.status import exit_status
from cosim.progress import Stages
from cosim.reproduction.layouts import simulated
from cosim.reproduction.wires import wired
from surrogate.data.catalogue import load
from surrogate.reproduction.comparison import SeedRun
from surrogate.reproduction.plans import NAMES, plan


def main(description: str) -> int:
    """Print the study's table; the exit status as of :func:`exit_status`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("networks", nargs="+", choices=NAMES, help="whose comparison's software network")
    parser.add_argument("--data", type=Path, help="folder of the data sets (default: FGCOSIM_DATA)")
    parser.add_argument("--out", type=Path, default=Path("runs/reproduction"), help="folder (default %(default)s)")
    parser.add_argument("--layout", default="severe", help="mild, severe or a design file (default %(default)s)")
    parser.add_argument("--images", type=count, help="test images (default: all)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    return exit_status(lambda: _study(options))


def _study(options: argparse.Namespace) -> None:
    layout = simulated(options.layout, options.out / "layouts" / options.layout, Stages()).layout
    print("| network | wires | word lines | arrays | deployed, % |\n| --- | --- | --- | --- | --- |")
    for name in options.networks:
        chosen = plan(name)
        data = load(chosen.software.data, options.data)
        for row in wired(SeedRun(chosen, data, 0, options.out / name / "seed-0"), layout, options.images):
            cells = (name, row.wires, f"{row.word_lines:,}", f"{row.arrays:,}", f"{row.accuracy:.2%}"[:-1])
            print(f"| {' | '.join(cells)} |", flush=True)
