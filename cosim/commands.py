"""What each command does, as one public function; each returns False where a check failed."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from cosim.campaign import run_campaign, simulate_many
from cosim.dataset import load_dataset, save_dataset
from cosim.errors import InputError
from cosim.fitting import fit_dataset, fit_measurements
from cosim.folders import write_json
from cosim.measurements import load_measurements, save_measurements
from cosim.networks import accuracies, describe, load_network, retrain_seeds, save_network, tile_settings
from cosim.ngspice import find_ngspice
from cosim.pipeline import Job, network_durations, require_pairs
from cosim.pipeline import run as run_job
from cosim.plan import random_cells, random_durations, standard_plan
from cosim.programming import read_curve
from cosim.progress import Stages
from cosim.report import write_report
from cosim.signoff import sign_off
from cosim.validation import validate_dataset, validate_measurements
from netlists.design import Design, Levels
from netlists.designfile import load_design, parse_design
from netlists.stimulus import check_durations
from surrogate.digits import Images, digits
from surrogate.files import load_surrogate, save_surrogate
from surrogate.surrogate import Surrogate
from surrogate.training import Recipe


def run_all(design: str, out: Path | None, seeds: int, images: int, workers: int | None, stages: Stages) -> bool:
    """The whole job of :func:`cosim.pipeline.run`, and a table of its key figures."""
    loaded = load_design(design)
    folder = out or Path("runs") / loaded.name
    summary = run_job(Job(loaded, folder, seeds, images, workers), stages)
    _print_summary(summary, folder)
    return bool(summary["surrogate"]["passed"])


def simulate_csv(
    design: str, out: Path, vmms: int, durations: Path | None, decks: Path | None, seed: int,
    workers: int | None, stages: Stages,
) -> bool:  # fmt: skip
    """Simulate VMMs of one array with random cells; durations are random or come from a CSV file."""
    loaded = load_design(design)
    _writable(out)
    engine = find_ngspice()
    rng = np.random.default_rng(seed)
    cells = random_cells(rng, loaded, read_curve(loaded, engine), 1)
    widths = _read_durations(durations, loaded) if durations else random_durations(rng, loaded, vmms)
    folder = decks or out.with_name(f"{out.stem}-decks")
    index = np.zeros(len(widths), dtype=np.int64)
    with stages.counted("Simulating arrays in ngspice") as progress:
        data = simulate_many(loaded, cells, widths, index, engine, folder, workers, progress)
    save_measurements(data.duration, data.charge, out)
    return True


def generate(design: str, out: Path, seed: int, workers: int | None, stages: Stages) -> bool:
    """The campaign of a cross-validated fit; its samples lie beside ``out`` until the data set is whole."""
    loaded = load_design(design)
    _writable(out)
    require_pairs(loaded)
    engine = find_ngspice()
    with stages.stage("Reading the cell's curve in SPICE and a software network's pulse widths"):
        plan = standard_plan(
            loaded, read_curve(loaded, engine), seed, network_duration=network_durations(loaded)
        )
    with stages.counted("Simulating arrays in ngspice") as progress:
        data = run_campaign(loaded, plan, engine, out.with_name(f"{out.stem}-campaign"), workers, progress)
    save_dataset(data, out)
    return True


def fit(data: Path, out: Path, stages: Stages) -> bool:
    """Fit a surrogate to a data set or, for ``*.csv``, to measurements."""
    _writable(out)
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
    settings = tile_settings(_design_of(fitted, surrogate))
    out.mkdir(parents=True, exist_ok=True)
    recipe = Recipe()
    with stages.counted("Retraining the network through the surrogate") as progress:
        results = retrain_seeds(fitted, settings, list(range(seeds)), recipe, workers, progress)
    save_network(results[0].network, fitted, results[0].seed, out / "network.safetensors")
    accuracy = accuracies(results)
    write_json({**describe(results, recipe), "accuracy": accuracy}, out / "network.json")
    Console().print({name: round(value, 4) for name, value in accuracy.items()})
    return True


def signoff(
    surrogate: Path, network: Path, out: Path, images: int, workers: int | None, stages: Stages
) -> bool:
    """Sign a retrained network off in SPICE; ``out`` is a folder."""
    fitted = load_surrogate(surrogate)
    fitted.require_passed()
    design = _design_of(fitted, surrogate)
    loaded = load_network(network, fitted, tile_settings(design))
    engine = find_ngspice()
    out.mkdir(parents=True, exist_ok=True)
    _, test_set = digits()
    some = Images(test_set.pixels[:images], test_set.label[:images])
    with stages.counted("Signing off: every VMM of the test images in ngspice") as progress:
        result = sign_off(design, fitted, loaded, some, engine, out / "signoff", workers, progress)
    write_json(result.summary, out / "signoff.json")
    figures = ("images", "class_agreement", "ser_db", "ser_pair_db")
    Console().print({name: result.summary[name] for name in figures})
    return True


def report(folder: Path) -> bool:
    """Write ``report.html`` of a run folder."""
    print(write_report(folder))
    return True


def _design_of(surrogate: Surrogate, path: Path) -> Design:
    text = surrogate.provenance.get("design_yaml")
    if not text:
        raise InputError(f"{path}: fitted to measurements, belongs to no design: fit a data set of a design")
    return parse_design(text, f"{path} (design)")


def _levels(levels: Levels, ser: float | None) -> Levels:
    if ser is None:
        return levels
    return levels.model_copy(update={"ser": ser, "ser_centred": ser, "ser_worst_column": ser})


def _writable(out: Path) -> None:
    if not out.parent.is_dir():
        raise InputError(f"{out}: its folder {out.parent} does not exist: create it or choose another")
    if out.is_dir():
        raise InputError(f"{out}: is a folder: give a file name")


def _read_durations(path: Path, design: Design) -> NDArray[np.float64]:
    if not path.is_file():
        raise InputError(f"{path}: no such file of durations")
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if row]
    expected = [f"T_{i}" for i in range(design.array.rows)]
    if not rows or [name.strip() for name in rows[0]] != expected:
        raise InputError(f"{path}:1: the header must be T_0,…,T_{design.array.rows - 1} for {design.name}")
    try:
        values = np.array([[float(x) for x in row] for row in rows[1:]])
        return check_durations(design, values.reshape(len(rows) - 1, design.array.rows))
    except ValueError as error:
        raise InputError(f"{path}: {error}: correct the file") from None


def _print_verdict(result: dict[str, Any]) -> None:
    console = Console()
    table = Table("held-out", "SER", "centred", "worst column")
    for role, scores in result.get("roles", {"measurements": result}).items():
        figures = (scores["ser_db"], scores["ser_centred_db"], scores["ser_worst_column_db"])
        table.add_row(role, *(f"{value:.1f} dB" for value in figures))
    console.print(table)
    console.print("passed" if result["passed"] else f"failed: {', '.join(result['failed'])}")


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
