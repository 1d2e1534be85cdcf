"""The cells around one cell of a drawn array as a field problem, and what it says of that cell.

A small array is drawn that repeats the large one; the cells in its middle stand for all that have the same
surroundings. Each stretch of a line within one of these cells is a terminal of its own, so that a line's capacitance
is known per cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netlists.design import Design
from netlists.extraction.field import Couplings, couplings_of, solve_couplings
from netlists.extraction.moments import panel_charges, plane_charge, terminal_charges
from netlists.extraction.panels import Geometry, Part, Resolution, make_panels
from netlists.extraction.solids import HALF_GRID, Point, solids_of
from netlists.layout.drawing import Drawing, draw

Floats = NDArray[np.float64]
Place = tuple[int, int]
"""Row and column of a cell."""
Span = tuple[float, float]
"""Lowest and highest coordinate, m."""

ROWS_AROUND, COLUMNS_AROUND = 2, 1
"""How many rows and columns of cells are drawn on each side of those that are solved."""
MARGIN = 0.5
"""How far fine panels reach beyond the cells to be solved, in pitches."""
COARSE = Resolution(3.0, edge=0.3)
"""Mesh of the analytic mode."""
SMALL = 0.005
"""A coupling below this share of the driven terminal's own capacitance is judged as if it were that large."""
_ABOVE_EVERYTHING = 1e-3


@dataclass(frozen=True)
class CellCapacitances:
    """What one cell adds to the array's netlist, F.

    ``gate_to_word_line``, ``gate_to_gate``, ``word_line_to_word_line`` and ``bit_line_to_bit_line`` by the distance
    (rows, columns, rows or columns) to the other one; the lines' are those of their stretch in this cell.
    ``gate_to_substrate`` is what the gate's capacitance has beside these, less ``transistor``: field lines that end on
    the channel, source and drain of its own transistor, whose oxide, overlap and fringe capacitances the device
    model has. ``word_line_to_ground`` and ``bit_line_to_ground`` likewise hold all that the others do not.
    """

    gate_to_word_line: dict[int, float]
    gate_to_bit_line: float
    gate_to_gate: dict[Place, float]
    gate_to_substrate: float
    transistor: float
    word_line_to_word_line: dict[int, float]
    bit_line_to_bit_line: dict[int, float]
    crossing: float
    word_line_to_ground: float
    bit_line_to_ground: float

    def judged(self) -> list[tuple[float, float]]:
        """Every capacitance with the size that its error is judged by, F: itself, or :data:`SMALL` of the total of its
        gate or line where it is smaller. A line's to ground, what is left of a large total, is judged by that."""
        gate = [*self.gate_to_word_line.values(), *self.gate_to_gate.values(), self.gate_to_bit_line,
                self.gate_to_substrate]  # fmt: skip
        row = [*self.word_line_to_word_line.values(), self.crossing]
        column = list(self.bit_line_to_bit_line.values())
        gate_total = sum(gate) + self.transistor
        row_total = sum(row) + self.word_line_to_ground + sum(self.gate_to_word_line.values())
        column_total = sum(column) + self.crossing + self.bit_line_to_ground + self.gate_to_bit_line
        judged = [(self.word_line_to_ground, row_total), (self.bit_line_to_ground, column_total)]
        for values, total in ((gate, gate_total), (row, row_total), (column, column_total)):
            judged += [(value, max(abs(value), SMALL * total)) for value in values]
        return judged


@dataclass(frozen=True)
class Solution:
    """Couplings of a neighbourhood's terminals, and for each of its cells the share of the gate's field lines to the
    plane that end on channel, source and drain of its transistor."""

    couplings: Couplings
    transistor_shares: tuple[float, ...]


