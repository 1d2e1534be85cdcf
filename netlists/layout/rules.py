"""The stack's minimum rules, checked on the drawn array with klayout: width, spacing, enclosure, gates, connections."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import klayout.db as db

from netlists.errors import InputError
from netlists.layout.connectivity import check_connectivity
from netlists.layout.drawing import Drawing
from netlists.layout.files import DBU_UM, region, to_klayout
from netlists.stack import Stack

WINDOW_ROWS, WINDOW_COLUMNS = 6, 3
"""The array repeats every two rows and every column, and no rule looks further than a row: a lower left corner of
this size shows every violation there is."""

Shapes = dict[str, db.Region]
"""By layer or cut."""
Check = Callable[..., db.EdgePairs]
ARM = "shorten or narrow layout.floating_gate.extension or widen the pitches"


@dataclass(frozen=True)
class Violation:
    """A rule (``"poly spacing 0.24 um"``), the place where it is broken, m, and what to change."""

    rule: str
    place: tuple[float, float]
    remedy: str


def check(drawing: Drawing) -> None:
    """Raises :class:`InputError` naming rule and place of the first violation, or a short or open net."""
    found = violations(drawing)
    if found:
        first = found[0]
        x, y = first.place
        i = math.floor(y / drawing.layout.row_pitch) - drawing.layout.dummy_rows
        j = math.floor(x / drawing.layout.column_pitch) - drawing.layout.dummy_columns
        more = len({v.rule for v in found}) - 1
        raise InputError(
            f"layout: rule '{first.rule}' of stack {drawing.stack.name} is violated at x {x * 1e6:.3f} um, y "
            f"{y * 1e6:.3f} um (row {i}, column {j}){f', and {more} other rules' if more else ''}: {first.remedy}"
        )
    window = _window(drawing)
    check_connectivity(to_klayout(window), window.stack, {conductor.net for conductor in window.conductors})


def violations(drawing: Drawing) -> list[Violation]:
    """Every violation in the lower left corner of the array, rule by rule, from below and from the left."""
    window = _window(drawing)
    shapes = shapes_of(to_klayout(window), window.stack)
    return _sorted([*_crossings(window, shapes), *_violations(window, shapes)])


def violations_in(shapes: Shapes, drawing: Drawing) -> list[Violation]:
    """Every violation of the rules of ``drawing``'s stack in other ``shapes``; ``remedy`` tells what in the design
    decides such a shape of its drawing."""
    return _sorted(_violations(drawing, shapes))


def shapes_of(layout: db.Layout, stack: Stack) -> Shapes:
    """All shapes of ``layout`` by layer or cut of ``stack``, merged."""
    return {x.name: region(layout, stack, x.name) for x in stack.drawn}


def _violations(drawing: Drawing, shapes: Shapes) -> Iterator[Violation]:
    yield from _layers(drawing, shapes)
    yield from _cuts(drawing, shapes)
    yield from _gates(drawing, shapes)


def _sorted(found: Iterable[Violation]) -> list[Violation]:
    return sorted(found, key=lambda v: (v.rule, round(v.place[1] * 1e9), v.place[0]))


def _window(drawing: Drawing) -> Drawing:
    array = drawing.design.array
    design = drawing.design.resized(min(array.rows, WINDOW_ROWS), min(array.columns, WINDOW_COLUMNS))
    return dataclasses.replace(drawing, design=design)


def _layers(drawing: Drawing, shapes: Shapes) -> Iterator[Violation]:
    for layer in drawing.stack.layers:
        remedy = _remedy(drawing, layer.name)
        drawn = shapes[layer.name]
        yield from _pairs(f"{layer.name} width", layer.min_width, drawn.width_check, f"widen {remedy}")
        yield from _pairs(f"{layer.name} spacing", layer.min_spacing, drawn.space_check, f"leave more room: {remedy}")


def _cuts(drawing: Drawing, shapes: Shapes) -> Iterator[Violation]:
    pitch = "widen layout.row_pitch or layout.column_pitch"
    for cut in drawing.stack.cuts:
        holes = shapes[cut.name]
        yield from _pairs(f"{cut.name} spacing", cut.min_spacing, holes.space_check, pitch)
        landed = shapes[cut.upper] & sum((shapes[name] for name in cut.lower), db.Region())
        yield from _areas(f"{cut.name} covered by {cut.upper} and {' or '.join(cut.lower)}", holes - landed, pitch)
        for enclosure in cut.enclosures:
            outer = shapes[enclosure.layer]
            inside = holes.interacting(outer) if enclosure.layer in cut.lower else holes
            rule = f"{enclosure.layer} enclosure of {cut.name}"
            remedy = f"widen {_remedy(drawing, enclosure.layer)}"
            yield from _pairs(rule, enclosure.distance, lambda d, a=outer, b=inside: a.enclosing_check(b, d), remedy)


def _gates(drawing: Drawing, shapes: Shapes) -> Iterator[Violation]:
    stack, rules = drawing.stack, drawing.stack.transistor
    poly, diffusion = shapes[stack.poly.name], shapes[stack.diffusion.name]
    gates = poly & diffusion
    for cut in stack.cuts:
        if stack.diffusion.name in cut.lower:
            holes = shapes[cut.name] & diffusion
            rule = f"{cut.name} to gate spacing"
            remedy = "widen layout.row_pitch or shorten cell.length"
            yield from _pairs(rule, rules.contact_to_gate, lambda d, a=holes: a.separation_check(gates, d), remedy)
    yield from _pairs(
        f"{stack.poly.name} end beyond channel", rules.gate_end, lambda d: poly.enclosing_check(diffusion, d),
        "widen layout.floating_gate.overhang",
    )  # fmt: skip
    yield from _pairs(
        f"{stack.poly.name} to {stack.diffusion.name} spacing", rules.poly_to_diffusion,
        lambda d: poly.separation_check(diffusion, d), ARM,
    )  # fmt: skip


def _crossings(drawing: Drawing, shapes: Shapes) -> Iterator[Violation]:
    poly, diffusion = drawing.stack.poly.name, drawing.stack.diffusion.name
    crossed = (shapes[poly] & shapes[diffusion]) ^ _channels(drawing)
    yield from _areas(f"{poly} crosses {diffusion} in channels only", crossed, ARM)


def _channels(drawing: Drawing) -> db.Region:
    scale = round(drawing.stack.grid * 1e9)
    channel = next(piece.box for piece in drawing.cell.pieces if piece.part == "channel")
    places = ((p, q) for p in range(drawing.rows) for q in range(drawing.columns))
    channels = db.Region()
    for p, q in places:
        channels.insert(db.Box(*(scale * step for step in drawing.placed(channel, p, q))))
    return channels.merged()


def _pairs(rule: str, distance: float, check: Check, remedy: str) -> Iterator[Violation]:
    units = round(distance * 1e6 / DBU_UM)
    for pair in check(units).each() if units else ():
        yield _violation(f"{rule} {distance * 1e6:g} um", pair.bbox(), remedy)


def _areas(rule: str, bad: db.Region, remedy: str) -> Iterator[Violation]:
    for polygon in bad.each():
        yield _violation(rule, polygon.bbox(), remedy)


def _violation(rule: str, box: db.Box, remedy: str) -> Violation:
    return Violation(rule, (box.center().x * DBU_UM * 1e-6, box.center().y * DBU_UM * 1e-6), remedy)


def _remedy(drawing: Drawing, layer: str) -> str:
    """Keys of the design that decide widths and spacings on ``layer``."""
    layout, keys = drawing.layout, []
    if layer == layout.word_line.layer:
        keys += ["layout.word_line.width", "layout.word_line.spacing", "layout.row_pitch"]
    if layer == layout.bit_line.layer:
        keys += ["layout.bit_line.width", "layout.column_pitch"]
    if layout.shield and layer == layout.shield.layer:
        keys += ["layout.shield.width"]
    if layer == drawing.stack.poly.name:
        keys += ["layout.floating_gate", "layout.column_pitch", "cell.length"]
    if layer == drawing.stack.diffusion.name:
        keys += ["cell.width", "layout.column_pitch", "layout.row_pitch"]
    return " or ".join(dict.fromkeys(keys)) or "layout.row_pitch or layout.column_pitch"
