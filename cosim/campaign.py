"""Campaigns: many SPICE runs in parallel, every finished one safe on disk, assembled into a data set."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosim.dataset import DataSet
from cosim.ngspice import Ngspice
from cosim.plan import Plan
from cosim.sample import LADDER, Sample, simulate, vmm_deck
from cosim.version import code_version
from netlists.design import Design
from netlists.designfile import dump_design
from surrogate.atomic import replacing

Progress = Callable[[int, int], None]


def run_campaign(
    design: Design,
    plan: Plan,
    engine: Ngspice,
    folder: Path,
    workers: int | None = None,
    progress: Progress = lambda done, total: None,
) -> DataSet:
    """Simulate every run of ``plan`` and return the data set.

    Each finished run is a file of its own in ``folder/samples`` (written, synced, renamed) named by a hash of all that
    decides it, so an interrupted campaign goes on where it stopped and a finished one runs nothing; equal runs are
    simulated once. Decks are kept as ``folder/decks/run-k.cir``. Raises ``SimulationError`` after all other runs were
    tried, ``OSError`` on a full disk.
    """
    samples = folder / "samples"
    samples.mkdir(parents=True, exist_ok=True)
    paths = [samples / f"{run_key(design, plan, k, engine)}.npz" for k in range(len(plan))]
    results = {path: sample for path in dict.fromkeys(paths) if (sample := _load(path)) is not None}
    first = {path: k for k, path in reversed(list(enumerate(paths)))}
    missing = sorted(k for path, k in first.items() if path not in results)
    progress(len(results), len(first))

    def one(k: int) -> None:
        deck = folder / "decks" / f"run-{k}.cir"
        sample = simulate(design, plan.cells[plan.weights_index[k]], plan.duration[k], engine, deck)
        _save(sample, paths[k])
        results[paths[k]] = sample

    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        futures = [pool.submit(one, k) for k in missing]
        try:
            pending = set(futures)
            while pending:
                finished, pending = wait(pending, timeout=0.5, return_when=FIRST_EXCEPTION)
                progress(len(first) - len(pending), len(first))
                for future in finished:
                    if isinstance(future.exception(), OSError):
                        future.result()
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return _assemble(design, plan, engine, [results[path] for path in paths])


def run_key(design: Design, plan: Plan, k: int, engine: Ngspice) -> str:
    """Hash of everything that decides run ``k``: simulator and deck but for its title."""
    digest = hashlib.sha256()
    digest.update(engine.label.encode())
    deck = vmm_deck(design, plan.cells[plan.weights_index[k]], plan.duration[k], engine.options())
    digest.update(deck.partition("\n")[2].encode())
    return digest.hexdigest()[:32]


def _save(sample: Sample, path: Path) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **asdict(sample))
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def _load(path: Path) -> Sample | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            return Sample(
                charge=file["charge"], slot_active=file["slot_active"], slot_current=file["slot_current"],
                energy=float(file["energy"]), attempt=int(file["attempt"]),
                floating_gate_return=float(file["floating_gate_return"]),
            )  # fmt: skip
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile):
        return None  # absent or damaged: RuntimeError is what the zip reader says of flags it does not know


def _assemble(design: Design, plan: Plan, engine: Ngspice, samples: list[Sample]) -> DataSet:
    counts = [len(s.slot_active) for s in samples]
    first = vmm_deck(design, plan.cells[plan.weights_index[0]], plan.duration[0], {**engine.options(), **LADDER[0]})
    return DataSet(
        duration=plan.duration,
        cells=plan.cells,
        weights_index=plan.weights_index,
        role=plan.role,
        charge=np.stack([s.charge for s in samples]),
        slot_sample=np.repeat(np.arange(len(samples)), counts),
        slot_active=np.concatenate([s.slot_active for s in samples]),
        slot_current=np.concatenate([s.slot_current for s in samples]),
        energy=np.array([s.energy for s in samples]),
        attempt=np.array([s.attempt for s in samples], dtype=np.int64),
        floating_gate_return=np.array([s.floating_gate_return for s in samples]),
        design_yaml=dump_design(design),
        design_hash=design.hash,
        simulator=engine.label,
        options=json.dumps(engine.options(), sort_keys=True),
        deck_hash=hashlib.sha256(first.encode()).hexdigest(),
        code_version=code_version(),
        seed=plan.seed,
    )


def simulate_many(
    design: Design,
    cells: NDArray[np.float64],
    duration: NDArray[np.float64],
    weights_index: NDArray[np.int64],
    engine: Ngspice,
    folder: Path,
    workers: int | None = None,
    progress: Progress = lambda done, total: None,
) -> DataSet:
    """A campaign over given matrices ``cells`` [B, N, M] and ``duration`` [n, N] s (role ``network``)."""
    plan = Plan(cells, duration, weights_index, ("network",) * len(duration), seed=0)
    return run_campaign(design, plan, engine, folder, workers, progress)
