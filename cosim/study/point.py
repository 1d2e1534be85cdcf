"""One point of a study: extraction, campaign, fit, cross-validation and networks, and what is kept of them."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from threadpoolctl import threadpool_limits

from cosim.errors import InputError, SimulationError
from cosim.files.folders import write_json
from cosim.files.lock import locked
from cosim.files.provenance import of_surrogate
from cosim.progress import Stages
from cosim.run_folder.pipeline import Clock, Job, retrained, validated
from cosim.spice.device_check import gate_curve
from cosim.spice.ngspice import Ngspice
from cosim.study.kept import kept_figures
from cosim.study.parameters import Source
from cosim.study.studyfile import Campaign, Network
from cosim.version import code_version
from cosim.vmm.programming import read_curve
from cosim.vmm.stored_charge import kept_curve
from netlists.design import Design, MosCell
from netlists.designfile import dump_design
from netlists.extraction.extract import extract
from netlists.graph import near_row
from netlists.layout.drawing import draw
from netlists.layout.rules import check
from netlists.stack import load_stack
from surrogate.atomic import replacing
from surrogate.errors import InputError as SurrogateInputError
from surrogate.parameters import OFFSETS
from surrogate.surrogate import Surrogate
from surrogate.threads import one_thread_each

RESULT, TIMES, DESIGN = "result.json", "times.json", "design.yaml"
STALE = ("data.h5", "surrogate.safetensors", "network.safetensors", "network.json", RESULT, TIMES, DESIGN)
"""What another variant left in a point's folder; finished SPICE runs are named by all that decides them and stay."""

FIGURES: dict[str, str] = {
    "ser_patterns": "dB", "ser_weights": "dB", "ser_network": "dB", "ser_least": "dB", "ser_centred_least": "dB",
    "ser_worst_column_least": "dB", "median_cell_error": "", "ideal_one_hot": "dB", "without_crosstalk": "dB",
    "without_bit_line_drop": "dB", "software": "", "deployed": "", "deployed_std": "",
    "control": "", "control_std": "", "retrained": "", "retrained_std": "", "kept": "", "kept_std": "",
    "kept_current_min": "A", "kept_current_max": "A", "area_per_cell": "m2",
    "shift_own": "V", "shift_near": "V", "shift_far": "V", "shift_second": "V", "energy_per_vmm": "J",
    "coupling_own": "F", "coupling_near": "F", "coupling_far": "F", "coupling_second": "F",
}  # fmt: skip
"""Figures of a point and their units: SERs of the surrogate in cross-validation (by what was unseen, and the least of
them), of an ideal VMM with one-hot weights, and of the surrogate without an effect; accuracies as shares of the test
images (``kept``: of cells programmed elsewhere, whose least and largest one-hot currents are ``kept_current_…``);
shifts of a floating gate by an active word line, and the couplings behind them."""

COUPLINGS = {"own": "own_word_line", "near": "near_word_line", "far": "far_word_line", "second": "second_word_line"}


@dataclass(frozen=True)
class PointTask:
    """All that decides a point's result, and where it is computed: in ``folder``, with ``workers`` processes, SPICE
    runs perhaps on the Dask cluster behind ``scheduler``. Files that the design names lie in ``base_folder``. The cells
    were programmed in an array of the design ``programmed_as``, by default in the point's own."""

    name: str
    design: Design
    base_folder: Path
    extraction: Source
    network: Network
    campaign: Campaign
    engine: Ngspice
    folder: Path
    programmed_as: Design | None = None
    workers: int = 1
    scheduler: str | None = None

    @property
    def key(self) -> str:
        """SHA-256 of the design with its stack, all settings, the simulator and the version of this program."""
        layout = self.design.layout
        stack = load_stack(layout.stack, self.base_folder).hash if layout else None
        settings = [self.extraction, self.network.model_dump(), self.campaign.model_dump()]
        simulator = {**asdict(self.engine), "path": None}
        designs = [dump_design(self.design), self.programmed_as and dump_design(self.programmed_as)]
        body = [*designs, stack, settings, simulator, code_version(), _packages()]
        return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


