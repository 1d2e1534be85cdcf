"""All points of a study, each in a process and a folder of its own; what was finished before is not computed again."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from cosim.errors import InputError
from cosim.files.lock import locked
from cosim.spice.ngspice import Ngspice
from cosim.study.point import FIGURES, RESULT, PointTask, compute, finished
from cosim.study.points import Points
from cosim.study.studyfile import Study
from netlists.orphans import end_with_parent

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Outcome:
    """What became of a point: ``figures`` by the names of :data:`cosim.study.point.FIGURES`; where ``reason`` is not
    empty it failed, and figures that come later are missing."""

    name: str
    figures: dict[str, float]
    reason: str
    provenance: dict[str, Any]

    @property
    def done(self) -> bool:
        """Whether all of it was computed and passed."""
        return not self.reason


def run_points(
    study: Study,
    points: Points,
    engine: Ngspice,
    folder: Path,
    workers: int | None = None,
    scheduler: str | None = None,
    progress: Progress = lambda done, total: None,
) -> list[Outcome]:
    """Compute all points of ``study`` in ``folder/points``, ``workers`` at a time (by default one for each core), and
    return what became of them, in their order. SPICE runs go to the Dask cluster
    behind ``scheduler`` where it is given.

    A point that fails does not stop the others. Raises :class:`InputError` where another study works in ``folder``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "study.lock"):
        tasks = [_task(study, points, k, engine, folder, scheduler) for k in range(len(points.points))]
        left = [task for task in tasks if finished(task) is None]
        cores = workers or len(os.sched_getaffinity(0))
        at_a_time = max(1, min(cores, len(left)))
        left = [replace(task, workers=max(1, cores // at_a_time)) for task in left]
        progress(len(tasks) - len(left), len(tasks))
        died = _run(left, at_a_time, lambda ended: progress(len(tasks) - len(left) + ended, len(tasks)))
        return [_outcome(task, died.get(task.name, "")) for task in tasks]


def _task(
    study: Study, points: Points, k: int, engine: Ngspice, folder: Path, scheduler: str | None
) -> PointTask:
    point = points.points[k]
    return PointTask(
        point.name, point.design, points.folder, study.extraction, study.network, study.campaign, engine,
        folder / "points" / point.name, points.base if study.programming == "nominal" else None, scheduler=scheduler,
    )  # fmt: skip


def _run(tasks: list[PointTask], at_a_time: int, ended: Callable[[int], None]) -> dict[str, str]:
    """Compute ``tasks``, each in a process of its own; how those processes died that left no result, by name."""
    context = multiprocessing.get_context("spawn")
    waiting, died, count = iter(tasks), dict[str, str](), 0
    with _ended_at_last() as running:
        while True:
            for task in islice(waiting, at_a_time - len(running)):
                (task.folder / RESULT).unlink(missing_ok=True)
                process = context.Process(target=_alone, args=(task, os.getpid()), name=task.name)
                process.start()
                running[process] = task
            if not running:
                return died
            wait([process.sentinel for process in running])
            for process in [process for process in running if not process.is_alive()]:
                task = running.pop(process)
                if not (task.folder / RESULT).is_file():
                    died[task.name] = f"its process ended with status {process.exitcode} and left no result"
                count += 1
                ended(count)


@contextmanager
def _ended_at_last() -> Iterator[dict[SpawnProcess, PointTask]]:
    """Processes that are ended with the context."""
    running: dict[SpawnProcess, PointTask] = {}
    try:
        yield running
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.join()


def _alone(task: PointTask, parent: int) -> None:
    """:func:`cosim.study.point.compute` in a process of its own, which only its parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(parent)
    compute(task)


def _outcome(task: PointTask, died: str) -> Outcome:
    found: dict[str, Any] = {"figures": {}, "reason": died or "left no result: repeat the same command"}
    if not died:
        with suppress(OSError, ValueError):
            found = json.loads((task.folder / RESULT).read_text(encoding="utf-8"))
    figures = {name: float(found["figures"][name]) for name in FIGURES if name in found["figures"]}
    return Outcome(task.name, figures, str(found.get("reason", "")), dict(found.get("provenance", {})))


def require_folder(folder: Path) -> None:
    """Raise :class:`InputError` where ``folder`` cannot be a study's."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is no folder: choose another with --out")