@dataclass(frozen=True)
class Neighbourhood:
    """A drawn array, the ``cells`` of it that are to be solved, and its field problem."""

    drawing: Drawing
    cells: tuple[Place, ...]
    geometry: Geometry

    @property
    def driven(self) -> tuple[str, ...]:
        """Terminals that are driven: the cells' gates, and the lines of each with its stretch of them."""
        names: dict[str, None] = {}
        for cell in self.cells:
            gate, row, column = terminals_of(cell)
            lines = [*self.whole("WL", cell[0]), *self.whole("BL", cell[1])]
            names |= dict.fromkeys([gate, row, column, *lines])
        return tuple(names)

    @property
    def rows(self) -> int:
        """Rows of the drawn design."""
        return self.drawing.design.array.rows

    @property
    def columns(self) -> int:
        """Columns of the drawn design."""
        return self.drawing.design.array.columns

    def whole(self, line: str, number: int) -> list[str]:
        """All terminals of the line ``WL`` or ``BL`` of that number: its stretches and what is left of it, if any."""
        net, axis = f"{line}_{number}", 0 if line == "WL" else 1
        stretches = [part for part in self.geometry.parts if part.net == net]
        covered = _joined([(part.low[axis], part.high[axis]) for part in stretches])
        metal = [(solid.low[axis], solid.high[axis]) for solid in self.geometry.solids if solid.net == net]
        left = any(not any(_within(span, other) for other in covered) for span in metal)
        return [part.name for part in stretches] + [net] * left


def _joined(spans: Sequence[Span]) -> list[Span]:
    """Spans that touch or overlap as one."""
    joined: list[Span] = []
    for low, high in sorted(spans):
        if joined and low <= joined[-1][1] + HALF_GRID:
            joined[-1] = joined[-1][0], max(joined[-1][1], high)
        else:
            joined.append((low, high))
    return joined


def _within(span: Span, other: Span) -> bool:
    return other[0] - HALF_GRID <= span[0] and span[1] <= other[1] + HALF_GRID


def terminals_of(cell: Place) -> tuple[str, str, str]:
    """Floating gate and the stretches of word line and bit line of a cell."""
    i, j = cell
    return f"FG_{i}_{j}", f"WL_{i}/{j}", f"BL_{j}/{i}"


def periodic(design: Design, folder: Path | None = None) -> Neighbourhood:
    """The neighbourhood of an inner cell, of an even row. In a mirrored array one of an odd row is the same, turned by
    180 degrees.

    Raises :class:`~netlists.errors.InputError` where the design's layout cannot be drawn.
    """
    if design.layout is None:
        return of_cells(draw(design, folder), ())  # raises
    bare = design.layout.model_copy(update={"dummy_rows": 0, "dummy_columns": 0})
    mirrored = design.array.mirrored
    rows, first = (2 * ROWS_AROUND + 2, ROWS_AROUND) if mirrored else (2 * ROWS_AROUND + 1, ROWS_AROUND)
    small = design.model_copy(update={"layout": bare}).resized(rows, 2 * COLUMNS_AROUND + 1)
    return of_cells(draw(small, folder), [(first, COLUMNS_AROUND)])


def of_cells(drawing: Drawing, cells: Sequence[Place]) -> Neighbourhood:
    """The field problem of the ``cells`` (rows and columns of the design) of a whole ``drawing``."""
    layout = drawing.layout
    parts: list[Part] = []
    corners: list[tuple[float, float]] = []
    for i, j in cells:
        x0, y0 = (j + layout.dummy_columns) * layout.column_pitch, (i + layout.dummy_rows) * layout.row_pitch
        x1, y1 = x0 + layout.column_pitch, y0 + layout.row_pitch
        _, row_part, column_part = terminals_of((i, j))
        parts.append(Part(row_part, f"WL_{i}", (x0, -1.0, 0.0), (x1, 1.0, _ABOVE_EVERYTHING)))
        parts.append(Part(column_part, f"BL_{j}", (-1.0, y0, 0.0), (1.0, y1, _ABOVE_EVERYTHING)))
        corners += [(x0, y0), (x1, y1)]
    xs, ys = zip(*corners, strict=True)
    # Panels must be alike on both sides of a stretch's ends.
    margin = MARGIN * min(layout.column_pitch, layout.row_pitch)
    focus: tuple[Point, Point] = (
        (min(xs) - margin, min(ys) - margin, 0.0), (max(xs) + margin, max(ys) + margin, _ABOVE_EVERYTHING)
    )  # fmt: skip
    solids = tuple(solids_of(drawing.conductors, drawing.stack))
    return Neighbourhood(
        drawing, tuple(cells), Geometry(solids, drawing.stack.permittivity, True, tuple(parts), focus)
    )


