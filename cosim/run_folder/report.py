"""The HTML report of a run: one self-contained file that a circuit designer reads."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import torch
from markupsafe import Markup

from cosim.errors import InputError
from cosim.figures.agreement import Prediction, agreement_figure
from cosim.figures.budget import budget_figure
from cosim.figures.crosspoint import crosspoint_figure
from cosim.figures.energy import energy_figure
from cosim.figures.kernel import kernel_figure
from cosim.figures.layout import layout_figure
from cosim.figures.learning import STAGES, accuracy_figure, curves_figure
from cosim.figures.waves import waveform_figure
from cosim.files.dataset import DataSet, load_dataset
from cosim.files.provenance import surrogate_hash
from cosim.vmm.waveforms import Waveforms, load_waveforms
from netlists.design import Design, ResistiveCell
from netlists.designfile import parse_design
from netlists.quantity import DECIBEL
from surrogate.atomic import replacing
from surrogate.files import load_surrogate
from surrogate.ideal import least_squares_weights
from surrogate.scores import decibel
from surrogate.strict_json import parse_json
from surrogate.surrogate import Surrogate

REPORT = "report.html"
HELD_OUT = ("patterns", "weights", "network")
_REMEDY = {
    "data.h5": "fgcosim generate",
    "surrogate.safetensors": "fgcosim fit",
    "network.json": "fgcosim retrain",
    "signoff.json": "fgcosim signoff",
    "summary.json": "fgcosim run",
}
_REQUIRED = {
    "network.json": ("seeds", "tiles"),
    "signoff.json": (
        "images", "class_agreement", "ser_db", "ser_pair_db", "accuracy_spice", "accuracy_surrogate", "label",
        "spice_class", "surrogate_class", "vmms", "energy_per_vmm_j", "energy_per_image_j", "time_per_vmm_s",
    ),
    "summary.json": (
        "surrogate.ser_db.patterns", "surrogate.ser_db.weights", "ideal.ser_db", "wall_seconds.total",
    ),
}  # fmt: skip
_DEPLOYED = ("network.json", "signoff.json")
"""What a run lacks whose surrogate failed its cross-validation; its summary has no accuracies then."""
_ACCURACIES = tuple(f"network.accuracy.{stage}{end}" for stage, *_ in STAGES for end in ("", "_std"))
_MALFORMED = (
    LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError, jinja2.UndefinedError,
)  # fmt: skip
"""What entries of a wrong type or size make of the page."""

_MAX_JSON_BYTES = 5_000_000
_MAX_SEEDS = 1000
_MAX_EPOCHS = 1000
_MAX_EFFECTS = 40
_MAX_TABLE_IMAGES = 60


@dataclass(frozen=True)
class Run:
    """What a run folder holds; neither network nor sign-off where the surrogate failed its cross-validation."""

    design: Design
    data: DataSet
    surrogate: Surrogate
    validation: dict[str, Any]
    network: dict[str, Any] | None
    signoff: dict[str, Any] | None
    summary: dict[str, Any]
    waveforms: Waveforms | None


def write_report(folder: Path) -> Path:
    """Write ``folder/report.html`` from the files of the run in ``folder`` and return its path.

    The file is written beside and renamed into place. Raises :class:`InputError` naming the file that is missing or
    malformed and the command that makes it, ``OSError`` where the disk is full.
    """
    path = folder / REPORT
    text = render(read_run(folder))
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="replace")
    return path


def read_run(folder: Path) -> Run:
    """Read and check the files of a run. Raises :class:`InputError`."""
    if not any((folder / name).is_file() for name in _REMEDY):
        raise InputError(f"{folder}: no run folder: make one with 'fgcosim run DESIGN -o {folder}'")
    _require(folder, *(name for name in _REMEDY if name not in _DEPLOYED))
    surrogate_path, waves_path = folder / "surrogate.safetensors", folder / "waveforms.npz"
    data, surrogate = load_dataset(folder / "data.h5"), load_surrogate(surrogate_path)
    if surrogate.report is None:
        raise InputError(f"{surrogate_path}: not validated: run 'fgcosim validate' on it first")
    if surrogate.state_map is None:
        raise InputError(f"{surrogate_path}: fitted to measurements, not to a data set: run 'fgcosim fit' on data.h5")
    if surrogate.provenance.get("design_hash", data.design_hash) != data.design_hash:
        raise InputError(f"{surrogate_path}: fitted to another design than data.h5: run 'fgcosim fit' on data.h5")
    deployed = bool(surrogate.report.get("passed")) or "network" in _read_json(folder / "summary.json")
    _require(folder, *(_DEPLOYED if deployed else ()))
    return Run(
        design=parse_design(data.design_yaml, "data set's design"),
        data=data,
        surrogate=surrogate,
        validation={**surrogate.report, "levels": _levels(surrogate.report, surrogate_path)},
        network=_read_json(folder / "network.json") if deployed else None,
        signoff=_read_json(folder / "signoff.json") if deployed else None,
        summary=_read_json(folder / "summary.json", *(_ACCURACIES if deployed else ())),
        waveforms=load_waveforms(waves_path) if waves_path.is_file() else None,
    )


def _require(folder: Path, *names: str) -> None:
    for name in names:
        if not (folder / name).is_file():
            raise InputError(f"{folder / name}: no such file: make it with '{_REMEDY[name]}'")


def _levels(report: Mapping[str, Any], path: Path) -> dict[str, float]:
    """The pass levels as numbers; levels in dB may be texts with their unit."""
    try:
        return {
            name: DECIBEL.parse(level) if isinstance(level, str) else float(level)
            for name, level in report["levels"].items()
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError(f"{path}: its report has no readable pass levels: run 'fgcosim validate' again") from None


def _read_json(path: Path, *more: str) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_JSON_BYTES:
            raise ValueError(f"larger than {_MAX_JSON_BYTES} bytes")
        content = parse_json(path.read_text(encoding="utf-8"))
        for key in (*_REQUIRED[path.name], *more):
            entry: Any = content
            for part in key.split("."):
                entry = entry.get(part) if isinstance(entry, dict) else None
            if entry is None:
                raise ValueError(f"has no entry '{key}'")
        if path.name == "network.json":
            _check_seeds(content["seeds"])
    except ValueError as error:
        reason = " ".join(str(error).split())[:100]
        remedy = f"make it again with '{_REMEDY[path.name]}'"
        raise InputError(f"{path}: not valid JSON of a run ({reason}): {remedy}") from None
    return content


def _check_seeds(seeds: Any) -> None:
    """Raise ``ValueError`` unless ``seeds`` are as many and as long as can be drawn, with accuracies of 0 to 1."""
    if not isinstance(seeds, list) or not 1 <= len(seeds) <= _MAX_SEEDS:
        raise ValueError(f"'seeds' is no list of 1 to {_MAX_SEEDS}")
    for number, seed in enumerate(seeds):
        for name in (*(stage for stage, *_ in STAGES), "control_curve", "retrained_curve"):
            values = np.asarray(seed.get(name) if isinstance(seed, dict) else None)
            if values.dtype.kind not in "fi" or values.ndim != name.endswith("_curve"):
                raise ValueError(f"seeds.{number}.{name} is missing or holds no numbers")
            if not 1 <= values.size <= _MAX_EPOCHS or values.min() < 0 or values.max() > 1:
                raise ValueError(f"seeds.{number}.{name} is not in 0 … 1 or longer than {_MAX_EPOCHS}")


def render(run: Run) -> str:
    """The report of ``run`` as HTML text. Raises :class:`InputError` where a file lacks an entry."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cosim.run_folder"), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(si=si, db=decibels, percent=percent, seconds=seconds)
    try:
        surrogate, ideal = predictions(run)
        figures = _figures(run, surrogate, ideal)
        return environment.get_template("report.html.j2").render(
            run=run,
            design=run.design,
            resistive=isinstance(run.design.cell, ResistiveCell),
            figures=figures,
            full_ser_db=surrogate.ser_db,
            cells=run.design.array.rows * run.design.array.columns,
            energy=float(np.median(run.data.energy[run.data.runs(*HELD_OUT)])),
            fitted_here=run.surrogate.provenance.get("dataset_hash") == run.data.hash,
            images=_images(run.signoff) if run.signoff is not None else [],
            provenance=_provenance(run),
        )
    except InputError:
        raise
    except _MALFORMED as error:
        raise InputError(
            f"run folder: an entry of the surrogate's report, network.json, signoff.json or summary.json is missing or "
            f"malformed ({' '.join(str(error).split())[:100]}): make the run again with 'fgcosim run'"
        ) from None


