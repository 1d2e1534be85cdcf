"""The drawn array: rules kept, nets connected, geometry where the design says it is."""

from __future__ import annotations

from itertools import pairwise

import klayout.db as db
import pytest
from hypothesis import given, settings
from layouts import DEFAULT, changed, designs

from netlists.design import Design
from netlists.errors import InputError
from netlists.graph import far_row, near_row
from netlists.layout.conductors import Conductor
from netlists.layout.connectivity import check_connectivity, connections
from netlists.layout.drawing import Drawing, draw
from netlists.layout.files import region, to_klayout
from netlists.layout.rules import check


def _boxes(drawing: Drawing, net: str, layer: str | None = None) -> list[tuple[float, float, float, float]]:
    return [c.box for c in drawing.conductors if c.net == net and layer in (None, c.layer)]


def _span(boxes: list[tuple[float, float, float, float]]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def _names(design: Design, drawing: Drawing) -> set[str]:
    rows, columns = design.array.rows, design.array.columns
    dummies = drawing.rows * drawing.columns + drawing.rows + drawing.columns - (rows + 1) * (columns + 1) + 1
    names = {f"WL_{i}" for i in range(rows)} | {f"BL_{j}" for j in range(columns)}
    names |= {f"FG_{i}_{j}" for i in range(rows) for j in range(columns)}
    found = {c.net for c in drawing.conductors}
    assert names <= found
    assert sum(net.startswith("D") for net in found) == dummies
    assert found - names == {net for net in found if net.startswith(("D", "SHIELD_"))}
    return found


@settings(max_examples=25)
@given(designs())
def test_every_array_keeps_the_rules_and_each_net_is_one_cluster(design):
    drawing = draw(design)
    check(drawing)
    layout = to_klayout(drawing)
    names = _names(design, drawing)
    found = connections(layout, drawing.stack).clusters
    assert sorted(next(iter(cluster.labels)) for cluster in found) == sorted(names)
    check_connectivity(layout, drawing.stack, names)


@settings(max_examples=15)
@given(designs())
def test_conductors_are_the_polygons_of_the_file(design):
    drawing = draw(design)
    layout = to_klayout(drawing)
    assert len(set(drawing.conductors)) == len(drawing.conductors)
    for layer in (*drawing.stack.layers, *drawing.stack.cuts):
        boxes = [db.Box(*(round(x * 1e9) for x in c.box)) for c in drawing.conductors if c.layer == layer.name]
        drawn = region(layout, drawing.stack, layer.name)
        if layer.name == "diffusion":
            drawn -= region(layout, drawing.stack, "poly")
        assert (drawn ^ db.Region(boxes)).is_empty()


@settings(max_examples=15)
@given(designs())
def test_gates_and_pitches_are_the_designs(design):
    drawing = draw(design)
    layout = to_klayout(drawing)
    gates = region(layout, drawing.stack, "poly") & region(layout, drawing.stack, "diffusion")
    assert gates.count() == drawing.rows * drawing.columns
    for gate in gates.each():
        assert gate.bbox().width() == round(design.cell.width * 1e9)
        assert gate.bbox().height() == round(design.cell.length * 1e9)
    assert drawing.cell_area == pytest.approx(design.layout.row_pitch * design.layout.column_pitch, rel=1e-12, abs=0)
    assert drawing.array_area == pytest.approx(drawing.cell_area * drawing.rows * drawing.columns, rel=1e-12, abs=0)
    lefts = sorted(_boxes(drawing, f"BL_{j}", "metal2")[0][0] for j in range(design.array.columns))
    for left, right in pairwise(lefts):
        assert right - left == pytest.approx(design.layout.column_pitch, rel=1e-9, abs=0)


@pytest.mark.parametrize("mirrored", [True, False])
def test_rows_face_their_near_word_line(mirrored):
    pitch = "1.4 um" if mirrored else "1.7 um"
    design = changed({"array": {"rows": 6, "columns": 2, "mirrored": mirrored}, "layout.row_pitch": pitch})
    drawing = draw(design)
    check(drawing)
    lines = {i: _span(_boxes(drawing, f"WL_{i}", "metal1")) for i in range(6)}
    for i in range(1, 5):
        gate = _span(_boxes(drawing, f"FG_{i}_0"))

        def distance(k: int, gate: tuple[float, ...] = gate) -> float:
            return max(lines[k][1] - gate[3], gate[1] - lines[k][3])

        assert distance(near_row(design, i)) < 0 < distance(far_row(design, i))  # the extension lies under it


def test_partners_word_lines_are_the_spacing_apart():
    drawing = draw(changed({"layout.word_line.spacing": "0.31 um", "layout.row_pitch": "1.44 um"}))
    lower, upper = (_boxes(drawing, f"WL_{i}", "metal1")[0] for i in (0, 1))
    assert upper[1] - lower[3] == pytest.approx(0.31e-6, rel=1e-6, abs=0)


def test_shields_lie_between_partners_only_or_between_all_plain_rows():
    changes = {"layout.shield": {"layer": "metal1", "width": "0.24 um"}, "layout.word_line.spacing": "0.7 um",
               "layout.row_pitch": "2.1 um"}  # fmt: skip
    for mirrored, count in ((True, 8), (False, 15)):
        drawing = draw(changed({**changes, "array.mirrored": mirrored}))
        check(drawing)
        shields = [c for c in drawing.conductors if c.net.startswith("SHIELD_")]
        assert len(shields) == count
        for shield in shields:
            assert shield.box[3] - shield.box[1] == pytest.approx(0.24e-6, rel=1e-6, abs=0)
            assert shield.box[2] - shield.box[0] == pytest.approx(drawing.width)


def test_dummies_surround_the_array_and_move_nothing_else():
    plain, ringed = draw(DEFAULT), draw(changed({"layout.dummy_rows": 1, "layout.dummy_columns": 2}))
    dx, dy = 2 * plain.layout.column_pitch, plain.layout.row_pitch
    for net in ("FG_0_0", "FG_7_3", "FG_15_15"):
        moved = [(a + dx, b + dy, c + dx, d + dy) for a, b, c, d in _boxes(plain, net)]
        assert [pytest.approx(box) for box in moved] == _boxes(ringed, net)
    names = {c.net for c in ringed.conductors}
    assert {"DWL_0", "DWL_17", "DBL_0", "DBL_19", "DFG_0_0", "DFG_1_0", "DFG_17_19"} <= names


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 5), (5, 1), (3, 2), (128, 3)])
def test_every_shape_of_array(rows, columns):
    drawing = draw(DEFAULT.resized(rows, columns))
    check(drawing)
    names = {c.net for c in drawing.conductors}
    assert len(names) == rows + columns + rows * columns
    check_connectivity(to_klayout(drawing), drawing.stack, names)


