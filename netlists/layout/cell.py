"""One cell, drawn: a floating-gate transistor with its contacts and its stretch of word line and bit line.

The cell stands on its source side: from y = 0 upwards come half the spacing of word lines, the word line over the
source contact, the gate, and the drain contact under the bit line. Mirror partners share y = 0; in a mirrored array
the other neighbours share the drain contact, which then lies on the cell's upper edge. Coordinates are whole steps of
the stack's grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from netlists.design import Design, MosCell
from netlists.errors import InputError
from netlists.layout.section import Layout
from netlists.stack import Stack

Steps = tuple[int, int, int, int]
Part = Literal["word_line", "source", "channel", "floating_gate", "drain", "bit_line"]


@dataclass(frozen=True)
class Piece:
    """One rectangle: x0, y0, x1, y1 in steps of the grid. ``word_line`` and ``bit_line`` run through the cell, their
    connections to the transistor are ``source`` and ``drain``."""

    part: Part
    layer: str
    box: Steps


@dataclass(frozen=True)
class UnitCell:
    """A cell of ``width`` and ``height`` steps (the pitches), whose pieces may reach beyond it."""

    width: int
    height: int
    pieces: tuple[Piece, ...]


def draw_cell(design: Design, stack: Stack) -> UnitCell:
    """The cell of ``design`` on ``stack``. Raises :class:`InputError` where it cannot be drawn: no layout, no
    transistor, lengths off the grid, a row pitch too small for the transistor, layers that no cut joins."""
    if design.layout is None:
        raise InputError(f"design {design.name}: has no section layout: add one, such as the built-in design's")
    if not isinstance(design.cell, MosCell):
        raise InputError(f"design {design.name}: cell.kind {design.cell.kind} has no layout here: only mos has")
    return _Pen(design, design.cell, design.layout, stack).cell()


class _Pen:
    """Draws in half steps, so that halves of lengths stay whole."""

    def __init__(self, design: Design, transistor: MosCell, layout: Layout, stack: Stack) -> None:
        self.mirrored, self.layout, self.stack = design.array.mirrored, layout, stack
        self.pitch = self.of("column_pitch", layout.column_pitch)
        self.height = self.of("row_pitch", layout.row_pitch)
        self.channel_width = self.of("cell.width", transistor.width)
        self.channel_length = self.of("cell.length", transistor.length)
        self.centre = self.pitch // 2
        self.pieces: list[Piece] = []

    def of(self, key: str, metres: float) -> int:
        """``metres`` in half steps."""
        steps = metres / self.stack.grid
        if abs(steps - round(steps)) > 1e-6 or round(steps) > 1_000_000:
            key = key if key.startswith("cell.") else f"layout.{key}"
            raise InputError(f"{key}: {metres * 1e6:g} um is not on the grid of {self.stack.grid * 1e9:g} nm of stack "
                             f"{self.stack.name}: round it to a multiple (of at most a million)")  # fmt: skip
        return 2 * round(steps)

    def rule(self, metres: float) -> int:
        """A rule of the stack in half steps, rounded up to a whole step."""
        return 2 * math.ceil(metres / self.stack.grid - 1e-6)

    def put(self, part: Part, layer: str, x0: int, y0: int, x1: int, y1: int) -> None:
        for key, value in (("x", x0), ("y", y0), ("x", x1), ("y", y1)):
            if value % 2:
                raise InputError(
                    f"layout: an edge of {part.replace('_', ' ')} on {layer} comes to lie off the grid of "
                    f"{self.stack.grid * 1e9:g} nm, at {key} = {value / 2 * self.stack.grid * 1e6:g} um in its cell: "
                    f"make pitches, widths and spacings multiples of {2 * self.stack.grid * 1e9:g} nm"
                )
        self.pieces.append(Piece(part, layer, (x0 // 2, y0 // 2, x1 // 2, y1 // 2)))

    def cell(self) -> UnitCell:
        layout, stack, rules = self.layout, self.stack, self.stack.transistor
        diffusion = stack.diffusion
        contact = next((c for c in stack.cuts if diffusion.name in c.lower), None)
        if contact is None:
            raise InputError(f"stack {stack.name}: no cut stands on {diffusion.name}: add a contact")
        half = self.rule(contact.size) // 2
        landing = half + self.rule(contact.enclosure(diffusion.name))
        apart = self.rule(diffusion.min_spacing) // 2
        to_gate = self.rule(rules.contact_to_gate)
        line0 = self.of("word_line.spacing", layout.word_line.spacing) // 2
        line1 = line0 + self.of("word_line.width", layout.word_line.width)
        source = max((line0 + line1) // 2, apart + landing)
        gate0 = source + half + to_gate
        gate1 = gate0 + self.channel_length
        drain = self.height if self.mirrored else gate1 + to_gate + half
        needed = gate1 + to_gate + half if self.mirrored else drain + landing + apart
        if self.height < needed:
            raise InputError(
                f"layout.row_pitch: {layout.row_pitch * 1e6:g} um is less than the {self._um(needed)} um that a "
                f"transistor {self._um(self.channel_length)} um long with its contacts takes in a "
                f"{'mirrored' if self.mirrored else 'plain'} array (rules of {diffusion.name}, {contact.name} and "
                "gate): widen it or shorten cell.length"
            )
        if self.channel_width < 2 * landing:
            raise InputError(
                f"cell.width: {self._um(self.channel_width)} um is less than the {self._um(2 * landing)} um of "
                f"{diffusion.name} that a {contact.name} takes: widen it"
            )
        landing_x = self.channel_width // 2
        self.put("word_line", layout.word_line.layer, 0, line0, self.pitch, line1)
        self._tower("source", source, layout.word_line.layer, (0, line0, self.pitch, line1))
        self.put("source", diffusion.name, self.centre - landing_x, source - landing, self.centre + landing_x, gate0)
        self._gate(gate0, gate1)
        self.put("drain", diffusion.name, self.centre - landing_x, gate1, self.centre + landing_x, drain + landing)
        self._bit_line(drain)
        return UnitCell(self.pitch // 2, self.height // 2, tuple(self.pieces))

    def _gate(self, gate0: int, gate1: int) -> None:
        poly, gate = self.stack.poly, self.layout.floating_gate
        overhang = self.of("floating_gate.overhang", gate.overhang)
        left, right = self.centre - self.channel_width // 2, self.centre + self.channel_width // 2
        self.put("channel", self.stack.diffusion.name, left, gate0, right, gate1)
        x1 = right + overhang
        if gate.extension:
            outer = self.pitch - self.rule(poly.min_spacing) // 2
            inner = outer - self.of("floating_gate.extension.width", gate.extension.width)
            length = self.of("floating_gate.extension.length", gate.extension.length)
            if inner <= right:
                raise InputError(
                    f"layout.floating_gate.extension.width: {gate.extension.width * 1e6:g} um leaves no room beside "
                    f"the channel: at most {self._um(outer - right - 2)} um fit; narrow it or widen column_pitch"
                )
            x1 = max(x1, outer)
            y0, y1 = (gate0 - length, gate0) if self.mirrored else (gate1, gate1 + length)
            self.put("floating_gate", poly.name, inner, y0, outer, y1)
        self.put("floating_gate", poly.name, left - overhang, gate0, x1, gate1)

    def _bit_line(self, drain: int) -> None:
        line = self.layout.bit_line
        half = self.of("bit_line.width", line.width) // 2
        x0, x1 = self.centre - half, self.centre + half
        self._tower("drain", drain, line.layer, (x0, 0, x1, self.height))
        tops = [2 * piece.box[3] for piece in self.pieces if piece.part == "drain" and piece.layer == line.layer]
        self.put("bit_line", line.layer, x0, 0, x1, max([self.height, *tops]))

    def _tower(self, part: Part, y: int, top: str, line: Steps) -> None:
        """Cuts and pads from the diffusion up to the layer ``top`` at the cell's centre and ``y``; a pad inside the
        width of its ``line`` is left out unless the line ends before it."""
        layer, reach = self.stack.diffusion.name, 0
        while layer != top:
            cut = next((c for c in self.stack.cuts if layer in c.lower), None)
            if cut is None:
                raise InputError(f"stack {self.stack.name}: no cuts lead from {self.stack.diffusion.name} to {top}: "
                                 f"{layer} is the last layer reached; choose another layer")  # fmt: skip
            half = self.rule(cut.size) // 2
            if layer != self.stack.diffusion.name:
                self._pad(part, layer, y, max(reach, half + self.rule(cut.enclosure(layer))))
            self.put(part, cut.name, self.centre - half, y - half, self.centre + half, y + half)
            layer, reach = cut.upper, half + self.rule(cut.enclosure(cut.upper))
        x0, y0, x1, y1 = line
        if not (x0 <= self.centre - reach and self.centre + reach <= x1 and y0 <= y - reach and y + reach <= y1):
            self._pad(part, top, y, reach)

    def _pad(self, part: Part, layer: str, y: int, reach: int) -> None:
        half = max(reach, self.rule(self.stack.layer(layer).min_width) // 2)
        half_x, half_y = half + (half + self.centre) % 2, half + (half + y) % 2
        self.put(part, layer, self.centre - half_x, y - half_y, self.centre + half_x, y + half_y)

    def _um(self, half_steps: int) -> str:
        return f"{half_steps / 2 * self.stack.grid * 1e6:g}"
