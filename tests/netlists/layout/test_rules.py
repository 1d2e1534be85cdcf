"""Violated rules and wrong connections are found, named and placed."""

from __future__ import annotations

import dataclasses

import klayout.db as db
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layouts import DEFAULT, changed, um

from netlists.errors import InputError
from netlists.layout.cell import Piece, draw_cell
from netlists.layout.connectivity import check_connectivity
from netlists.layout.drawing import draw
from netlists.layout.files import layer_index, to_klayout
from netlists.layout.rules import check, violations
from netlists.stack import Enclosure, Stack, load_stack

SMALL = DEFAULT.resized(4, 3)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"layout.word_line.width": "0.2 um"}, "metal1 width 0.23 um"),
        ({"layout.word_line.spacing": "0.2 um"}, "metal1 spacing 0.23 um"),
        ({"layout.bit_line.width": "0.2 um"}, "metal2 width 0.28 um"),
        ({"layout.bit_line.width": "1.2 um"}, "metal2 spacing 0.28 um"),
        ({"layout.floating_gate.overhang": "0.1 um"}, "poly end beyond channel 0.22 um"),
        ({"layout.floating_gate.overhang": "0 um"}, "poly end beyond channel 0.22 um"),
        ({"layout.floating_gate.extension": {"width": "0.1 um", "length": "0.6 um"}}, "poly width 0.18 um"),
        ({"layout.floating_gate.extension": {"width": "0.2 um", "length": "1 um"}}, "poly spacing 0.24 um"),
        ({"layout.floating_gate.extension": {"width": "0.27 um", "length": "0.5 um"}},
         "poly to diffusion spacing 0.1 um"),
        ({"cell.length": "0.1 um"}, "poly width 0.18 um"),
        ({"layout.column_pitch": "0.7 um", "layout.floating_gate.extension": None}, "diffusion spacing 0.28 um"),
    ],
)  # fmt: skip
def test_each_rule_is_named_with_its_place(changes, rule):
    drawing = draw(changed(changes, SMALL))
    assert rule in {violation.rule for violation in violations(drawing)}
    with pytest.raises(InputError, match=r"layout: rule '.*' of stack generic180 is violated at x .* um, y .* um"):
        check(drawing)


@settings(max_examples=20)
@given(st.integers(2, 22))
def test_spacing_of_partners_is_violated_exactly_below_its_minimum(steps):
    drawing = draw(changed({"layout.word_line.spacing": um(steps)}, SMALL))
    found = [v for v in violations(drawing) if v.rule == "metal1 spacing 0.23 um"]
    boundaries = {round(v.place[1] / drawing.layout.row_pitch, 3) for v in found}
    assert boundaries == {1, 3}  # in the middle between rows 0 and 1, 2 and 3


STACK = load_stack("generic180")
ENCLOSURES = [(cut.name, e.layer) for cut in STACK.cuts for e in cut.enclosures]


def _strict(cut_name: str, layer: str) -> Stack:
    """The stack with one enclosure 20 nm larger."""

    def wider(e: Enclosure) -> Enclosure:
        return e.model_copy(update={"distance": e.distance + 20e-9}) if e.layer == layer else e

    cuts = tuple(
        cut.model_copy(update={"enclosures": tuple(map(wider, cut.enclosures))}) if cut.name == cut_name else cut
        for cut in STACK.cuts
    )
    return STACK.model_copy(update={"cuts": cuts})


@pytest.mark.parametrize(("cut", "layer"), [x for x in ENCLOSURES if x not in (("contact", "poly"),)])
def test_each_enclosure_is_checked_and_drawn_as_the_stack_says(cut, layer):
    wide = {"layout.row_pitch": "1.6 um", "layout.column_pitch": "1.6 um"}
    if cut == "via2":
        wide |= {"layout.bit_line": {"layer": "metal3", "width": "0.28 um"}}
    drawing = draw(changed(wide, SMALL))
    check(drawing)
    strict = dataclasses.replace(drawing, stack=_strict(cut, layer))
    rules = {violation.rule.rsplit(" ", 2)[0] for violation in violations(strict)}
    assert rules == {f"{layer} enclosure of {cut}"}
    check(dataclasses.replace(strict, cell=draw_cell(strict.design, strict.stack)))


