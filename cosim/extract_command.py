"""``fgcosim extract``: what the drawn layout of a design makes of its coupling and wires, as a design or a netlist."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

from cosim.errors import InputError
from cosim.layout_command import drawn_and_checked
from cosim.parasitics_command import write_parasitics
from cosim.progress import Stages
from netlists.design import Design
from netlists.designfile import dump_design, load_design
from netlists.extraction.extract import Extraction, Mode, extract
from netlists.parasitics.write import format_of
from surrogate.atomic import replacing

Source = Literal["field", "analytic", "given"]
"""What a netlist's numbers come from: the drawn layout by the field solver or in closed form, or the design file."""


def extract_design(
    design: str, out: Path, source: Source, stages: Stages, tolerance: float = 0.01, timeout_s: float = 1800.0
) -> bool:
    """Write ``design`` with ``coupling`` and ``wires`` from ``source`` to ``out``: a design file (``*.yaml``), or the
    array's wires and capacitances (``*.spef``, ``*.dspf``, ``*.sp``, also ``.gz``). Prints what was extracted.

    Raises :class:`InputError` on everything that is wrong with design, layout or file name, and with the field solver.
    """
    is_design = out.suffix.lower() == ".yaml"
    if not is_design:
        format_of(out)
    if not out.parent.is_dir() or out.is_dir():
        raise InputError(f"{out}: its folder does not exist or it is a folder: give a file name in an existing folder")
    if source == "given":
        result = load_design(design)
    else:
        loaded, extraction = extracted(design, source, tolerance, timeout_s, stages)
        result = extraction.applied_to(loaded)
        _print(loaded, extraction)
    if is_design:
        with replacing(out) as temporary:
            temporary.write_text(dump_design(result), encoding="utf-8")
    else:
        write_parasitics(result, out)
    return True


def extracted(
    design: str, mode: Mode, tolerance: float, timeout_s: float, stages: Stages
) -> tuple[Design, Extraction]:
    """A design file or built-in design and what its checked layout makes of it."""
    path = Path(design)
    loaded = drawn_and_checked(design).design
    title = "Solving the field around a cell" if mode == "field" else "Estimating the field around a cell"
    with stages.stage(title):
        try:
            return loaded, extract(loaded, path.parent if path.is_file() else None, mode, tolerance, timeout_s)
        except InputError as error:
            raise InputError(f"{design}: {error}") from None


def _print(design: Design, extraction: Extraction) -> None:
    table = Table("per cell", "extracted", "before", box=None)
    for section, values in (("coupling", extraction.coupling()), ("wires", extraction.wires())):
        for name, value in values.items():
            unit, scale = ("ohm", 1.0) if name.endswith("resistance") else ("aF", 1e18)
            before = getattr(getattr(design, section), name)
            table.add_row(f"{section}.{name}", f"{value * scale:.4g} {unit}", f"{before * scale:.4g} {unit}")
    console = Console(highlight=False)
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
