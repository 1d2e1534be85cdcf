"""``fgcosim extract``: what the drawn layout of a design makes of its coupling and wires, as a design or a netlist."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

from cosim.commands.layout import drawn_and_checked
from cosim.commands.parasitics import report_health, uniform_graph, write_parasitics
from cosim.errors import InputError
from cosim.progress import Stages
from netlists.design import Design
from netlists.designfile import dump_design, load_design
from netlists.extraction.extract import TIMEOUT_S, Extraction, Mode, extract
from netlists.extraction.tiling import tiled_graph
from netlists.parasitics.write import format_of
from surrogate.atomic import replacing

Source = Literal["field", "analytic", "given"]
"""What a netlist's numbers come from: the drawn layout by the field solver or in closed form, or the design file."""


def extract_design(
    design: str, out: Path | None, source: Source, stages: Stages, edges: bool = False, check: bool = False,
    as_json: bool = False, timeout_s: float = TIMEOUT_S,
) -> bool:  # fmt: skip
    """Write ``design`` with ``coupling`` and ``wires`` from ``source`` to ``out``: a design file (``*.yaml``), or the
    array's wires and capacitances (``*.spef``, ``*.dspf``, ``*.sp``, also ``.gz``), in which ``edges`` corrects the
    cells that have other surroundings than inner ones. Prints what was extracted, and with ``check`` the health of the
    netlist (without ``out`` of the design's own); returns whether it is sound.

    Raises :class:`InputError` where there is nothing to do, on everything that is wrong with design, layout or file
    name, and with the field solver.
    """
    if out is None and not check:
        raise InputError("extract: nothing to do: name a file with --out or ask for --check")
    if edges and (source == "given" or out is None or out.suffix.lower() == ".yaml"):
        raise InputError("extract: --edges is for netlists that are extracted: write *.spef or the like, or drop it")
    if out is not None:
        _refuse_name(out)
    console = Console(stderr=as_json, highlight=False)
    if source == "given" or out is None:
        result = load_design(design)
        graph = uniform_graph(result)
    else:
        loaded, extraction = extracted(design, source, timeout_s, stages)
        result = extraction.applied_to(loaded)
        _print(console, loaded, extraction)
        graph = tiled_graph(result, extraction, _folder(design)) if edges else uniform_graph(result)
    if out is not None and out.suffix.lower() == ".yaml":
        with replacing(out) as temporary:
            temporary.write_text(dump_design(result), encoding="utf-8")
    elif out is not None:
        write_parasitics(result, out, graph)
    return report_health(result, graph, as_json) if check else True


def _refuse_name(out: Path) -> None:
    if out.suffix.lower() != ".yaml":
        format_of(out, ".yaml")
    if not out.parent.is_dir() or out.is_dir():
        raise InputError(f"{out}: its folder does not exist or it is a folder: give a file name in an existing folder")


def _folder(design: str) -> Path | None:
    path = Path(design)
    return path.parent if path.is_file() else None


def extracted(design: str, mode: Mode, timeout_s: float, stages: Stages) -> tuple[Design, Extraction]:
    """A design file or built-in design and what its checked layout makes of it. Raises as :func:`extract_design`."""
    loaded = drawn_and_checked(design).design
    title = "Solving the field around a cell" if mode == "field" else "Estimating the field around a cell"
    with stages.stage(title):
        try:
            return loaded, extract(loaded, _folder(design), mode, timeout_s=timeout_s)
        except InputError as error:
            raise InputError(f"{design}: {error}") from None


def _print(console: Console, design: Design, extraction: Extraction) -> None:
    table = Table("per cell", "extracted", "before", box=None)
    for section, values in (("coupling", extraction.coupling()), ("wires", extraction.wires())):
        for name, value in values.items():
            unit, scale = ("ohm", 1.0) if name.endswith("resistance") else ("aF", 1e18)
            before = getattr(getattr(design, section), name)
            table.add_row(f"{section}.{name}", f"{value * scale:.4g} {unit}", f"{before * scale:.4g} {unit}")
    console.print(table)
    ohms = extraction.resistances
    how = (
        "closed form, one coarse mesh" if math.isnan(extraction.change)
        else f"last refinement changed no value by more than {extraction.change:.2%}"
    )  # fmt: skip
    console.print(
        f"in the transistor's model and left out of coupling.substrate: {extraction.cell.transistor * 1e18:.4g} aF\n"
        f"line to transistor, not in a design: source {ohms.source:.3g} ohm, drain {ohms.drain:.3g} ohm\n"
        f"{extraction.panels} panels, {how}", markup=False,
    )  # fmt: skip