@pytest.mark.parametrize(
    ("rule", "name"),
    [("contact_to_gate", "contact to gate spacing 0.14 um"), ("gate_end", "poly end beyond channel 0.24 um"),
     ("poly_to_diffusion", "poly to diffusion spacing 0.12 um")],
)  # fmt: skip
def test_each_rule_of_gates_is_checked(rule, name):
    transistor = STACK.transistor.model_copy(update={rule: getattr(STACK.transistor, rule) + 20e-9})
    drawing = dataclasses.replace(draw(SMALL), stack=STACK.model_copy(update={"transistor": transistor}))
    assert {violation.rule for violation in violations(drawing)} == {name}


def test_poly_that_crosses_a_diffusion_of_another_gate_is_found():
    drawing = draw(SMALL)
    stray = Piece("floating_gate", "poly", (0, 250, 220, 290))
    cell = dataclasses.replace(drawing.cell, pieces=(*drawing.cell.pieces, stray))
    crossing = dataclasses.replace(drawing, cell=cell)
    assert "poly crosses diffusion in channels only" in {violation.rule for violation in violations(crossing)}


def _flat(design):
    drawing = draw(design)
    layout = to_klayout(drawing)
    layout.top_cell().flatten(True)
    return drawing, layout, {c.net for c in drawing.conductors}


@settings(max_examples=25)
@given(st.sampled_from(["poly", "metal1", "metal2"]), st.data())
def test_a_cut_through_a_line_or_gate_is_an_open(layer, data):
    drawing, layout, names = _flat(SMALL)
    conductor = data.draw(st.sampled_from([
        c for c in drawing.conductors
        if c.layer == layer and (layer == "poly" or c.box[2] - c.box[0] > 3e-6 or c.box[3] - c.box[1] > 3e-6)
    ]))  # fmt: skip
    x0, y0, x1, y1 = (round(v * 1e9) for v in conductor.box)
    index = layer_index(layout, drawing.stack, layer)
    if layer == "poly" and x1 - x0 > y1 - y0:  # between the channel and the arm
        middle = x1 - 280 if int(conductor.net.split("_")[1]) % 2 else x0 + 280
        knife = db.Box(middle - 10, y0, middle + 10, y1)
    elif x1 - x0 > y1 - y0:
        middle = (x0 + x1) // 2 + 320
        knife = db.Box(middle - 10, y0, middle + 10, y1)
    else:
        middle = (y0 + y1) // 2 + (700 if layer == "metal2" else 0)
        knife = db.Box(x0, middle - 10, x1, middle + 10)
    shapes = layout.top_cell().shapes(index)
    whole = db.Region(shapes)
    shapes.clear()
    shapes.insert(whole - db.Region(knife))
    with pytest.raises(InputError, match=r"is open|belong to no named net"):
        check_connectivity(layout, drawing.stack, names)


@settings(max_examples=25)
@given(st.data())
def test_a_bridge_between_two_nets_is_a_short(data):
    drawing, layout, names = _flat(SMALL)
    layer = data.draw(st.sampled_from(["poly", "metal1", "metal2"]))
    first = data.draw(st.sampled_from([c for c in drawing.conductors if c.layer == layer]))
    second = data.draw(st.sampled_from([c for c in drawing.conductors if c.layer == layer and c.net != first.net]))
    x0, y0, x1, y1 = (round(1e9 * f(a, b)) for f, a, b in zip((min, min, max, max), first.box, second.box, strict=True))
    layout.top_cell().shapes(layer_index(layout, drawing.stack, layer)).insert(db.Box(x0, y0, x1, y1))
    with pytest.raises(InputError, match="are shorted, near x"):
        check_connectivity(layout, drawing.stack, names)


def test_names_that_are_missing_or_foreign_are_found():
    drawing, layout, names = _flat(SMALL)
    with pytest.raises(InputError, match="net WL_9 is missing"):
        check_connectivity(layout, drawing.stack, names | {"WL_9"})
    with pytest.raises(InputError, match="net WL_0 is none of the design's"):
        check_connectivity(layout, drawing.stack, names - {"WL_0"})


def test_a_shield_on_the_word_lines_is_refused():
    with pytest.raises(InputError, match="SHIELD_0 and WL_0 and WL_1 are shorted"):
        check(draw(changed({"layout.shield": {"layer": "metal1", "width": "0.24 um"}})))
