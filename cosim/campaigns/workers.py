"""Where the runs of a campaign are executed: threads of this machine, each with an ngspice process, or a Dask cluster.

Both run the same function on the same task, so results do not depend on where, how many or in which order.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import tempfile
from collections.abc import Iterator
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.errors import InputError, SimulationError
from cosim.spice.ngspice import Ngspice, find_ngspice
from cosim.version import code_version
from cosim.vmm.sample import Sample
from cosim.vmm.simulate import simulate
from cosim.vmm.whole import vmm_deck
from netlists.design import Design

CONNECT_SECONDS = 10
FETCH_SECONDS = 60
"""A result that a worker had and that is not here within this time is computed again."""


@dataclass(frozen=True)
class Task:
    """One run: all that a worker without the client's files needs."""

    name: str
    """Of its deck, e.g. ``run-7``."""
    design: Design
    cells: NDArray[np.float64]
    """[N, M] V or S"""
    duration: NDArray[np.float64]
    """[N] s"""
    engine: Ngspice
    """The client's: a worker elsewhere has the same release and solver at a path of its own."""
    decks: str
    """The client's folder of decks, for messages."""
    keep_deck: bool
    code: str = field(default_factory=code_version)


@dataclass(frozen=True)
class Outcome:
    """What became of a run: its ``sample``, or the ``reason`` why there is none; ``files`` to keep, by name."""

    sample: Sample | None
    files: dict[str, str]
    reason: str = ""


class WorkerLost(Exception):
    """A run's worker died while it had it."""


def perform(task: Task) -> Outcome:
    """Simulate ``task`` on this machine with ``task.engine``. Raises ``InputError`` on bad values."""
    with tempfile.TemporaryDirectory(prefix="fgcosim-run-") as folder:
        deck = Path(folder) / f"{task.name}.cir"
        try:
            sample = simulate(task.design, task.cells, task.duration, task.engine, deck)
        except SimulationError as error:
            files = {name: text for name, text in _texts(folder).items() if name.startswith("failed-")}
            return Outcome(None, files, str(error).replace(folder, task.decks))
        files = _texts(folder) if task.keep_deck else {}
    if task.keep_deck and deck.name not in files:  # it ran in blocks of columns
        files[deck.name] = vmm_deck(task.design, task.cells, task.duration, task.engine.options())
    return Outcome(sample, files)


def given_up(task: Task, reason: str) -> Outcome:
    """The outcome of ``task`` where no worker lived to tell one, with the deck of the whole array."""
    name = f"failed-{task.name}.cir"
    deck = vmm_deck(task.design, task.cells, task.duration, task.engine.options())
    return Outcome(None, {name: deck}, f"{task.decks}/{name}: {reason}")


def _texts(folder: str) -> dict[str, str]:
    return {p.name: p.read_text(encoding="utf-8") for p in sorted(Path(folder).iterdir())}


def perform_elsewhere(task: Task) -> Outcome:
    """:func:`perform` on a worker of a cluster, with the worker's own ngspice.

    Raises ``InputError`` naming the worker where it differs from the client's or the worker's disk is full.
    """
    from distributed import get_worker

    here = f"worker {get_worker().address} on {socket.gethostname()}"
    if code_version() != task.code:
        raise InputError(f"{here}: has {code_version()}, the campaign {task.code}: install the same there")
    try:
        return perform(replace(task, engine=_own_engine(task.engine, here)))
    except OSError as error:
        raise InputError(f"{here}: {error.filename or 'file'}: {error.strerror or error}: free space there") from None


@lru_cache(maxsize=8)
def _own_engine(wanted: Ngspice, here: str) -> Ngspice:
    try:
        own = replace(find_ngspice(), trtol=wanted.trtol, monolithic=wanted.monolithic)
    except InputError as error:
        raise InputError(f"{here}: {error}") from None
    if own.label != wanted.label:
        raise InputError(
            f"{here}: has {own.label} ({own.path}), the campaign {wanted.label}: install the same release and solver "
            "there, or set FGCOSIM_NGSPICE there to its path"
        )
    return replace(wanted, path=own.path)


@dataclass(frozen=True)
class LocalPool:
    """Threads of this process."""

    executor: Executor
    size: int

    def submit(self, task: Task) -> Future[Outcome]:
        """Queue ``task``."""
        return self.executor.submit(perform, task)

    def outcome(self, future: Future[Outcome]) -> Outcome:
        """What became of a finished task."""
        return future.result()

    def check(self) -> None:
        """Nothing can get lost here."""


@dataclass(frozen=True)
class ClusterPool:
    """Workers of the Dask cluster behind ``address``; they may come and go.

    Dask's own ``Client.get_executor`` will not do: its futures never end where a worker dies with a result that was
    not fetched yet and the run then fails elsewhere.
    """

    client: Any
    address: str

    @property
    def size(self) -> int:
        """How many runs the cluster can execute at a time, now."""
        self.check()
        try:
            return max(1, sum(self.client.nthreads().values()))
        except OSError:
            raise self._lost() from None

    def submit(self, task: Task) -> Future[Any]:
        """Queue ``task``."""
        finished: Future[Any] = Future()
        self.client.submit(perform_elsewhere, task, pure=False).add_done_callback(finished.set_result)
        return finished

    def outcome(self, future: Future[Any]) -> Outcome:
        """What became of a finished task. Raises :class:`WorkerLost` where it is to be submitted again."""
        from distributed import KilledWorker

        try:
            return future.result().result(timeout=FETCH_SECONDS)
        except (KilledWorker, CancelledError, TimeoutError) as error:
            self.check()
            raise WorkerLost(" ".join(str(error).split())) from None
        except ImportError as error:
            raise InputError(f"--scheduler {self.address}: {error} on a worker: install fgcosim there") from None

    def check(self) -> None:
        """Raise ``InputError`` where the scheduler is gone."""
        if self.client.status != "running":
            raise self._lost()

    def _lost(self) -> InputError:
        return InputError(
            f"--scheduler {self.address}: connection lost: finished runs are kept, start the scheduler and repeat"
        )


Pool = LocalPool | ClusterPool


@contextmanager
def open_pool(workers: int | None, scheduler: str | None) -> Iterator[Pool]:
    """``workers`` threads here (a thread for each core by default), or the Dask cluster behind ``scheduler``.

    What is still queued when the context ends badly is cancelled. Raises ``InputError`` where the scheduler does not
    answer or Dask is not installed.
    """
    with _local(workers) if scheduler is None else _cluster(scheduler) as pool:
        yield pool


@contextmanager
def _local(workers: int | None) -> Iterator[Pool]:
    count = workers or len(os.sched_getaffinity(0))
    executor = ThreadPoolExecutor(count)
    try:
        yield LocalPool(executor, count)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _cluster(address: str) -> Iterator[Pool]:
    try:
        from distributed import Client
    except ImportError:
        raise InputError("--scheduler: Dask is not installed: pip install 'fgcosim[cluster]'") from None
    if not re.fullmatch(r"(?:tcp|tls|ws|wss)://\S+:[0-9]+", address):
        raise InputError(f"--scheduler: '{address}' is no address of a Dask scheduler: give tcp://HOST:PORT")
    with _quiet("distributed.client"):
        try:
            client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())[:120]
            raise InputError(
                f"--scheduler {address}: no Dask scheduler answers ({reason}): start one with 'dask scheduler'"
            ) from None
        with client:
            yield ClusterPool(client, address)


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Without the messages of a library about what is handled here."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