DECIDING = ("sky130", "FastCap2", "klayout", "numpy", "scipy", "torch")
"""Packages that decide a point's figures."""


@cache
def _packages() -> dict[str, str | None]:
    """Installed release of each of :data:`DECIDING`, None where there is none."""
    installed = {d.metadata["Name"]: d.version for d in distributions()}
    return {name: installed.get(name) for name in DECIDING}


def finished(task: PointTask) -> dict[str, Any] | None:
    """The result of ``task`` where an earlier run finished it; None where it is still to be computed."""
    path = task.folder / RESULT
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        done = found["key"] == task.key and found["status"] == "done" and found["figures"].keys() <= FIGURES.keys()
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return dict(found) if done else None


def compute(task: PointTask) -> None:
    """Compute the point and write ``result.json`` in its folder: status ``done`` with its figures, or ``failed`` with
    the reason. One thread a process, so that results do not depend on where it is computed."""
    task.folder.mkdir(parents=True, exist_ok=True)
    with locked(task.folder / "point.lock"), threadpool_limits(1), one_thread_each():
        clock = Clock()
        record: dict[str, Any] = {"name": task.name, "key": task.key, "status": "failed", "figures": {}}
        try:
            _claim(task)
            _compute(task, clock, record)
        except (InputError, SurrogateInputError, SimulationError) as error:
            record["reason"] = " ".join(str(error).split())
        except OSError as error:
            record["reason"] = f"{error.filename or 'file'}: {error.strerror or error}"
        write_json(clock.total(), task.folder / TIMES)
        write_json(record, task.folder / RESULT)


def _claim(task: PointTask) -> None:
    """Remove what another variant has left in the folder."""
    marker = task.folder / "point.json"
    try:
        owner = json.loads(marker.read_text(encoding="utf-8"))["key"]
    except (OSError, ValueError, LookupError, TypeError):
        owner = None
    if owner != task.key:
        for name in STALE:
            (task.folder / name).unlink(missing_ok=True)
        write_json({"name": task.name, "key": task.key}, marker)


def _compute(task: PointTask, clock: Clock, record: dict[str, Any]) -> None:
    """Fill ``record`` step by step, so that a point that fails keeps what it had. Raises as its steps do."""
    figures: dict[str, float] = record["figures"]
    with clock.stage("extraction"):
        design = _extracted(task, task.design, figures)
        programmed_as = task.programmed_as and _extracted(task, task.programmed_as, {})
    kept = None
    if programmed_as is not None:
        with clock.stage("kept"):
            kept = kept_curve(read_curve(programmed_as, task.engine), programmed_as, design, task.engine)
    with replacing(task.folder / DESIGN) as temporary:
        temporary.write_text(dump_design(design), encoding="utf-8")
    recipe, size = task.network.recipe, task.campaign.size
    job = Job(
        design, task.folder, task.network.seeds, 0, task.workers, task.scheduler, size=size, recipe=recipe,
        programmed=kept,
    )  # fmt: skip
    stages = Stages(Console(quiet=True))
    data, surrogate = validated(job, task.engine, stages, clock)
    record["provenance"] = of_surrogate(surrogate, data.seed).as_dict()
    figures |= _validation_figures(surrogate)
    figures["energy_per_vmm"] = float(data.energy[data.runs("patterns", "weights")].mean())
    if isinstance(design.cell, MosCell):
        with clock.stage("kernel"):
            figures |= kernel_shifts(surrogate, design) | {"shift_own": own_shift(design, task.engine)}
    assert surrogate.report is not None
    if not surrogate.report["passed"]:
        raise InputError(f"surrogate failed its cross-validation: {_failures(surrogate.report, figures)}")
    if kept is not None:
        with clock.stage("kept"):
            figures |= kept_figures(surrogate, kept, read_curve(design, task.engine), design, task.network)
    elif task.network.seeds:
        with clock.stage("retrain"):
            accuracy = retrained(job, surrogate, stages)["accuracy"]
        figures |= {name: value for name, value in accuracy.items() if name in FIGURES}
    record["status"] = "done"


