"""Training that can be left alone: in a folder, resumed after a kill with identical results, stopped by Ctrl-C."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from surrogate.atomic import remove_abandoned
from surrogate.errors import InputError
from surrogate.fast.library import library, library_path
from surrogate.training.checkpoint import Run, load_latest, save_checkpoint
from surrogate.training.curve import draw_curve, write_curve
from surrogate.training.trainer import Epoch, Trainer

CHECKPOINT_EVERY_S = 120.0
"""Inside an epoch, too, a checkpoint is written this often."""
PICTURE_EVERY_S = 30.0
"""The learning curve is drawn at the end, and before it no more often than this."""
CURVE, PICTURE = "curve.csv", "curve.svg"


class Observer:
    """What a session tells while it runs; this one keeps silent."""

    def message(self, text: str) -> None:
        """Something the person should know, in one line."""

    def step(self, done: int, total: int) -> None:
        """``done`` of ``total`` steps are done."""

    def epoch(self, epoch: Epoch) -> None:
        """An epoch is done."""


def train_in(
    folder: Path, trainer: Trainer, identity: Mapping[str, Any] | None = None, observer: Observer | None = None
) -> Spent:
    """Run ``trainer`` to its end, with checkpoints and learning curve in ``folder``; a run found there goes on.

    A checkpoint is written after every epoch, every two minutes, and on SIGINT or SIGTERM, which end this with
    ``KeyboardInterrupt``. From any of them the run goes on to bit-identical weights, on the same device, number of
    threads and release of torch; where these differ, it says so. A run is told from others by what the trainer knows
    (:meth:`Trainer.identity`, :meth:`Trainer.start`); ``identity``, of JSON's types, adds what it does not: a
    ``forward`` of its own, say. Returns the time that all its calls have taken. Raises :class:`InputError` where
    ``folder`` holds another run, ``OSError`` (disk full).
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_abandoned(folder)
    observer = observer or Observer()
    run = Run(
        trainer.identity(),
        dict(identity or {}),
        trainer.start(),
        _circumstances(trainer),
    )
    with trainer.own_generators(), _stopped() as stopped:
        clock = _Clock(_resume(folder, trainer, run, observer))
        saved = drawn = time.monotonic()
        while not trainer.finished:
            epochs = len(trainer.curve)
            trainer.step()
            observer.step(trainer.steps_done, trainer.steps)
            ended, stop = len(trainer.curve) > epochs, stopped.is_set()
            if ended or stop or time.monotonic() - saved > CHECKPOINT_EVERY_S:
                state = {**trainer.state(), "spent": asdict(clock.spent())}
                save_checkpoint(folder, trainer.steps_done, state, run)
                saved = time.monotonic()
            if ended:
                write_curve(trainer.curve, folder / CURVE)
                if time.monotonic() - drawn > PICTURE_EVERY_S:
                    draw_curve(trainer.curve, folder.name, folder / PICTURE)
                    drawn = time.monotonic()
                observer.epoch(trainer.curve[-1])
            if stop and not trainer.finished:
                raise KeyboardInterrupt
        write_curve(trainer.curve, folder / CURVE)
        draw_curve(trainer.curve, folder.name, folder / PICTURE)
        return clock.spent()


def _circumstances(trainer: Trainer) -> dict[str, Any]:
    """What the last bits depend on; the name of the kernels' library has a hash of the processor in it."""
    kernels = library_path().stem if library() is not None else "none"
    processor = torch.backends.cpu.get_cpu_capability()
    return {
        "torch": torch.__version__, "threads": torch.get_num_threads(), "device": str(trainer.device),
        "processor": processor, "kernels": kernels,
    }  # fmt: skip


@dataclass(frozen=True)
class Spent:
    """Time that training took, in s: by the clock, and of all processor cores together."""

    wall_s: float
    cpu_s: float


class _Clock:
    """Counts on from what was spent before."""

    def __init__(self, before: Spent) -> None:
        self._wall, self._cpu = before.wall_s - time.monotonic(), before.cpu_s - time.process_time()

    def spent(self) -> Spent:
        return Spent(self._wall + time.monotonic(), self._cpu + time.process_time())


def _resume(folder: Path, trainer: Trainer, run: Run, observer: Observer) -> Spent:
    """Bring ``trainer`` to the latest checkpoint in ``folder``; what was spent on it."""
    state, remarks = load_latest(folder, run)
    for remark in remarks:
        observer.message(remark)
    if state is None:
        if remarks:
            observer.message(f"{folder}: no checkpoint is usable: starting again")
        return Spent(0.0, 0.0)
    try:
        trainer.load_state(state)
        spent = Spent(**state["spent"])
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:100]
        raise InputError(f"{folder}: its checkpoint fits another network ({reason}): choose another folder") from None
    observer.message(f"{folder}: going on after {len(trainer.curve)} epochs, {trainer.steps_done} steps in all")
    return spent


@contextmanager
def _stopped() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set instead of what they do otherwise; only the main thread can hear them."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = {kind: signal.signal(kind, lambda *_: event.set()) for kind in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
