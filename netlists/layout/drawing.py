"""The whole array, drawn: unit cells placed, nets named, conductors listed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from netlists.design import Design
from netlists.errors import InputError
from netlists.layout.cell import Steps, UnitCell, draw_cell
from netlists.layout.conductors import Box, Conductor
from netlists.layout.section import Layout
from netlists.stack import Cut, Layer, Stack, load_stack

LINES = {"word_line", "bit_line"}
MAX_CELLS = 262_144
"""Cells of one drawing: a 512x512 array, whose file takes half a minute."""
MAX_EXTENT = 1.0
"""m; coordinates of layout files are 32-bit numbers of nanometres."""


def draw(design: Design, folder: Path | None = None) -> Drawing:
    """The drawn array of ``design``; a stack file is looked for in ``folder``.

    Raises :class:`InputError` where nothing can be drawn; rules are checked by :func:`netlists.layout.rules.check`.
    """
    if design.layout is None:
        raise InputError(f"design {design.name}: has no section layout: add one, such as the built-in design's")
    stack = load_stack(design.layout.stack, folder)
    for key, line in (("word_line", design.layout.word_line), ("bit_line", design.layout.bit_line),
                      ("shield", design.layout.shield)):  # fmt: skip
        if line is not None and line.layer not in [metal.name for metal in stack.metals]:
            metals = ", ".join(metal.name for metal in stack.metals)
            raise InputError(f"layout.{key}.layer: {line.layer} is no metal of stack {stack.name}: {metals} are")
    drawing = Drawing(design, design.layout, stack, draw_cell(design, stack))
    if drawing.rows * drawing.columns > MAX_CELLS:
        raise InputError(
            f"array: {drawing.rows}x{drawing.columns} cells are too many to draw: at most {MAX_CELLS} go into one file"
        )
    if max(drawing.width, drawing.height) > MAX_EXTENT:
        raise InputError(
            f"layout: the array is {drawing.width:g} m x {drawing.height:g} m large: layout files hold at most "
            f"{MAX_EXTENT:g} m: correct row_pitch or column_pitch"
        )
    return drawing


@dataclass(frozen=True)
class Drawing:
    """``cell`` placed in all drawn rows and columns, dummies included: row p of ``rows`` is row p - dummy_rows of the
    design. The drawn rows fill x from 0 to ``width`` and y from 0 to ``height``, m."""

    design: Design
    layout: Layout
    stack: Stack
    cell: UnitCell

    @property
    def rows(self) -> int:
        """Rows drawn."""
        return self.design.array.rows + 2 * self.layout.dummy_rows

    @property
    def columns(self) -> int:
        """Columns drawn."""
        return self.design.array.columns + 2 * self.layout.dummy_columns

    @property
    def width(self) -> float:
        """m"""
        return self.columns * self.layout.column_pitch

    @property
    def height(self) -> float:
        """m"""
        return self.rows * self.layout.row_pitch

    @property
    def cell_area(self) -> float:
        """Area per cell, row pitch times column pitch, m²."""
        return self.layout.row_pitch * self.layout.column_pitch

    @property
    def array_area(self) -> float:
        """Area of all drawn rows and columns, m²."""
        return self.width * self.height

    @property
    def used(self) -> tuple[Layer | Cut, ...]:
        """Layers and cuts with shapes, in the order of the stack."""
        names = {piece.layer for piece in self.cell.pieces}
        if self.layout.shield and any(self.shields()):
            names.add(self.layout.shield.layer)
        return tuple(x for x in self.stack.drawn if x.name in names)

    def word_line(self, p: int) -> str:
        """Net of drawn row ``p``'s word line."""
        i = p - self.layout.dummy_rows
        return f"WL_{i}" if 0 <= i < self.design.array.rows else f"DWL_{p}"

    def bit_line(self, q: int) -> str:
        """Net of drawn column ``q``'s bit line."""
        j = q - self.layout.dummy_columns
        return f"BL_{j}" if 0 <= j < self.design.array.columns else f"DBL_{q}"

    def floating_gate(self, p: int, q: int) -> str:
        """Net of the floating gate in drawn row ``p`` and column ``q``."""
        i, j = p - self.layout.dummy_rows, q - self.layout.dummy_columns
        inside = 0 <= i < self.design.array.rows and 0 <= j < self.design.array.columns
        return f"FG_{i}_{j}" if inside else f"DFG_{p}_{q}"

    def turned(self, p: int) -> bool:
        """Whether drawn row ``p``'s cells are turned by 180 degrees, so that their source side is the upper one."""
        return self.design.array.mirrored and (p - self.layout.dummy_rows) % 2 == 0

    def placed(self, box: Steps, p: int, q: int) -> Steps:
        """``box`` of the unit cell where row ``p`` and column ``q`` have it."""
        x, y = q * self.cell.width, p * self.cell.height
        if self.turned(p):
            x, y = x + self.cell.width, y + self.cell.height
            return x - box[2], y - box[3], x - box[0], y - box[1]
        return x + box[0], y + box[1], x + box[2], y + box[3]

    def shields(self) -> Iterator[tuple[str, Steps]]:
        """Net and rectangle of every shield line, from below."""
        if self.layout.shield is None:
            return
        half = round(self.layout.shield.width / self.stack.grid / 2)
        if abs(half * 2 * self.stack.grid - self.layout.shield.width) > 1e-6 * self.stack.grid:
            raise InputError(
                f"layout.shield.width: {self.layout.shield.width * 1e6:g} um is no multiple of "
                f"{2 * self.stack.grid * 1e9:g} nm, two steps of stack {self.stack.name}'s grid: round it"
            )
        between = [p for p in range(1, self.rows) if not self.design.array.mirrored or self.turned(p - 1)]
        for k, p in enumerate(between):
            y = p * self.cell.height
            yield f"SHIELD_{k}", (0, y - half, self.columns * self.cell.width, y + half)

    def metres(self, box: Steps) -> Box:
        """``box`` in m."""
        x0, y0, x1, y1 = (round(step * self.stack.grid, 12) for step in box)
        return x0, y0, x1, y1

    def net_of(self, part: str, p: int, q: int) -> str:
        """Net of a piece of the unit cell in drawn row ``p`` and column ``q``; a channel has none."""
        if part in ("word_line", "source"):
            return self.word_line(p)
        return self.bit_line(q) if part in ("bit_line", "drain") else self.floating_gate(p, q)

    @cached_property
    def conductors(self) -> tuple[Conductor, ...]:
        """Every rectangle of every net, no two of them the same: lines whole, shared drains once, no channels."""
        found: dict[Conductor, None] = {}
        pieces = [piece for piece in self.cell.pieces if piece.part not in LINES and piece.part != "channel"]
        lines = {piece.part: piece for piece in self.cell.pieces if piece.part in LINES}
        layers = {lines["word_line"].layer, lines["bit_line"].layer}
        whole: dict[tuple[str, str], Steps] = {}
        for p in range(self.rows):
            whole[self.word_line(p), lines["word_line"].layer] = self._from_to(lines["word_line"].box, p, p, True)
        for q in range(self.columns):
            whole[self.bit_line(q), lines["bit_line"].layer] = self._from_to(lines["bit_line"].box, q, q, False)
        for (net, layer), box in whole.items():
            found[Conductor(net, layer, self.metres(box))] = None
        if self.layout.shield:
            for net, box in self.shields():
                found[Conductor(net, self.layout.shield.layer, self.metres(box))] = None
        for p in range(self.rows):
            for q in range(self.columns):
                for piece in pieces:
                    net, box = self.net_of(piece.part, p, q), self.placed(piece.box, p, q)
                    line = whole.get((net, piece.layer)) if piece.layer in layers else None
                    if line is None or not _inside(box, line):
                        found[Conductor(net, piece.layer, self.metres(box))] = None
        return tuple(found)

    def _from_to(self, box: Steps, first: int, last: int, along_x: bool) -> Steps:
        """The line of which ``box`` is one cell's stretch, through the whole array."""
        ends = ((first, 0), (last, self.columns - 1)) if along_x else ((0, first), (self.rows - 1, last))
        (ax0, ay0, ax1, ay1), (bx0, by0, bx1, by1) = (self.placed(box, p, q) for p, q in ends)
        return min(ax0, bx0), min(ay0, by0), max(ax1, bx1), max(ay1, by1)


def _inside(box: Steps, outer: Steps) -> bool:
    return outer[0] <= box[0] and outer[1] <= box[1] and box[2] <= outer[2] and box[3] <= outer[3]
