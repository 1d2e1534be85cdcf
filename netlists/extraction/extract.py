"""From a design's layout to its ``coupling`` and ``wires``.

What the numbers hold and what they leave out:

- One inner cell is solved, in rows and columns like itself. Means of both directions stand for couplings that a design
  has one number for.
- A coupling that a design has no place for (diagonal neighbours, lines further away, shields, dummies) is counted as
  coupled to the substrate, so that every total is right.
- The dielectric is uniform, gates are flat at the stack's poly height, and diffusions lie in the substrate's plane.
- The transistor's own capacitances (oxide over the channel, overlap and fringe to source and drain, junctions) are in
  its device model. The field lines from a gate to its own channel, source and drain are therefore left out of
  ``substrate`` and reported as ``transistor``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np

from netlists.design import Design
from netlists.errors import InputError
from netlists.extraction.cache import key_of, recall, remember
from netlists.extraction.field import RESOLUTIONS, Couplings
from netlists.extraction.neighbourhood import (
    COARSE,
    SMALL,
    CellCapacitances,
    Neighbourhood,
    Solution,
    analytic,
    field,
    periodic,
    read_cells,
)
from netlists.extraction.resistance import resistance
from netlists.layout.drawing import Drawing

Mode = Literal["field", "analytic"]
"""``field``: FastCap2, refined until it converges. ``analytic``: one coarse mesh in closed form, for quick sweeps."""

DIGITS = 5
TIMEOUT_S = 1800.0
"""Of one extraction by the field solver, unless another is given."""


@dataclass(frozen=True)
class LineResistances:
    """Resistances in ohm: of a word line's and a bit line's stretch from one cell to the next, and of the contacts and
    vias between a line and the diffusion of its transistor, which a design has no place for."""

    word_line: float
    bit_line: float
    source: float
    drain: float


@dataclass(frozen=True)
class Extraction:
    """What was extracted of an inner cell. ``change``: largest relative change of a capacitance in the last refinement
    of the mesh (nan in the analytic mode), ``panels``: of that mesh."""

    mode: Mode
    cell: CellCapacitances
    resistances: LineResistances
    change: float
    panels: int

    def coupling(self) -> dict[str, float]:
        """The fields of a design's ``coupling``, F. The cell is of an even row: its near word line is the next."""
        lines, gates = self.cell.gate_to_word_line, self.cell.gate_to_gate
        return {
            "own_word_line": lines[0],
            "near_word_line": lines[1],
            "far_word_line": lines[-1],
            "second_word_line": (lines[2] + lines[-2]) / 2,
            "bit_line": self.cell.gate_to_bit_line,
            "floating_gate_same_row": (gates[0, 1] + gates[0, -1]) / 2,
            "floating_gate_same_column": (gates[1, 0] + gates[-1, 0]) / 2,
            "substrate": self.cell.gate_to_substrate,
        }

    def wires(self) -> dict[str, float]:
        """The fields of a design's ``wires`` but for drivers and switches, ohm and F."""
        rows, columns = self.cell.word_line_to_word_line, self.cell.bit_line_to_bit_line
        return {
            "word_line_resistance": self.resistances.word_line,
            "bit_line_resistance": self.resistances.bit_line,
            "word_line_capacitance": self.cell.word_line_to_ground,
            "bit_line_capacitance": self.cell.bit_line_to_ground,
            "word_line_pair_capacitance": (rows[1] + rows[-1]) / 2,
            "bit_line_pair_capacitance": (columns[1] + columns[-1]) / 2,
            "crossing_capacitance": self.cell.crossing,
        }

    def applied_to(self, design: Design) -> Design:
        """``design`` with the extracted ``coupling`` and ``wires``; drivers and switches stay as they are."""
        coupling = {name: _rounded(value) for name, value in self.coupling().items()}
        wires = {name: _rounded(value) for name, value in self.wires().items()}
        return design.model_copy(update={
            "coupling": design.coupling.model_copy(update=coupling),
            "wires": design.wires.model_copy(update=wires),
        })  # fmt: skip


def extract(
    design: Design, folder: Path | None = None, mode: Mode = "field", tolerance: float = 0.01,
    timeout_s: float = TIMEOUT_S,
) -> Extraction:  # fmt: skip
    """The parasitics of ``design``'s layout; a stack file is looked for in ``folder``. Results are kept in the user's
    cache folder.

    Raises :class:`InputError` for designs without a layout or with extracted ``parasitics``, layouts that cannot be
    drawn, and where the field solver is missing, fails, hangs or does not converge to ``tolerance``.
    """
    if design.parasitics is not None:
        raise InputError(
            f"design {design.name}: has a section parasitics: {design.parasitics.file} holds its wires; remove the "
            "section to extract the layout, or take the numbers as given"
        )
    neighbourhood = periodic(design, folder)
    solution = solved(neighbourhood, mode, tolerance, timeout_s)
    (cell,) = read_cells(neighbourhood, solution).values()
    couplings = solution.couplings
    result = Extraction(mode, cell, _resistances(neighbourhood), couplings.change, couplings.panels)
    _refuse_negative(result)
    return result