def predictions(run: Run) -> tuple[Prediction, Prediction | None]:
    """The surrogate on all held-out runs; the ideal VMM on the unseen patterns of matrix 0, its weights from least
    squares over that matrix's fit slots (as in the cross-validation), or None where there are none."""
    data = run.data
    held_out = data.runs(*HELD_OUT)
    if len(held_out) == 0:
        raise InputError("data.h5: has no held-out runs: make it again with 'fgcosim generate'")
    states = run.surrogate.states(data.cells)[torch.from_numpy(data.weights_index[held_out])]
    charge = run.surrogate.extrapolated(data.duration[held_out], states)
    surrogate = Prediction("surrogate", data.charge[held_out], charge, decibel(data.charge[held_out], charge))
    patterns = np.array([k for k in data.runs("patterns") if data.weights_index[k] == 0], dtype=np.int64)
    slots = np.isin(data.slot_sample, [k for k in data.runs("fit") if data.weights_index[k] == 0])
    if len(patterns) == 0 or not slots.any():
        return surrogate, None
    weights = least_squares_weights(data.slot_active[slots].astype(np.float64), data.slot_current[slots])
    truth, ideal = data.charge[patterns], data.duration[patterns] @ weights
    return surrogate, Prediction("ideal VMM, least squares", truth, ideal, decibel(truth, ideal))


