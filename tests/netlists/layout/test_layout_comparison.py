"""Layout files against designs: each thing that may be wrong is found, and nothing else."""

from __future__ import annotations

from pathlib import Path

import klayout.db as db
import pytest
from foreign_files import compressed, nested_arrays, oasis, repeated
from hypothesis import given, settings
from hypothesis import strategies as st
from layouts import DEFAULT, changed, designs

from netlists.errors import InputError
from netlists.layout import files, vetting
from netlists.layout.comparison import Comparison, compare
from netlists.layout.drawing import Drawing, draw
from netlists.layout.files import layer_index, read_layout, to_klayout, write_layout
from netlists.stack import load_stack

STACK = load_stack("generic180")
DRAWING = draw(changed({"array": {"rows": 4, "columns": 3}}))


@settings(max_examples=10)
@given(design=designs(), x=st.integers(-10**6, 10**6), y=st.integers(-10**6, 10**6))
def test_what_is_drawn_is_found_wherever_it_lies(design, x, y):
    drawing = draw(design)
    layout = to_klayout(drawing)
    layout.transform(db.Trans(x, y))
    found = compare(layout, drawing)
    assert found.findings == () and found.counts == {}
    assert all(layer.different == 0 for layer in found.layers)
    assert found.nets == found.nets_expected == len({c.net for c in drawing.conductors})
    assert found.transistors == found.transistors_expected == drawing.rows * drawing.columns
    metal = next(layer for layer in found.layers if layer.name == design.layout.bit_line.layer)
    assert metal.area > drawing.columns * design.layout.bit_line.width * 0.9 * drawing.height


def _shapes(layout: db.Layout, name: str) -> db.Shapes:
    return layout.top_cell().shapes(layer_index(layout, STACK, name))


def _without_label(layout: db.Layout) -> None:
    for index in layout.layer_indexes():
        for shape in [s for s in layout.top_cell().shapes(index).each() if s.is_text() and s.text.string == "FG_2_1"]:
            shape.delete()


def _bridged(layout: db.Layout) -> None:
    _shapes(layout, "metal1").insert(db.Box(-300, 0, -60, round(DRAWING.height * 1e9)))
    _shapes(layout, "metal1").insert(db.Box(-300, 0, 1400, round(DRAWING.height * 1e9)))


def _cut(layout: db.Layout) -> None:
    """The middle of every bit line taken away between columns' ends."""
    top = layout.top_cell()
    top.flatten(True)
    shapes = _shapes(layout, "metal2")
    middle = round(DRAWING.height * 1e9) // 2
    left = db.Region(shapes) - db.Region(db.Box(0, middle + 350, 1400, middle + 700))
    shapes.clear()
    shapes.insert(left)


def _longer_gate(layout: db.Layout) -> None:
    _shapes(layout, "poly").insert(db.Box(300, 200, 1100, 860))


def _thin(layout: db.Layout) -> None:
    _shapes(layout, "metal3").insert(db.Box(0, 0, 50, 2000))


