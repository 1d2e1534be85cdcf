"""Verification of a run folder: some of its SPICE runs made again, and whether its artefacts belong together."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cosim.campaigns.campaign import run_keys
from cosim.campaigns.plan import Plan
from cosim.campaigns.samples import SampleStore
from cosim.errors import InputError, SimulationError
from cosim.files.dataset import DataSet, load_dataset
from cosim.run_folder.belonging import artefact_differences, layer_folders
from cosim.spice.ladder import LADDER
from cosim.spice.ngspice import Ngspice, find_ngspice
from cosim.version import code_version
from cosim.vmm.sample import Sample
from cosim.vmm.simulate import simulate
from cosim.vmm.whole import vmm_deck
from netlists.design import Design
from netlists.designfile import parse_design
from surrogate.scores import decibel

LEVEL_DB = 60.0
"""Agreement demanded where simulator, options or code are others than those of the run: two correct simulators differ
by their tolerances, which a campaign chooses for charges and slot currents of some 80 dB."""

ENERGY_MARGIN_DB = 20.0
"""So much less is demanded of energies: most of the power at the edges flows back, and tolerances ignore the rest."""


@dataclass(frozen=True)
class Repetition:
    """One SPICE run made again."""

    data: str
    """The data set that holds it, relative to the run folder."""
    run: int
    level_db: float | None
    """The SER it must reach; None: every digit must be the same."""
    ser_db: float
    """The lower of the SERs of charges and slot currents, new against recorded; at most 300 dB."""
    energy_db: float
    """The SER of the energy."""
    equal: bool
    """Charges, slots, slot currents and energy are the same to the last digit."""

    @property
    def passed(self) -> bool:
        """Whether it agrees as it must."""
        if self.equal or self.level_db is None:
            return self.equal
        return self.ser_db >= self.level_db and self.energy_db >= self.level_db - ENERGY_MARGIN_DB


@dataclass(frozen=True)
class Verification:
    """What :func:`verify_run` found."""

    folder: str
    simulator: str
    """The one installed here, which made the repetitions."""
    repetitions: tuple[Repetition, ...]
    samples: int
    """Sample files compared with the data sets."""
    differences: tuple[str, ...]
    """All that is not as it must be, one line each."""
    notes: tuple[str, ...]
    """What could not be compared to the last digit, and why."""

    @property
    def passed(self) -> bool:
        """Whether nothing differs."""
        return not self.differences

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        repetitions = [{**asdict(r), "passed": r.passed} for r in self.repetitions]
        return {**asdict(self), "repetitions": repetitions, "passed": self.passed}


@dataclass(frozen=True)
class _Campaign:
    """A data set of the folder, the engine that repeats it and the engine as it was recorded."""

    name: str
    folder: Path
    data: DataSet
    design: Design
    plan: Plan
    engine: Ngspice
    recorded: Ngspice | None
    """None where this program's options or decks are not those of the data set."""


