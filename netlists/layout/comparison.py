"""A layout file against the design that it is to be: layers, nets, transistors, places, rules, area."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import klayout.db as db

from netlists.design import MosCell
from netlists.layout.connectivity import Connections, Place, Transistor, at, connections, faults
from netlists.layout.drawing import Drawing
from netlists.layout.files import DBU_UM, to_klayout
from netlists.layout.rules import shapes_of, violations_in

UM = 1e-6
NEAR = 1e-9
"""m by which places and sizes may differ: the resolution of files, and a rounded centre."""


@dataclass(frozen=True)
class ComparedLayer:
    """A layer or cut: merged ``polygons`` of the file, their ``area``, and the area that only the file or only the
    design's drawing covers, m²."""

    name: str
    gds: int
    polygons: int
    area: float
    different: float


@dataclass(frozen=True)
class Comparison:
    """How a layout compares with a design. ``counts`` of findings by kind, and the ``findings``, one line each, first
    those of nets, then of transistors, then of rules; ``nets`` and ``transistors`` are those of the file that the
    design has, of ``nets_expected`` and ``transistors_expected``."""

    layers: tuple[ComparedLayer, ...]
    nets: int
    nets_expected: int
    transistors: int
    transistors_expected: int
    counts: dict[str, int]
    findings: tuple[str, ...]


def compare(layout: db.Layout, drawing: Drawing) -> Comparison:
    """``layout`` (of :func:`netlists.layout.files.read_layout`) against ``drawing``. Other shapes are no finding where
    nets, transistors with their sizes and places relative to each other, and the stack's rules are right."""
    names = {conductor.net for conductor in drawing.conductors}
    found = connections(layout, drawing.stack)
    wanted = _transistors(drawing)
    shift = _shift(found, wanted)
    findings: list[tuple[str, str]] = [(fault.kind, fault.text) for fault in faults(found.clusters, names)]
    findings += [("transistor", text) for text in _wrong_transistors(found.transistors, wanted, shift)]
    shapes = shapes_of(layout, drawing.stack)
    for violation in violations_in(shapes, drawing):
        text = f"rule '{violation.rule}' of stack {drawing.stack.name} is violated at {at(violation.place)}"
        findings.append(("rule", f"{text}: correct the shapes there"))
    drawn = shapes_of(to_klayout(drawing), drawing.stack)
    moved = db.Trans(*(round(step / UM / DBU_UM) for step in shift))
    labels = {label for cluster in found.clusters for label in cluster.labels}
    gates = {transistor.gate for transistor in found.transistors}
    return Comparison(
        tuple(
            ComparedLayer(
                x.name, x.gds, shapes[x.name].count(), _area(shapes[x.name]),
                _area(shapes[x.name] ^ drawn[x.name].transformed(moved)),
            )
            for x in drawing.stack.drawn
        ),
        len(names & labels), len(names), len(gates & set(wanted)), len(wanted),
        dict(Counter(kind for kind, _ in findings)), tuple(text for _, text in findings),
    )  # fmt: skip


def _transistors(drawing: Drawing) -> dict[str, Transistor]:
    """The transistors that the design has, by the net of their gate."""
    cell = drawing.design.cell
    assert isinstance(cell, MosCell)  # others are not drawn
    channel = next(piece.box for piece in drawing.cell.pieces if piece.part == "channel")
    found = {}
    for p in range(drawing.rows):
        for q in range(drawing.columns):
            x0, y0, x1, y1 = drawing.metres(drawing.placed(channel, p, q))
            gate = drawing.floating_gate(p, q)
            ends = (drawing.word_line(p), drawing.bit_line(q))
            found[gate] = Transistor(gate, ends, cell.width, cell.length, ((x0 + x1) / 2, (y0 + y1) / 2))
    return found


def _shift(found: Connections, wanted: dict[str, Transistor]) -> Place:
    """By how much the file's origin lies elsewhere than the drawing's, by the first transistor that both have."""
    for transistor in sorted(found.transistors, key=lambda transistor: transistor.gate):
        if transistor.gate in wanted:
            (x, y), (x0, y0) = transistor.place, wanted[transistor.gate].place
            return x - x0, y - y0
    return 0.0, 0.0


def _wrong_transistors(found: Iterable[Transistor], wanted: dict[str, Transistor], shift: Place) -> Iterator[str]:
    by_gate = dict[str, list[Transistor]]()
    for transistor in found:
        by_gate.setdefault(transistor.gate, []).append(transistor)
    for gate, expected in wanted.items():
        drawn = by_gate.pop(gate, [])
        if len(drawn) != 1:
            yield f"floating gate {gate} has {len(drawn) or 'no'} transistors: a cell has one"
        elif difference := _difference(drawn[0], expected, shift):
            yield f"transistor of {gate}, near {at(drawn[0].place)}, {difference}"
    for gate, others in by_gate.items():
        yield f"transistor near {at(others[0].place)} is no cell's: its gate is net {gate or '(none)'}: remove it"


def _difference(drawn: Transistor, wanted: Transistor, shift: Place) -> str:
    if set(drawn.ends) != set(wanted.ends):
        nets = " and ".join(sorted(end or "(none)" for end in drawn.ends))
        return f"joins {nets}, the design's {' and '.join(wanted.ends)}: correct connections or labels"
    if abs(drawn.width - wanted.width) > NEAR or abs(drawn.length - wanted.length) > NEAR:
        return (
            f"is {drawn.width / UM:g} um wide and {drawn.length / UM:g} um long, the design's {wanted.width / UM:g} "
            f"and {wanted.length / UM:g}: correct cell.width and cell.length, or the file"
        )
    off = [drawn.place[k] - wanted.place[k] - shift[k] for k in (0, 1)]
    if max(map(abs, off)) > NEAR:
        return (
            f"is {off[0] / UM:.3f} um in x and {off[1] / UM:.3f} um in y from where the design has it: correct "
            "layout.column_pitch and layout.row_pitch, or the file"
        )
    return ""


def _area(shapes: db.Region) -> float:
    return float(shapes.area()) * (DBU_UM * UM) ** 2