def test_word_lines_on_a_higher_metal_reach_their_transistors():
    lines = {
        "layout.bit_line": {"layer": "metal3", "width": "0.28 um"},
        "layout.word_line": {"layer": "metal2", "width": "0.28 um", "spacing": "0.3 um"},
        "layout.floating_gate.extension": None,
        "layout.row_pitch": "1.5 um",
    }
    drawing = draw(changed(lines))
    check(drawing)
    assert {c.layer for c in drawing.conductors if c.net == "WL_0"} == {
        "metal2", "via1", "metal1", "contact", "diffusion",
    }  # fmt: skip


def test_conductors_are_hashable_values():
    assert Conductor("WL_0", "metal1", (0.0, 0.0, 1.0, 1.0)) in {Conductor("WL_0", "metal1", (0.0, 0.0, 1.0, 1.0))}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"layout.row_pitch": "1.3 um"}, "layout.row_pitch: 1.3 um is less than the 1.38 um"),
        ({"array.mirrored": False}, "layout.row_pitch: 1.4 um is less than the 1.7 um"),
        ({"cell.width": "0.3 um"}, "cell.width: 0.3 um is less than the 0.36 um"),
        ({"cell.length": "0.601 um"}, "cell.length: 0.601 um is not on the grid"),
        ({"layout.bit_line.width": "0.285 um"}, "bit line on metal2 comes to lie off the grid"),
        ({"layout.column_pitch": "1.1 um"}, "layout.floating_gate.extension.width"),
        ({"layout.word_line.layer": "poly"}, "layout.word_line.layer: poly is no metal"),
        ({"layout.shield": {"layer": "metal7", "width": "0.3 um"}}, "layout.shield.layer: metal7 is no metal"),
        ({"layout.shield": {"layer": "metal1", "width": "0.235 um"}}, "layout.shield.width"),
        ({"layout.stack": "no_such"}, "neither a stack file"),
        ({"array": {"rows": 4096, "columns": 4096}}, "array: 4096x4096 cells are too many"),
        ({"array.rows": 256, "layout.row_pitch": "5 mm"}, "the array is 2.24e-05 m x 1.28 m large"),
        ({"layout": None}, "has no section layout"),
        ({"cell": {"kind": "resistive"}}, "cell.kind resistive"),
    ],
)
def test_what_cannot_be_drawn_names_its_key(changes, named):
    with pytest.raises(InputError, match=named.replace(".", r"\.")):
        check(draw(changed(changes)))