def solved(neighbourhood: Neighbourhood, mode: Mode, tolerance: float, timeout_s: float) -> Solution:
    """The neighbourhood's solution, from the cache where it is there. Raises :class:`InputError` as the solvers do."""
    key = key_of(_inputs(neighbourhood, mode, tolerance))
    body = recall(key)
    if body is not None:
        change = math.nan if body["change"] is None else body["change"]
        couplings = Couplings(
            tuple(body["terminals"]), tuple(body["driven"]), np.array(body["farad"]), change, body["panels"]
        )
        return Solution(couplings, tuple(body["shares"]))
    solution = analytic(neighbourhood) if mode == "analytic" else field(neighbourhood, tolerance, timeout_s)
    found = solution.couplings
    remember(key, {
        "terminals": found.terminals, "driven": found.driven, "farad": found.farad.tolist(), "panels": found.panels,
        "change": None if math.isnan(found.change) else found.change, "shares": solution.transistor_shares,
    })  # fmt: skip
    return solution


@cache
def _method() -> str:
    """SHA-256 of the sources that decide a solution, so that no change of them finds an old one."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()


def _inputs(neighbourhood: Neighbourhood, mode: Mode, tolerance: float) -> dict[str, Any]:
    """All that decides a solution."""
    geometry, drawing = neighbourhood.geometry, neighbourhood.drawing
    meshes = [COARSE] if mode == "analytic" else [COARSE, *RESOLUTIONS]
    try:
        solver = version("fastcap2") if mode == "field" else "closed form"
    except PackageNotFoundError:
        solver = "missing"
    return {
        "method": _method(), "solver": solver, "tolerance": tolerance if mode == "field" else None, "small": SMALL,
        "meshes": [(m.coarseness, m.edge, m.far) for m in meshes],
        "stack": drawing.stack.hash, "permittivity": geometry.permittivity, "focus": geometry.focus,
        "solids": [(s.net, s.low, s.high) for s in geometry.solids],
        "parts": [(p.name, p.net, p.low, p.high) for p in geometry.parts],
        "transistor": [(p.layer, p.box) for p in drawing.cell.pieces], "cells": neighbourhood.cells,
    }  # fmt: skip


def _resistances(neighbourhood: Neighbourhood) -> LineResistances:
    drawing, (i, j) = neighbourhood.drawing, neighbourhood.cells[0]
    layout, stack = drawing.layout, drawing.stack
    lines = {part: _centre(drawing, part, i, j) for part in ("word_line", "bit_line", "source", "drain")}
    words = [c for c in drawing.conductors if c.net == f"WL_{i}"]
    bits = [c for c in drawing.conductors if c.net == f"BL_{j}"]
    row, column = layout.word_line.layer, layout.bit_line.layer
    x, y = lines["word_line"]
    word_line = resistance(words, stack, (row, x - layout.column_pitch, y), (row, x, y))
    source = resistance(words, stack, (row, lines["source"][0], y), (stack.diffusion.name, *lines["source"]))
    x, y = lines["bit_line"]
    # Two cells: the drains of a mirrored array come in pairs.
    bit_line = resistance(bits, stack, (column, x, y - layout.row_pitch), (column, x, y + layout.row_pitch)) / 2
    drain = resistance(bits, stack, (column, x, lines["drain"][1]), (stack.diffusion.name, *lines["drain"]))
    return LineResistances(word_line, bit_line, source, drain)


def _centre(drawing: Drawing, part: str, i: int, j: int) -> tuple[float, float]:
    """Centre in m of a cell's stretch of line, or of the contact on its source or drain."""
    layer = next(cut.name for cut in drawing.stack.cuts if drawing.stack.diffusion.name in cut.lower)
    wanted = {"source": layer, "drain": layer}.get(part)
    piece = next(p for p in drawing.cell.pieces if p.part == part and wanted in (None, p.layer))
    x0, y0, x1, y1 = drawing.metres(drawing.placed(piece.box, i, j))
    return (x0 + x1) / 2, (y0 + y1) / 2


def _refuse_negative(result: Extraction) -> None:
    largest = max(size for _, size in result.cell.judged())
    for name, value in {**result.coupling(), **result.wires()}.items():
        if value < -SMALL * largest or (name == "substrate" and value <= 0):
            raise InputError(
                f"extraction: {name} comes out as {value:g} F: use a finer mode than {result.mode} or check the layout"
            )


def _rounded(value: float) -> float:
    """To :data:`DIGITS` digits; what is lost in the solver's error is 0."""
    return float(f"{value:.{DIGITS}g}") if value > 1e-21 else 0.0
