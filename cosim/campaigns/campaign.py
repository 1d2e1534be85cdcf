"""Campaigns: many SPICE runs in parallel, every finished one safe on disk, assembled into a data set."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosim.campaigns.plan import Plan
from cosim.campaigns.samples import SampleStore
from cosim.campaigns.workers import Outcome, Pool, Task, WorkerLost, given_up, open_pool
from cosim.errors import InputError, SimulationError
from cosim.files.dataset import Blocks, DataSet, Source, gather, write_dataset
from cosim.files.lock import locked
from cosim.spice.ladder import LADDER
from cosim.spice.ngspice import Ngspice
from cosim.version import code_version
from cosim.vmm.sample import Sample
from cosim.vmm.whole import vmm_deck
from netlists.circuits.stimulus import check_durations
from netlists.design import Design
from netlists.designfile import dump_design
from surrogate.atomic import replacing

Progress = Callable[[int, int], None]

KEPT_DECKS = 8
"""Decks of the first runs and of all failed ones are kept; ``fgcosim deck`` writes any other again."""
WINDOW = 4
"""Runs that are queued or executed at a time, per worker."""
CHUNK = 256
"""Runs that are held in memory at a time while their data set is made."""
MAX_LOSSES = 5
"""How often a run is submitted again after its workers died."""


def run_campaign(
    design: Design,
    plan: Plan,
    engine: Ngspice,
    folder: Path,
    workers: int | None = None,
    progress: Progress = lambda done, total: None,
    scheduler: str | None = None,
) -> DataSet:
    """Simulate every run of ``plan`` and return the data set.

    Each finished run is a file of its own in ``folder/samples`` (written, synced, renamed) named by a hash of all that
    decides it, so an interrupted campaign goes on where it stopped and a finished one runs nothing; equal runs are
    simulated once. Runs are executed by ``workers`` threads here, by default one for each core, or by the Dask cluster
    behind the address ``scheduler``. Decks of the first runs are kept as ``folder/decks/run-k.cir``.

    Raises ``SimulationError`` after all other runs were tried: ``folder/failures.jsonl`` then lists every failed one
    with deck, log and reason. Raises ``InputError`` where another campaign works in ``folder``, ``OSError`` on a full
    disk; what was finished is kept.
    """
    with _simulated(design, plan, engine, folder, workers, progress, scheduler) as source:
        return gather(source)


def write_campaign(
    design: Design,
    plan: Plan,
    engine: Ngspice,
    folder: Path,
    out: Path,
    workers: int | None = None,
    progress: Progress = lambda done, total: None,
    scheduler: str | None = None,
) -> None:
    """:func:`run_campaign`, with the data set written to ``out``: it need not fit into memory."""
    with _simulated(design, plan, engine, folder, workers, progress, scheduler) as source:
        for partial in out.parent.glob(f".{out.name}.*.partial"):
            partial.unlink(missing_ok=True)
        write_dataset(source, out)


def simulate_many(
    design: Design,
    cells: NDArray[np.float64],
    duration: NDArray[np.float64],
    weights_index: NDArray[np.int64],
    engine: Ngspice,
    folder: Path,
    workers: int | None = None,
    progress: Progress = lambda done, total: None,
    scheduler: str | None = None,
) -> DataSet:
    """A campaign over given matrices ``cells`` [B, N, M] and ``duration`` [n, N] s (role ``network``)."""
    plan = Plan(cells, duration, weights_index, ("network",) * len(duration), seed=0)
    return run_campaign(design, plan, engine, folder, workers, progress, scheduler)


def run_keys(design: Design, plan: Plan, engine: Ngspice, code: str) -> list[str]:
    """For every run a hash of all that decides its sample: simulator, version ``code`` of this program, design (a deck
    of it, but for the title), cells and durations."""
    rows, columns = design.array.rows, design.array.columns
    deck = vmm_deck(design, np.ones((rows, columns)), np.full(rows, design.read.t_max), engine.options())
    simulator = {**asdict(engine), "path": None}
    common = hashlib.sha256(json.dumps([simulator, code, design.hash, rows, columns]).encode())
    common.update(deck.partition("\n")[2].encode())
    matrices = [hashlib.sha256(np.ascontiguousarray(matrix).tobytes()).digest() for matrix in plan.cells]
    keys = []
    for matrix, duration in zip(plan.weights_index, plan.duration, strict=True):
        digest = common.copy()
        digest.update(matrices[matrix])
        digest.update(np.ascontiguousarray(duration).tobytes())
        keys.append(digest.hexdigest()[:32])
    return keys


@contextmanager
def _simulated(
    design: Design,
    plan: Plan,
    engine: Ngspice,
    folder: Path,
    workers: int | None,
    progress: Progress,
    scheduler: str | None,
) -> Iterator[Source]:
    """All runs of ``plan`` finished, as the source of a data set; ``folder`` is locked meanwhile."""
    check_durations(design, plan.duration)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "samples.lock"):
        store = SampleStore(folder / "samples")
        store.prepare()
        for partial in (folder / "decks").glob(".*.partial"):
            partial.unlink(missing_ok=True)
        campaign = _Campaign(design, plan, engine, folder, store, run_keys(design, plan, engine, code_version()))
        with open_pool(workers, scheduler) as pool:
            slots = campaign.run(pool, progress)
        yield Source(campaign.shapes(slots), campaign.blocks, plan.role, campaign.origin())


@dataclass(frozen=True)
class _Campaign:
    """A plan on its way to finished samples in ``store``; ``keys`` [n] names the sample of every run."""

    design: Design
    plan: Plan
    engine: Ngspice
    folder: Path
    store: SampleStore
    keys: list[str]

    def run(self, pool: Pool, progress: Progress) -> int:
        """Make every missing sample and return the number of slots of all runs together."""
        first: dict[str, int] = {}
        slots: dict[str, int] = {}
        for k, key in enumerate(self.keys):
            if first.setdefault(key, k) == k and (sample := self.store.load(key)) is not None:
                slots[key] = len(sample.slot_active)
        total, failures = len(first), _Failures(self.folder)
        progress(len(slots), total)
        missing = [k for key, k in first.items() if key not in slots]
        for k, outcome in _outcomes(pool, missing, self._task):
            self._keep_texts(outcome)
            if outcome.sample is None:
                failures.add(k, outcome)
            else:
                self.store.save(self.keys[k], outcome.sample)
                slots[self.keys[k]] = len(outcome.sample.slot_active)
            progress(len(slots) + failures.count, total)
        failures.raise_any(total)
        return sum(slots[key] for key in self.keys)

    def _task(self, k: int) -> Task:
        cells, duration = self.plan.cells[self.plan.weights_index[k]], self.plan.duration[k]
        decks = str(self.folder / "decks")
        return Task(f"run-{k}", self.design, cells, duration, self.engine, decks, keep_deck=k < KEPT_DECKS)

    def _keep_texts(self, outcome: Outcome) -> None:
        for name, text in outcome.files.items():
            path = self.folder / "decks" / name
            path.parent.mkdir(exist_ok=True)
            with replacing(path) as temporary:
                temporary.write_text(text, encoding="utf-8")

    def shapes(self, slots: int) -> dict[str, tuple[int, ...]]:
        """Shapes of the data set's arrays with ``slots`` slots."""
        (n, rows), columns = self.plan.duration.shape, self.design.array.columns
        return {
            "duration": (n, rows), "fg_voltage": self.plan.cells.shape, "weights_index": (n,), "charge": (n, columns),
            "slot/sample": (slots,), "slot/active": (slots, rows), "slot/current": (slots, columns), "energy": (n,),
            "attempt": (n,), "floating_gate_return": (n,), "passes": (n,), "split_error": (n,),
        }  # fmt: skip

    def blocks(self) -> Blocks:
        """Rows of the data set's arrays, some runs at a time. Raises ``InputError`` where a sample is gone."""
        plan = self.plan
        yield from (("duration", plan.duration), ("fg_voltage", plan.cells), ("weights_index", plan.weights_index))
        for begin in range(0, len(self.keys), CHUNK):
            samples = [self._sample(key) for key in self.keys[begin : begin + CHUNK]]
            counts = [len(sample.slot_active) for sample in samples]
            yield "charge", np.stack([sample.charge for sample in samples])
            yield "slot/sample", np.repeat(np.arange(begin, begin + len(samples)), counts)
            yield "slot/active", np.concatenate([sample.slot_active for sample in samples])
            yield "slot/current", np.concatenate([sample.slot_current for sample in samples])
            for name in ("energy", "attempt", "floating_gate_return", "passes", "split_error"):
                yield name, np.array([getattr(sample, name) for sample in samples])

    def _sample(self, key: str) -> Sample:
        sample = self.store.load(key)
        if sample is None:
            raise InputError(f"{self.store.path(key)}: vanished or altered meanwhile: repeat the same command")
        return sample

    def origin(self) -> dict[str, object]:
        """Provenance of the data set."""
        design, plan, options = self.design, self.plan, self.engine.options()
        first = vmm_deck(design, plan.cells[plan.weights_index[0]], plan.duration[0], {**options, **LADDER[0]})
        return {
            "design_yaml": dump_design(design),
            "design_hash": design.hash,
            "simulator": self.engine.label,
            "options": json.dumps(options),
            "deck_hash": hashlib.sha256(first.encode()).hexdigest(),
            "code_version": code_version(),
            "seed": plan.seed,
        }


