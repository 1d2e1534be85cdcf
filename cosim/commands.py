"""What each command does, as one public function; each returns False where a check failed."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from cosim.campaigns.campaign import simulate_many, write_campaign
from cosim.campaigns.decks import deck_of
from cosim.campaigns.plan import generator, random_cells, random_durations, standard_plan
from cosim.deployment.steps import retrain_into, sign_off_into
from cosim.errors import InputError
from cosim.files.dataset import load_dataset
from cosim.files.folders import file_hash, write_json
from cosim.files.measurements import load_durations, load_measurements, save_measurements
from cosim.files.provenance import of_simulation
from cosim.fitting.fit import fit_dataset, fit_measurements
from cosim.fitting.larger import SIZES
from cosim.fitting.validation import validate_dataset, validate_measurements
from cosim.progress import Stages
from cosim.run_folder.pipeline import Job, network_durations, require_pairs
from cosim.run_folder.pipeline import run as run_job
from cosim.run_folder.report import write_report
from cosim.run_folder.verify import Verification, verify_run
from cosim.spice.ngspice import find_ngspice
from cosim.vmm.programming import read_curve
from netlists.design import Design, Levels
from netlists.designfile import load_design, parse_design
from netlists.stimulus import check_durations
from surrogate.atomic import replacing
from surrogate.files import load_surrogate, save_surrogate
from surrogate.surrogate import Surrogate
from surrogate.training.comparison import ComparisonRecipe


def run_all(
    design: str, out: Path | None, seeds: int, images: int, workers: int | None, stages: Stages,
    scheduler: str | None = None, monolithic: bool = False,
) -> bool:  # fmt: skip
    """The whole job of :func:`cosim.run_folder.pipeline.run`, and a table of its key figures."""
    loaded = load_design(design)
    folder = out or Path("runs") / loaded.name
    summary = run_job(Job(loaded, folder, seeds, images, workers, scheduler, monolithic), stages)
    _print_summary(summary, folder)
    return bool(summary["surrogate"]["passed"])


def simulate_csv(
    design: str, out: Path, vmms: int, durations: Path | None, decks: Path | None, seed: int,
    workers: int | None, stages: Stages, scheduler: str | None = None, monolithic: bool = False,
) -> bool:  # fmt: skip
    """Simulate VMMs of one array with random cells; durations are random or come from a CSV file."""
    loaded = load_design(design)
    require_writable(out)
    engine = find_ngspice(monolithic)
    rng = generator(seed)
    cells = random_cells(rng, loaded, read_curve(loaded, engine), 1)
    widths = _read_durations(durations, loaded) if durations else random_durations(rng, loaded, vmms)
    folder = decks or out.with_name(f"{out.stem}-decks")
    index = np.zeros(len(widths), dtype=np.int64)
    with stages.counted("Simulating arrays in ngspice") as progress:
        data = simulate_many(loaded, cells, widths, index, engine, folder, workers, progress, scheduler)
    save_measurements(data.duration, data.charge, out)
    write_json(of_simulation(loaded, engine, seed, csv=file_hash(out)).as_dict(), out.with_name(f"{out.name}.json"))
    return True


def generate(
    design: str, out: Path, seed: int, workers: int | None, stages: Stages, scheduler: str | None = None,
    monolithic: bool = False,
) -> bool:  # fmt: skip
    """The campaign of a cross-validated fit; its samples lie beside ``out`` until the data set is whole."""
    loaded = load_design(design)
    require_writable(out)
    require_pairs(loaded)
    engine = find_ngspice(monolithic)
    with stages.stage("Reading the cell's curve in SPICE and a software network's pulse widths"):
        plan = standard_plan(
            loaded, read_curve(loaded, engine), seed, network_duration=network_durations(loaded)
        )
    with stages.counted("Simulating arrays in ngspice") as progress:
        folder = out.with_name(f"{out.stem}-campaign")
        write_campaign(loaded, plan, engine, folder, out, workers, progress, scheduler)
    return True


def deck(data: Path, run: int, out: Path) -> bool:
    """Write the deck of one run of a data set, as ngspice got it, for running it by hand."""
    require_writable(out)
    loaded = load_dataset(data)
    try:
        text = deck_of(loaded, run)
    except InputError as error:
        raise InputError(f"{data}: {error}") from None
    with replacing(out) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return True


def fit(data: Path, out: Path, stages: Stages) -> bool:
    """Fit a surrogate to a data set or, for ``*.csv``, to measurements."""
    require_writable(out)
    if data.suffix.lower() == ".csv":
        measurements = load_measurements(data)
        with stages.stage(f"Fitting {measurements.duration.shape[1]}x{measurements.charge.shape[1]} unknown cells"):
            surrogate = fit_measurements(measurements, data)
    else:
        loaded = load_dataset(data)
        with stages.stage("Fitting the time-slot surrogate"):
            surrogate = fit_dataset(loaded)
    save_surrogate(surrogate, out)
    return True


def validate(surrogate: Path, data: Path, as_json: bool, ser: float | None) -> bool:
    """Cross-validate and store the verdict in the surrogate's file, whether it passes or not."""
    fitted = load_surrogate(surrogate)
    if data.suffix.lower() == ".csv":
        result = validate_measurements(fitted, load_measurements(data), _levels(Levels(), ser))
    else:
        loaded = load_dataset(data)
        levels = parse_design(loaded.design_yaml, str(data)).levels
        result = validate_dataset(fitted, loaded, _levels(levels, ser))
        result["ser_db"] = {role: scores["ser_db"] for role, scores in result["roles"].items()}
        if fitted.report is not None and SIZES in fitted.report:
            result[SIZES] = fitted.report[SIZES]
    save_surrogate(fitted.with_report(result), surrogate)
    if as_json:
        print(json.dumps(result))
    else:
        _print_verdict(result)
    return bool(result["passed"])


