"""``fgcosim train``: a software network from its recipe."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from cosim.files.lock import locked
from surrogate.data.catalogue import load
from surrogate.errors import InputError
from surrogate.training.recipe_files import load_recipe
from surrogate.training.session import Observer
from surrogate.training.software import train_software
from surrogate.training.trainer import Epoch


def train(
    recipe: str, out: Path | None, data: Path | None, seed: int, threads: int | None, device: str, console: Console
) -> bool:
    """Train the network of ``recipe`` (a file or a built-in name) in the folder ``out``, ``runs/<name>-<seed>`` by
    default, on the data sets in ``data``, and print its accuracy on the test images. A run found in ``out`` goes on.
    ``threads`` of torch are used, its own number by default. Raises :class:`InputError`."""
    chosen = load_recipe(recipe)
    if device not in ("cpu", "cuda"):
        raise InputError(f"--device {device}: choose cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError(f"--device {device}: torch sees no such device here: use cpu")
    if threads is not None:
        torch.set_num_threads(threads)
    folder = out or Path("runs") / f"{chosen.name}-{seed}"
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is no folder: choose another place for the run")
    images = load(chosen.data, data)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "train.lock"), _shown(console) as observer:
        result = train_software(chosen, folder, images, seed, device, observer)
    console.print(
        f"{folder}: {100 * result['test_accuracy_best']:.2f} % of {result['test_images']} test images right "
        f"(best epoch {result['best_epoch']}; last epoch {100 * result['test_accuracy_last']:.2f} %)",
        soft_wrap=True, highlight=False, markup=False,
    )  # fmt: skip
    return True


class _Shown(Observer):
    """Tells on a console; steps on a bar where it is a terminal."""

    def __init__(self, console: Console, bar: Progress | None) -> None:
        self._console, self._bar = console, bar
        self._task = bar.add_task("training", total=None) if bar else None

    def message(self, text: str) -> None:
        self._console.print(text, soft_wrap=True, highlight=False, markup=False)

    def step(self, done: int, total: int) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, total=total)

    def epoch(self, epoch: Epoch) -> None:
        reached = epoch.validation_accuracy
        shown = f"training {100 * epoch.train_accuracy:.2f} %"
        if reached is not None:
            shown += f", validation {100 * reached:.2f} %"
        self.message(f"epoch {epoch.epoch}: loss {epoch.loss:.4f}, {shown}")


@contextmanager
def _shown(console: Console) -> Iterator[Observer]:
    if not console.is_terminal:
        yield _Shown(console, None)
        return
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("steps"), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console) as bar:
        yield _Shown(console, bar)