def _outcomes(pool: Pool, runs: Iterable[int], task: Callable[[int], Task]) -> Iterator[tuple[int, Outcome]]:
    """Outcomes of ``runs`` as they finish; never more than some per worker are under way."""
    waiting, pending, losses = iter(runs), dict[Future[Outcome], int](), Counter[int]()
    while True:
        for k in islice(waiting, max(0, WINDOW * pool.size - len(pending))):
            pending[pool.submit(task(k))] = k
        if not pending:
            return
        finished, _ = wait(pending, timeout=1.0, return_when=FIRST_COMPLETED)
        pool.check()
        for future in finished:
            k = pending.pop(future)
            try:
                yield k, pool.outcome(future)
            except WorkerLost as lost:
                losses[k] += 1
                if losses[k] > MAX_LOSSES:
                    yield k, given_up(task(k), f"its workers died each time ({lost}): run the deck by hand")
                else:
                    pending[pool.submit(task(k))] = k


class _Failures:
    """Runs that failed the whole ladder, listed in ``failures.jsonl`` as they come."""

    def __init__(self, folder: Path) -> None:
        self.path, self.count, self.first = folder / "failures.jsonl", 0, ""
        self.path.unlink(missing_ok=True)

    def add(self, run: int, outcome: Outcome) -> None:
        """List a failed run with its deck, log and reason."""
        deck, log = (next((n for n in outcome.files if n.endswith(end)), None) for end in (".cir", ".log"))
        self.count, self.first = self.count + 1, self.first or outcome.reason
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"run": run, "deck": deck, "log": log, "reason": outcome.reason}) + "\n")

    def raise_any(self, total: int) -> None:
        """Raise ``SimulationError`` if any run failed."""
        if self.count:
            raise SimulationError(f"{self.count} of {total} runs failed, listed in {self.path}; first: {self.first}")
