"""GDS, OASIS and pictures: what is written is what is drawn, and foreign files are refused in one line."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter

import klayout.db as db
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layouts import DEFAULT, changed, designs
from matplotlib.image import imread

from netlists.errors import InputError
from netlists.layout.connectivity import check_connectivity
from netlists.layout.drawing import draw
from netlists.layout.files import FORMATS, read_layout, region, to_klayout, write_layout
from netlists.layout.picture import write_picture
from netlists.stack import load_stack

OASIS_START = b"%SEMI-OASIS\r\n\x01\x031.0"
STACK = load_stack("generic180")


@settings(max_examples=15)
@given(design=designs(), kind=st.sampled_from(sorted(FORMATS)))
def test_files_read_back_hold_the_same_polygons_and_names(design, kind, tmp_path_factory):
    drawing = draw(design)
    path = tmp_path_factory.mktemp("layout") / f"x.{kind}"
    write_layout(drawing, path, kind)
    drawn, read = to_klayout(drawing), read_layout(path, drawing.stack)
    assert read.dbu == drawn.dbu
    for layer in (*drawing.stack.layers, *drawing.stack.cuts):
        assert (region(drawn, drawing.stack, layer.name) ^ region(read, drawing.stack, layer.name)).is_empty()
    check_connectivity(read, drawing.stack, {c.net for c in drawing.conductors})


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (4, 3)])
def test_lines_are_named_at_both_ends_and_gates_once(rows, columns):
    layout = to_klayout(draw(DEFAULT.resized(rows, columns)))
    top = layout.top_cell()
    texts = [s.text for i in layout.layer_indexes() for s in top.shapes(i).each() if s.is_text()]
    count = Counter(text.string for text in texts)
    for i in range(rows):
        assert count[f"WL_{i}"] == len({text.x for text in texts if text.string == f"WL_{i}"}) == min(columns, 2)
    for j in range(columns):
        assert count[f"BL_{j}"] == len({text.y for text in texts if text.string == f"BL_{j}"}) == min(rows, 2)
    assert all(count[f"FG_{i}_{j}"] == 1 for i in range(rows) for j in range(columns))


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_files_are_small_and_the_same_twice(kind, tmp_path):
    """128 rows take no more room than their labels: cells are instances."""
    drawing = draw(DEFAULT.resized(128, 16))
    for name in "ab":
        write_layout(drawing, tmp_path / name, kind)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").stat().st_size < 60 * 128 * 17
    read = read_layout(tmp_path / "a", STACK)
    top = read.top_cell()
    assert sum(instance.na * instance.nb for instance in top.each_inst()) == 128 * 16
    assert top.child_instances() == 2  # turned rows and the others


@settings(max_examples=60)
@given(content=st.binary(max_size=200), start=st.sampled_from([b"", b"\x00\x06\x00\x02\x02\x58", OASIS_START]))
def test_any_bytes_are_refused_in_one_line(content, start, tmp_path_factory):
    path = tmp_path_factory.mktemp("bytes") / "x.gds"
    path.write_bytes(start + content)
    with pytest.raises(InputError) as caught:
        read_layout(path, STACK)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_truncated_files_are_refused_or_incomplete_in_words(kind, tmp_path):
    drawing = draw(DEFAULT.resized(2, 2))
    names = {c.net for c in drawing.conductors}
    write_layout(drawing, tmp_path / "whole", kind)
    content = (tmp_path / "whole").read_bytes()
    for size in range(0, len(content) - 1, max(1, len(content) // 40)):
        (tmp_path / "part").write_bytes(content[:size])
        with pytest.raises(InputError):
            check_connectivity(read_layout(tmp_path / "part", STACK), STACK, names)


def test_a_layout_without_the_expected_layers_is_refused(tmp_path):
    layout = db.Layout()
    layout.create_cell("TOP").shapes(layout.layer(77, 0)).insert(db.Box(0, 0, 100, 100))
    layout.write(str(tmp_path / "x.gds"))
    with pytest.raises(InputError, match=r"x\.gds: has no shapes on GDS layer 2/0, the poly of stack generic180"):
        read_layout(tmp_path / "x.gds", STACK)
    layout.create_cell("OTHER")
    layout.write(str(tmp_path / "y.gds"))
    with pytest.raises(InputError, match="has 2 top cells"):
        read_layout(tmp_path / "y.gds", STACK)
    with pytest.raises(InputError, match="cannot be read"):
        read_layout(tmp_path / "none.gds", STACK)


PLAIN = {
    "array": {"rows": 3, "columns": 2, "mirrored": False}, "layout.dummy_rows": 1, "layout.row_pitch": "2.1 um",
    "layout.word_line.spacing": "0.7 um", "layout.shield": {"layer": "metal1", "width": "0.24 um"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"array": {"rows": 1, "columns": 1}}, ["FG_0_0", "Array"]),
        ({"array": {"rows": 128, "columns": 3}}, ["FG_0_1", "FG_1_1", "Lower left 8x3 of the 128x3 cells drawn"]),
        (PLAIN, ["FG_0_1", "SHIELD_0", "DWL_0", "plain rows"]),
    ],
)
def test_pictures_name_layers_nets_and_dimensions(changes, names, tmp_path):
    drawing = draw(changed(changes))
    write_picture(drawing, tmp_path / "x.svg", "svg")
    svg = (tmp_path / "x.svg").read_text(encoding="utf-8")
    ET.fromstring(svg)
    for text in (*names, "WL_0", "BL_0", "column pitch 1.4", "row pitch", "per cell", "poly (2/0)", "metal2 (6/0)"):
        assert text in svg, text


def test_pictures_are_the_same_twice_and_coloured(tmp_path):
    drawing = draw(DEFAULT.resized(2, 2))
    for name in "ab":
        write_picture(drawing, tmp_path / name, "svg")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    write_picture(drawing, tmp_path / "x.png", "png")
    image = imread(tmp_path / "x.png")
    assert image.shape[0] > 800 and image.shape[1] > 1500
    assert len({tuple(pixel) for pixel in image[::16, ::16, :3].reshape(-1, 3).tolist()}) > 8