def retrain(surrogate: Path, out: Path, seeds: int, workers: int | None, stages: Stages) -> bool:
    """Retrain the digits network; ``out`` is a folder."""
    fitted = load_surrogate(surrogate)
    fitted.require_passed()
    design = design_of(fitted, surrogate)
    out.mkdir(parents=True, exist_ok=True)
    accuracy = retrain_into(out, fitted, design, seeds, ComparisonRecipe(), workers, stages)["accuracy"]
    Console().print({name: round(value, 4) for name, value in accuracy.items()})
    return True


def signoff(
    surrogate: Path, network: Path, out: Path, images: int, workers: int | None, stages: Stages,
    scheduler: str | None = None,
) -> bool:  # fmt: skip
    """Sign a retrained network off in SPICE; ``out`` is a folder."""
    fitted = load_surrogate(surrogate)
    fitted.require_passed()
    design = design_of(fitted, surrogate)
    engine = find_ngspice()
    out.mkdir(parents=True, exist_ok=True)
    summary = sign_off_into(out, fitted, network, design, images, engine, workers, stages, scheduler)
    figures = ("images", "class_agreement", "ser_db", "ser_pair_db")
    Console().print({name: summary[name] for name in figures})
    return True


def report(folder: Path) -> bool:
    """Write ``report.html`` of a run folder."""
    print(write_report(folder))
    return True


def verify(
    folder: Path, runs: int, seed: int, ser: float | None, as_json: bool, workers: int | None, stages: Stages
) -> bool:
    """Repeat some SPICE runs of a run folder and check that its artefacts belong together."""
    with stages.counted("Repeating SPICE runs") as progress:
        result = verify_run(folder, runs, seed, workers, ser, progress)
    if as_json:
        print(json.dumps(result.as_dict()))
    else:
        _print_verification(result)
    return result.passed


def design_of(surrogate: Surrogate, path: Path) -> Design:
    """The design that the surrogate in the file ``path`` was fitted to. Raises :class:`InputError` without one."""
    text = surrogate.provenance.get("design_yaml")
    if not text:
        raise InputError(f"{path}: fitted to measurements, belongs to no design: fit a data set of a design")
    return parse_design(text, f"{path} (design)")


def _levels(levels: Levels, ser: float | None) -> Levels:
    if ser is None:
        return levels
    if not math.isfinite(ser):
        raise InputError(f"--ser {ser:g}: give a level in dB")
    return levels.model_copy(update={"ser": ser, "ser_centred": ser, "ser_worst_column": ser})


def require_writable(out: Path) -> None:
    """Raise :class:`InputError` unless ``out`` can be a file in a folder that exists."""
    if not out.parent.is_dir():
        raise InputError(f"{out}: its folder {out.parent} does not exist: create it or choose another")
    if out.is_dir():
        raise InputError(f"{out}: is a folder: give a file name")


def _read_durations(path: Path, design: Design) -> NDArray[np.float64]:
    try:
        return check_durations(design, load_durations(path, design.array.rows))
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith(str(path)) else f"{path}: {text}: correct the file") from None


def _print_verdict(result: dict[str, Any]) -> None:
    console = Console()
    table = Table("held-out", "SER", "centred", "worst column")
    for role, scores in result.get("roles", {"measurements": result}).items():
        figures = (scores["ser_db"], scores["ser_centred_db"], scores["ser_worst_column_db"])
        table.add_row(role, *(f"{value:.1f} dB" for value in figures))
    console.print(table)
    console.print("passed" if result["passed"] else f"failed: {', '.join(result['failed'])}")


def _print_verification(result: Verification) -> None:
    console = Console(highlight=False, soft_wrap=True)
    table = Table("data set", "repeated", "equal", "agreement", box=None)
    for name in dict.fromkeys(r.data for r in result.repetitions):
        some = [r for r in result.repetitions if r.data == name]
        least = min(r.ser_db for r in some)
        table.add_row(name, str(len(some)), str(sum(r.equal for r in some)), f"{least:.1f} dB")
    console.print(table)
    console.print(f"repeated with {result.simulator}; {result.samples} sample files compared", markup=False)
    for line in result.notes:
        console.print(f"note: {line}", markup=False)
    for line in result.differences:
        console.print(f"differs: {line}", markup=False)
    console.print("verified" if result.passed else f"failed: {len(result.differences)} differences")


def _print_summary(summary: dict[str, Any], folder: Path) -> None:
    table = Table("figure", "value")
    for role, value in summary["surrogate"]["ser_db"].items():
        table.add_row(f"surrogate against SPICE, unseen {role}", f"{value:.1f} dB")
    for name, value in summary["ideal"]["ser_db"].items():
        table.add_row(f"ideal VMM, {name.replace('_', ' ')} weights", "–" if value is None else f"{value:.1f} dB")
    network = summary.get("network")
    if network:
        for name in ("software", "deployed", "control", "retrained"):
            mean, std = network["accuracy"][name], network["accuracy"][f"{name}_std"]
            table.add_row(f"accuracy, {name}", f"{mean:.1%} ± {std:.1%}")
        off = network["signoff"]
        verdict = f"{off['class_agreement']:.0%} agree, {off['ser_db']:.1f} dB"
        table.add_row(f"SPICE sign-off, {off['images']} images", verdict)
    else:
        table.add_row("cross-validation", f"failed: {', '.join(summary['surrogate']['failed'])}")
    table.add_row("wall time", f"{summary['wall_seconds']['total']:.0f} s")
    console = Console()
    console.print(table)
    console.print(f"{folder}: report.html, summary.json, data set, decks, surrogate, network")