def _extracted(task: PointTask, design: Design, figures: dict[str, float]) -> Design:
    """``design`` with the couplings and wires of its checked layout, where the study asks for them."""
    if design.layout is not None and isinstance(design.cell, MosCell):
        drawing = draw(design, task.base_folder)
        check(drawing)
        figures["area_per_cell"] = drawing.cell_area
    if task.extraction != "none":
        design = extract(design, task.base_folder, task.extraction).applied_to(design)
    if isinstance(design.cell, MosCell):
        figures |= {f"coupling_{key}": getattr(design.coupling, name) for key, name in COUPLINGS.items()}
    return design


def _validation_figures(surrogate: Surrogate) -> dict[str, float]:
    assert surrogate.report is not None
    roles: Mapping[str, Mapping[str, Any]] = surrogate.report["roles"]
    figures = {f"ser_{role}": float(scores["ser_db"]) for role, scores in roles.items()}
    for figure in ("ser", "ser_centred", "ser_worst_column"):
        figures[f"{figure}_least"] = min(float(scores[f"{figure}_db"]) for scores in roles.values())
    effects = {entry["effect"]: entry["ser_db"] for entry in surrogate.report["budget"]}
    figures |= {f"without_{name}": float(effects[name]) for name in ("crosstalk", "bit_line_drop") if name in effects}
    others = {
        "median_cell_error": next(iter(roles.values()))["median_cell_error"],
        "ideal_one_hot": surrogate.report["ideal"]["one_hot"]["ser_db"],
    }
    return figures | {name: float(value) for name, value in others.items() if value is not None}


def _failures(report: Mapping[str, Any], figures: Mapping[str, float]) -> str:
    """What failed, with value and level where they are figures of a point."""
    parts = []
    for name in report["failed"]:
        value, level = figures.get(f"{name}_least", figures.get(name)), report["levels"].get(name)
        parts.append(name if value is None or level is None else f"{name} {value:.3g} (level {level:g})")
    return ", ".join(parts)


def kernel_shifts(surrogate: Surrogate, design: Design) -> dict[str, float]:
    """Change of the programmed voltage, V, that an active near, far or second word line is worth: the fitted κ, mean of
    even and odd rows, over the slope of the state against the programmed voltage in the middle of the range. Rows that
    the array does not have count as nothing."""
    if surrogate.state_map is None:
        return {}
    volts_per_state = surrogate.state_map.unit / float(surrogate.state_map.coefficients[1])
    kappa = surrogate.parameters.kappa.detach().reshape(2, -1).numpy() * volts_per_state
    found: dict[str, list[float]] = {"shift_near": [], "shift_far": [], "shift_second": []}
    for parity in (0, 1):
        near = near_row(design, parity) - parity
        for offset, value in zip(OFFSETS, kappa[parity], strict=True):
            kind = "second" if abs(offset) == 2 else "near" if offset == near else "far"
            if abs(offset) < design.array.rows:
                found[f"shift_{kind}"].append(float(value))
    return {name: float(np.mean(values)) for name, values in found.items() if values}


def own_shift(design: Design, engine: Ngspice) -> float:
    """By how much the active own word line shifts a floating gate, V: the gate voltage at which the transistor alone
    carries the middle (geometric mean) of the weights' currents, less the programmed voltage at which a cell does.

    A surrogate's state holds this shift in its zero, so it is read in SPICE.
    """
    assert isinstance(design.nominal.cell, MosCell)
    middle = math.sqrt(design.weights.current_min * design.weights.current_max)
    alone = gate_curve(design.nominal.cell, design.read, engine)
    rising = alone.current > 1e-3 * design.weights.current_min
    gate = float(np.interp(math.log(middle), np.log(alone.current[rising]), alone.gate[rising]))
    return gate - float(read_curve(design, engine).state_for(np.array([middle]))[0])