def _figures(run: Run, surrogate: Prediction, ideal: Prediction | None) -> dict[str, Markup]:
    design, cell = run.design, run.design.cell
    figures = {
        "layout": crosspoint_figure(design, cell) if isinstance(cell, ResistiveCell) else layout_figure(design),
        "agreement": agreement_figure(surrogate, ideal),
        "budget": budget_figure(_budget(run.validation["budget"]), surrogate.ser_db, run.validation["levels"]["ser"]),
        "energy": energy_figure(run.data, design),
    }
    if run.network is not None:
        figures["curves"] = curves_figure(run.network["seeds"])
        figures["accuracy"] = accuracy_figure(run.network["seeds"])
    if not isinstance(cell, ResistiveCell):
        figures["kernel"] = kernel_figure(run.surrogate, design)
    if run.waveforms is not None:
        figures["waves"] = waveform_figure(run.waveforms)
    return figures


def _budget(entries: Any) -> list[dict[str, Any]]:
    """Effects of the error budget, if they are as many and as short as can be drawn."""
    if not (isinstance(entries, list) and 1 <= len(entries) <= _MAX_EFFECTS):
        raise ValueError(f"the error budget is no list of 1 to {_MAX_EFFECTS} effects")
    for entry in entries:
        if not (isinstance(entry["effect"], str) and entry["effect"].isprintable() and len(entry["effect"]) <= 80):
            raise ValueError("an effect of the error budget is no short text")
    return entries


def _images(signoff: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row per signed-off image; of very many, those first on which SPICE and surrogate disagree."""
    columns = zip(signoff["label"], signoff["spice_class"], signoff["surrogate_class"], strict=True)
    images = [
        {"number": k, "label": label, "spice": spice, "surrogate": model, "agree": spice == model}
        for k, (label, spice, model) in enumerate(columns)
    ]
    if len(images) > _MAX_TABLE_IMAGES:
        images = sorted(images, key=lambda image: bool(image["agree"]))[:_MAX_TABLE_IMAGES]
    return images


def _provenance(run: Run) -> list[tuple[str, str]]:
    data, fitted = run.data, run.surrogate.provenance
    options = json.loads(data.options)
    flags = ", ".join(key if value is None else f"{key} = {value}" for key, value in sorted(options.items()))
    attempts = int((data.attempt > 0).sum())
    returned = ("largest return error of a floating gate", si(float(data.floating_gate_return.max()), "V"))
    return [
        ("design", f"{run.design.name}, SHA-256 {data.design_hash}"),
        ("data set", f"SHA-256 {data.hash}"),
        ("surrogate", f"SHA-256 {surrogate_hash(run.surrogate)}"),
        ("network", f"SHA-256 {(run.signoff or {}).get('provenance', {}).get('network_hash', '–')}"),
        ("first deck", f"SHA-256 {data.deck_hash}"),
        ("circuit simulator", data.simulator),
        ("simulator options", flags),
        ("runs", f"{len(data)} transients ({', '.join(f'{len(data.runs(r))} {r}' for r in dict.fromkeys(data.role))}), "
                 f"{len(data.slot_sample)} slots; {attempts} needed tighter or looser options"),
        *(() if isinstance(run.design.cell, ResistiveCell) else (returned,)),
        ("fit", f"{fitted.get('fit_runs', '–')} runs, {fitted.get('fit_slots', '–')} slots, "
                f"{fitted.get('fit_iterations', '–')} iterations, relative residual "
                f"{percent(fitted.get('fit_relative_residual'), 2)}"),
        ("seed", str(data.seed)),
        ("code", f"data set: {data.code_version}; surrogate: {fitted.get('code_version', '–')}"),
    ]  # fmt: skip


_PREFIXES = {-18: "a", -15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}


def si(value: float | None, unit: str, digits: int = 3) -> str:
    """``value`` with an SI prefix, such as ``9.2 pJ``."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0:
        return f"0 {unit}"
    # Rounded first, so that 999.9 n does not become 1e+03 n.
    rounded = float(f"{value:.{digits - 1}e}")
    exponent = min(max(3 * math.floor(math.log10(abs(rounded)) / 3 + 1e-12), -18), 12)
    return f"{rounded / 10.0**exponent:.{digits}g} {_PREFIXES[exponent]}{unit}"


def decibels(value: float | None) -> str:
    """A level with one decimal; a dash where there is none."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.1f}".replace("-", "−")


def percent(value: float | None, digits: int = 1) -> str:
    """A share of one as a percentage."""
    return "–" if value is None or not math.isfinite(value) else f"{100 * value:.{digits}f} %".replace("-", "−")


def seconds(value: float) -> str:
    """A wall time for people."""
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s"