def verify_run(
    folder: Path,
    runs: int = 3,
    seed: int = 0,
    workers: int | None = None,
    level_db: float | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Verification:
    """Repeat ``runs`` SPICE runs of each data set of a run ``folder`` (campaign and sign-off), drawn by ``seed``, with
    the installed ngspice, compare all samples with the data sets and check that all artefacts belong together.

    Same simulator, options and code: the results must be equal to the last digit. Otherwise, or on request, they must
    agree to ``level_db`` (:data:`LEVEL_DB` by default). Raises ``InputError`` where there is no run or no ngspice.
    """
    engine = find_ngspice()
    if not (folder / "data.h5").is_file():
        raise InputError(f"{folder}: holds no run (no data.h5): give the folder of a 'fgcosim run'")
    campaigns = [_open(folder, where, engine) for where in (folder, *layer_folders(folder))]
    layers = {c.folder.name: c.data for c in campaigns[1:]}
    differences = artefact_differences(folder, campaigns[0].data, layers)
    notes, compared = [], 0
    for campaign in campaigns:
        count, wrong, note = _compare_samples(campaign)
        compared += count
        differences += wrong
        notes += note
        if level_db is None and (reason := _why_not_exact(campaign)):
            notes.append(f"{campaign.name}: {reason}: compared to {LEVEL_DB:g} dB instead of the last digit")
    rng = np.random.default_rng(seed)
    chosen = [
        (campaign, int(k))
        for campaign in campaigns
        for k in sorted(rng.choice(len(campaign.data), min(runs, len(campaign.data)), replace=False))
    ]
    repetitions = []
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        for done, result in enumerate(pool.map(lambda one: _repeat(one[0], one[1], level_db), chosen)):
            if isinstance(result, str):
                differences.append(result)
            else:
                repetitions.append(result)
            progress(done + 1, len(chosen))
    differences += [_describe(r) for r in repetitions if not r.passed]
    return Verification(str(folder), engine.label, tuple(repetitions), compared, tuple(differences), tuple(notes))


def _open(run: Path, folder: Path, installed: Ngspice) -> _Campaign:
    data = load_dataset(folder / "data.h5")
    name = str((folder / "data.h5").relative_to(run))
    try:
        options = dict(json.loads(data.options))
        monolithic = data.simulator.endswith(" monolithic")
        engine = replace(installed, trtol=float(options["trtol"]), monolithic=monolithic)
    except (ValueError, LookupError, TypeError):
        raise InputError(f"{folder / 'data.h5'}: unreadable simulator options: make it again") from None
    design = parse_design(data.design_yaml, name)
    plan = Plan(data.cells, data.duration, data.weights_index, data.role, data.seed)
    match = re.fullmatch(r"ngspice-(\d+)( KLU)?( monolithic)?", data.simulator)
    recorded = replace(engine, version=int(match[1]), klu=match[2] is not None) if match else None
    if recorded is not None and recorded.options() != options:
        recorded = None
    if recorded is not None and _first_deck_hash(plan, design, recorded) != data.deck_hash:
        recorded = None
    return _Campaign(name, folder, data, design, plan, engine, recorded)


def _first_deck_hash(plan: Plan, design: Design, engine: Ngspice) -> str:
    options = {**engine.options(), **LADDER[0]}
    deck = vmm_deck(design, plan.cells[plan.weights_index[0]], plan.duration[0], options)
    return hashlib.sha256(deck.encode()).hexdigest()


def _why_not_exact(campaign: _Campaign) -> str | None:
    """Why a repetition may differ in its last digits, or None."""
    if campaign.engine.label != campaign.data.simulator:
        return f"made by {campaign.data.simulator}, installed is {campaign.engine.label}"
    if campaign.recorded is None:
        return "made with other simulator options or decks than this release's"
    if campaign.data.code_version != code_version():
        return f"made by {campaign.data.code_version}, this is {code_version()}"
    return None


def _compare_samples(campaign: _Campaign) -> tuple[int, list[str], list[str]]:
    """Number of sample files compared with the data set, differences and notes."""
    store, data = SampleStore(campaign.folder / "samples"), campaign.data
    if not store.folder.is_dir():
        return 0, [], [f"{campaign.name}: its sample files were not kept"]
    if campaign.recorded is None:
        return 0, [], [f"{campaign.name}: made with other options or decks: its sample files were not compared"]
    differences, absent = [], []
    for k, key in enumerate(run_keys(campaign.design, campaign.plan, campaign.recorded, data.code_version)):
        sample = store.load(key)
        if sample is None:
            absent.append(f"run {k} ({key})")
            continue
        wrong = [name for name, (said, is_now) in _values(data, k, sample).items() if not _equal(said, is_now)]
        if wrong:
            differences.append(f"{campaign.name}: run {k}: {', '.join(wrong)} differ from its sample {key}")
    if absent:
        differences.append(f"{campaign.name}: {len(absent)} of {len(data)} samples missing or damaged: {absent[0]} …")
    return len(data) - len(absent), differences, []


def _values(data: DataSet, k: int, sample: Sample) -> dict[str, tuple[Any, Any]]:
    """What ``data`` holds of run ``k``, and what ``sample`` does."""
    slots = slice(*np.searchsorted(data.slot_sample, [k, k + 1]))
    return {
        "charge": (data.charge[k], sample.charge),
        "slots": (data.slot_active[slots], sample.slot_active),
        "slot currents": (data.slot_current[slots], sample.slot_current),
        "energy": (data.energy[k], sample.energy),
    }


def _equal(a: Any, b: Any) -> bool:
    return bool(np.array_equal(a, b))


def _repeat(campaign: _Campaign, k: int, level_db: float | None) -> Repetition | str:
    """Run ``k`` made again, or why it cannot be."""
    data = campaign.data
    level = LEVEL_DB if level_db is None and _why_not_exact(campaign) else level_db
    try:
        sample = simulate(campaign.design, data.cells[data.weights_index[k]], data.duration[k], campaign.engine)
    except (InputError, SimulationError, IndexError) as error:
        return f"{campaign.name}: run {k}: cannot be repeated: {error}"
    values = _values(data, k, sample)
    equal = all(_equal(said, is_now) for said, is_now in values.values())
    energy = _level(*values.pop("energy"))
    return Repetition(campaign.name, k, level, min(_level(*both) for both in values.values()), energy, equal)


def _level(said: Any, is_now: Any) -> float:
    """SER of what was measured; -300 dB where the shapes differ or a value is no number."""
    truth, again = np.atleast_1d(said).astype(np.float64), np.atleast_1d(is_now).astype(np.float64)
    if truth.shape != again.shape:
        return -300.0
    level = decibel(truth, again) if truth.size else 300.0
    return level if np.isfinite(level) else -300.0


def _describe(repetition: Repetition) -> str:
    demanded = "the last digit" if repetition.level_db is None else f"{repetition.level_db:g} dB"
    return (
        f"{repetition.data}: run {repetition.run}: repeated, it agrees to {repetition.ser_db:.1f} dB "
        f"(energy {repetition.energy_db:.1f} dB), demanded is {demanded}"
    )