CHANGES = {
    "without label": (_without_label, {"missing": 1, "unnamed": 1, "transistor": 2}, "belong to no named net"),
    "bridged": (_bridged, {"short"}, "shorted, near x"),
    "cut": (_cut, {"open"}, r"net BL_0 is open: 2 parts"),
    "longer gate": (_longer_gate, {"transistor"}, r"transistor of FG_0_0.* wide and .* long, the design's 0\.5 and"),
    "thin": (_thin, {"unnamed", "rule"}, "belong to no named net"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_changed_layout_is_found(case):
    change, kinds, message = CHANGES[case]
    layout = to_klayout(DRAWING)
    change(layout)
    found = compare(layout, DRAWING)
    assert set(kinds) <= set(found.counts), found
    assert kinds == found.counts or not isinstance(kinds, dict)
    assert sum(found.counts.values()) == len(found.findings)
    _matches(found, message)


def _matches(found: Comparison, message: str) -> None:
    import re

    assert any(re.search(message, text) for text in found.findings), found.findings
    assert not any("\n" in text for text in found.findings)


OTHERS = {
    "more rows": ({"array": {"rows": 6, "columns": 3}}, "net DWL_0|net FG_4_0 is none of the design's"),
    "fewer columns": ({"array": {"rows": 4, "columns": 2}}, "net BL_2 is missing"),
    "plain": ({"array": {"rows": 4, "columns": 3, "mirrored": False}, "layout.row_pitch": "1.8 um"},
              r"um in y from where the design has it: correct layout\.column_pitch"),
    "pitch": ({"array": {"rows": 4, "columns": 3}, "layout.column_pitch": "1.5 um"},
              r"transistor of FG_0_1.* is 0\.100 um in x"),
    "wider": ({"array": {"rows": 4, "columns": 3}, "cell.width": "0.52 um"}, r"is 0\.52 um wide"),
}  # fmt: skip


@pytest.mark.parametrize("case", OTHERS)
def test_the_layout_of_another_design_is_found(case):
    changes, message = OTHERS[case]
    found = compare(to_klayout(draw(changed(changes))), DRAWING)
    _matches(found, message)


def test_swapped_bit_lines_are_found():
    layout = to_klayout(DRAWING)
    for index in layout.layer_indexes():
        for shape in [s for s in layout.top_cell().shapes(index).each() if s.is_text()]:
            swapped = {"BL_0": "BL_1", "BL_1": "BL_0"}.get(shape.text.string)
            if swapped:
                shape.text = db.Text(swapped, shape.text.trans)
    found = compare(layout, DRAWING)
    assert found.counts == {"transistor": 8}
    assert "joins BL_1 and WL_0, the design's WL_0 and BL_0" in found.findings[0]


def _file(drawing: Drawing, path: Path, kind: str = "gds") -> bytes:
    write_layout(drawing, path, kind)
    return path.read_bytes()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_files_are_compared_or_refused_in_one_line(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("damaged") / "x.gds"
    content = bytearray(_file(draw(DEFAULT.resized(2, 1)), path))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    path.write_bytes(content)
    drawing = draw(DEFAULT.resized(2, 1))
    try:
        found = compare(read_layout(path, STACK), drawing)
    except InputError as error:
        assert str(path) in str(error) and "\n" not in str(error)
        return
    assert all("\n" not in text and text.isprintable() for text in found.findings)


def test_small_files_that_stand_for_too_much_are_refused(tmp_path):
    assert nested_arrays(tmp_path / "a.gds").stat().st_size < 1000
    (tmp_path / "b.oas").write_bytes(repeated(30_000, 30_000))
    for name in ("a.gds", "b.oas"):
        with pytest.raises(InputError, match="has more than 8388608 shapes: export the array alone"):
            read_layout(tmp_path / name, STACK)
    (tmp_path / "c.oas").write_bytes(repeated(3, 2))
    assert read_layout(tmp_path / "c.oas", STACK).top_cell().bbox().width() == 90


@pytest.mark.long
def test_compressed_blocks_end_within_bounds(tmp_path):
    path = tmp_path / "x.oas"
    path.write_bytes(compressed(200_000_000))
    assert path.stat().st_size < 3_000_000
    with pytest.raises(InputError, match="takes too long or too much memory to read"):
        read_layout(path, STACK)


def test_files_that_are_too_large_or_of_other_units_are_refused(tmp_path, monkeypatch):
    layout = to_klayout(draw(DEFAULT.resized(1, 1)))
    layout.dbu = 0.005
    layout.write(str(tmp_path / "x.gds"))
    with pytest.raises(InputError, match=r"database unit of 5 nm: export it with one of 1 nm"):
        read_layout(tmp_path / "x.gds", STACK)
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 100)
    with pytest.raises(InputError, match="larger than 100 bytes"):
        read_layout(tmp_path / "x.gds", STACK)


def test_foreign_layers_are_left_out(tmp_path):
    layout = to_klayout(DRAWING)
    layout.top_cell().shapes(layout.layer(99, 0)).insert(db.Box(0, 0, 10, 10))
    layout.write(str(tmp_path / "x.gds"))
    read = read_layout(tmp_path / "x.gds", STACK)
    assert read.find_layer(99, 0) is None
    assert compare(read, DRAWING).findings == ()


def test_a_reason_of_the_vetting_process_is_handed_on(tmp_path):
    (tmp_path / "x.oas").write_bytes(oasis(b"\x63"))
    with pytest.raises(InputError, match=r"x\.oas: cannot be read as a layout: "):
        vetting.vet(tmp_path / "x.oas", ["2/0"])
