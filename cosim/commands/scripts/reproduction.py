"""The command line of ``scripts/reproduce_*``."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from cosim.commands.scripts.numbers import count, whole
from cosim.commands.scripts.status import exit_status
from cosim.progress import Stages
from cosim.reproduction.layouts import LAYOUTS
from cosim.reproduction.run import Reproduction, reproduce
from cosim.reproduction.table import markdown


def main(name: str, description: str, images: int = 0, sample: int = 0) -> int:
    """Run the comparison ``name``, by default with ``images`` or ``sample`` signed off; the exit
    status: 0, 1 (a simulation failed), 2 (bad input), 130 (interrupted)."""
    options = _options(description, images, sample)
    torch.set_num_threads(options.threads)
    job = Reproduction(
        name, options.out, options.data, options.seeds, tuple(options.layouts), options.images, options.sample,
        options.quick, options.workers, options.device,
    )  # fmt: skip
    return exit_status(lambda: print(markdown(reproduce(job, Stages())), end=""))


def _options(description: str, images: int, sample: int) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, help="folder of the data sets (default: FGCOSIM_DATA)")
    parser.add_argument("--out", type=Path, default=Path("runs/reproduction"), help="folder (default %(default)s)")
    parser.add_argument("--seeds", type=count, default=3, help="networks to train (default %(default)s)")
    parser.add_argument("--layouts", nargs="+", default=list(LAYOUTS), metavar="LAYOUT",
                        help=f"of {', '.join(LAYOUTS)}, or design files (default: all)")  # fmt: skip
    parser.add_argument("--images", type=whole, default=images, help="images signed off (default %(default)s)")
    parser.add_argument("--sample", type=whole, default=sample,
                        help="VMMs of each layer signed off where --images is 0 (default %(default)s)")  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="one epoch each on few images: shows that it works")
    parser.add_argument("--workers", type=count, help="parallel SPICE runs (default: all cores)")
    parser.add_argument("--threads", type=count, default=1, help="torch's threads (default %(default)s)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where networks are trained")
    return parser.parse_args()