def analytic(neighbourhood: Neighbourhood) -> Solution:
    """Its couplings on one coarse mesh in closed form. Raises :class:`~netlists.errors.InputError` where it is too
    large."""
    geometry, drawing = neighbourhood.geometry, neighbourhood.drawing
    panels = make_panels(geometry, COARSE)
    charges = panel_charges(panels, neighbourhood.driven, geometry.permittivity, geometry.grounded_plane)
    shares = []
    for i, j in neighbourhood.cells:
        p, q = i + drawing.layout.dummy_rows, j + drawing.layout.dummy_columns
        gate = charges[:, neighbourhood.driven.index(terminals_of((i, j))[0])]
        boxes = [
            drawing.metres(drawing.placed(piece.box, p, q)) for piece in drawing.cell.pieces
            if piece.layer == drawing.stack.diffusion.name
        ]  # fmt: skip
        shares.append(sum(plane_charge(panels, gate, box[:2], box[2:]) for box in boxes) / -float(gate.sum()))
    return Solution(couplings_of(panels, neighbourhood.driven, terminal_charges(panels, charges)), tuple(shares))


def field(neighbourhood: Neighbourhood, tolerance: float, timeout_s: float) -> Solution:
    """Its couplings by the field solver. Raises :class:`~netlists.errors.InputError` as
    :func:`netlists.extraction.field.solve_couplings` does."""
    shares = analytic(neighbourhood).transistor_shares

    def judged(couplings: Couplings) -> tuple[Floats, Floats]:
        cells = read_cells(neighbourhood, Solution(couplings, shares)).values()
        values, sizes = np.array([pair for cell in cells for pair in cell.judged()]).T
        return values, sizes

    couplings = solve_couplings(neighbourhood.geometry, neighbourhood.driven, judged, tolerance, timeout_s)
    return Solution(couplings, shares)


def read_cells(neighbourhood: Neighbourhood, solution: Solution) -> dict[Place, CellCapacitances]:
    """What a ``solution`` says of the neighbourhood's cells."""
    return {
        cell: _read_cell(neighbourhood, solution.couplings, cell, share)
        for cell, share in zip(neighbourhood.cells, solution.transistor_shares, strict=True)
    }


def _read_cell(
    neighbourhood: Neighbourhood, found: Couplings, cell: Place, transistor_share: float
) -> CellCapacitances:
    """A cell's capacitances. Those of its lines to others are the others' charges with its stretches driven; those to
    ground the charges on its stretches with whole lines driven, so that no voltage steps from stretch to stretch."""
    i, j = cell
    own_row, own_column = neighbourhood.whole("WL", i), neighbourhood.whole("BL", j)
    rows, columns, whole = neighbourhood.rows, neighbourhood.columns, neighbourhood.whole
    gate, row, column = terminals_of(cell)

    def to_line(line: str, number: int) -> float:
        return sum(found.between(gate, name) for name in whole(line, number))

    def stretch(part: str, line: str, number: int) -> float:
        return sum(found.between(part, name) for name in whole(line, number))

    to_lines = {d: to_line("WL", i + d) for d in range(-2, 3) if 0 <= i + d < rows}
    to_bit_line = to_line("BL", j)
    to_gates = {
        (di, dj): found.between(gate, f"FG_{i + di}_{j + dj}")
        for di, dj in ((0, -1), (0, 1), (-1, 0), (1, 0)) if 0 <= i + di < rows and 0 <= j + dj < columns
    }  # fmt: skip
    named = sum(to_lines.values()) + sum(to_gates.values()) + to_bit_line
    transistor = transistor_share * found.to_plane(gate)
    row_lines = {d: stretch(row, "WL", i + d) for d in (-1, 1) if 0 <= i + d < rows}
    column_lines = {d: stretch(column, "BL", j + d) for d in (-1, 1) if 0 <= j + d < columns}
    crossing = sum(stretch(row, "BL", k) for k in (j - 1, j, j + 1) if 0 <= k < columns)
    # In a periodic array what all gates have to one line is what one gate has to all lines.
    return CellCapacitances(
        gate_to_word_line=to_lines,
        gate_to_bit_line=to_bit_line,
        gate_to_gate=to_gates,
        gate_to_substrate=found.total(gate) - named - transistor,
        transistor=transistor,
        word_line_to_word_line=row_lines,
        bit_line_to_bit_line=column_lines,
        crossing=crossing,
        word_line_to_ground=found.charge(row, own_row) - sum(row_lines.values()) - crossing - sum(to_lines.values()),
        bit_line_to_ground=found.charge(column, own_column) - sum(column_lines.values()) - crossing - to_bit_line,
    )
