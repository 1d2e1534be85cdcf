"""The layouts of the comparison: the built-in design with a weaker and with a stronger effect of its layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cosim.errors import InputError
from cosim.files.folders import read_json, write_json
from cosim.files.lock import locked
from cosim.progress import Stages
from cosim.run_folder.pipeline import Clock, Job, validated
from cosim.spice.ngspice import find_ngspice
from cosim.study.parameters import changed
from netlists.design import Design
from netlists.designfile import load_design
from surrogate.analog import LayerSettings
from surrogate.files import load_surrogate
from surrogate.mapping import CurrentRange
from surrogate.reproduction.comparison import Layout
from surrogate.surrogate import Surrogate

TIMES = "times.json"

LAYOUTS: Mapping[str, Mapping[str, str]] = {
    "mild": {"coupling.near_word_line": "25 aF", "wires.switch_resistance": "1.5 kohm"},
    "severe": {"coupling.far_word_line": "55 aF", "wires.switch_resistance": "6 kohm"},
}
"""What differs from the built-in design, whose floating gates reach under the word line of their mirror partner
(55 aF): mild ones do so a third as far, severe ones reach as far under the word line of the other neighbour, too; and
the switch of each column."""


@dataclass(frozen=True)
class SimulatedLayout:
    """A layout with the design that its surrogate was fitted to, and the wall time of campaign, fit and validation,
    s, whenever they were made."""

    layout: Layout
    design: Design
    seconds: float


def design_of(name: str) -> Design:
    """The design of the layout ``name``, one of :data:`LAYOUTS`, or in the design file ``name``."""
    if name in LAYOUTS:
        return changed(load_design("default"), {"name": name, **LAYOUTS[name]})
    return load_design(name)


def simulated(name: str, folder: Path, stages: Stages, workers: int | None = None) -> SimulatedLayout:
    """The layout ``name`` with its surrogate, fitted and cross-validated in ``folder``; one that lies there is used.

    Arrays have the design's size. Each output of a layer has a largest weight of its own, so that its cells take the
    whole range of currents: large ones lose the least to crosstalk. Raises :class:`InputError` where the surrogate
    fails its cross-validation.
    """
    design = design_of(name)
    clock = Clock()
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "layout.lock"):
        surrogate = _found(folder / "surrogate.safetensors", design)
        if surrogate is None:
            _, surrogate = validated(Job(design, folder, workers=workers), find_ngspice(), stages, clock)
            write_json(clock.total(), folder / TIMES)
    try:
        surrogate.require_passed()
    except ValueError as error:
        raise InputError(f"layout {name}: {error}") from None
    currents = CurrentRange(design.weights.current_min, design.weights.current_max)
    columns = design.array.columns // 2 * 2
    settings = LayerSettings(design.array.rows, columns, design.read.bits, currents, span="column")
    return SimulatedLayout(Layout(design.name, surrogate, settings), design, _seconds(folder / TIMES))


def _seconds(path: Path) -> float:
    return float(read_json(path)["total"]) if path.is_file() else 0.0


def _found(path: Path, design: Design) -> Surrogate | None:
    """The surrogate in ``path`` where it is one of ``design`` with a verdict."""
    if not path.is_file():
        return None
    found = load_surrogate(path)
    fits = found.provenance.get("design_hash") == design.hash and found.report is not None
    return found if fits else None
