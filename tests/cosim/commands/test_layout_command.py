"""``fgcosim layout``: files by suffix, area per cell, one line where something is wrong."""

from __future__ import annotations

import pytest

from cosim.commands.layout import layout
from cosim.errors import InputError
from netlists.designfile import dump_design, load_design
from netlists.layout.files import read_layout
from netlists.stack import load_stack

DEFAULT = load_design("default")


@pytest.mark.parametrize("suffix", ["gds", "oas", "svg", "png", "GDS"])
def test_writes_by_suffix_and_prints_the_area_per_cell(suffix, tmp_path, capsys):
    out = tmp_path / f"x.{suffix}"
    assert layout("default", out)
    shown = capsys.readouterr().out
    assert "area per cell: 1.96 um2 (1.4 um x 1.4 um)" in shown and "metal1 4/0" in shown
    if suffix in ("gds", "oas", "GDS"):
        assert not read_layout(out, load_stack("generic180")).top_cell().bbox().empty()
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_the_built_in_layout_is_the_designs_geometry():
    """Its line widths and pitch are those that the wires' notes give, and it decides no circuit."""
    drawn = DEFAULT.layout
    assert drawn is not None
    assert (drawn.row_pitch, drawn.column_pitch) == (1.4e-6, 1.4e-6)
    assert (drawn.word_line.layer, drawn.word_line.width) == ("metal1", 0.23e-6)
    assert (drawn.bit_line.layer, drawn.bit_line.width) == ("metal2", 0.28e-6)
    squares = 0.09 * drawn.row_pitch / drawn.bit_line.width
    assert squares == pytest.approx(DEFAULT.wires.bit_line_resistance, rel=0.11, abs=0)
    assert DEFAULT.model_copy(update={"layout": None}).hash == DEFAULT.hash


def test_a_violated_rule_writes_nothing(tmp_path):
    path, out = tmp_path / "d.yaml", tmp_path / "x.gds"
    path.write_text(dump_design(DEFAULT).replace("width: 2.3e-07 m\n    spacing", "width: 2e-07 m\n    spacing"))
    with pytest.raises(InputError, match=r"d\.yaml: layout: rule 'metal1 width 0\.23 um' of stack generic180"):
        layout(str(path), out)
    assert not out.exists()


def test_a_stack_file_lies_beside_its_design(tmp_path):
    from importlib import resources

    text = (resources.files("netlists") / "stacks" / "generic180.yaml").read_text(encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(text.replace("name: generic180", "name: mine"), encoding="utf-8")
    path = tmp_path / "d.yaml"
    path.write_text(dump_design(DEFAULT.resized(2, 2)).replace("stack: generic180", "stack: mine.yaml"))
    assert layout(str(path), tmp_path / "x.oas")


@pytest.mark.parametrize("suffix", ["gds", "oas"])
def test_a_written_file_is_its_designs(suffix, tmp_path, capsys):
    path, out = tmp_path / "d.yaml", tmp_path / f"x.{suffix}"
    path.write_text(dump_design(DEFAULT.resized(4, 2)))
    assert layout(str(path), out, out)
    shown = capsys.readouterr().out
    assert "nets 14 of 14, transistors 8 of 8; no findings" in shown
    with pytest.raises(InputError, match=r"is not the layout of design default: net BL_10 is missing") as caught:
        layout("default", check_file=out)
    assert str(caught.value).startswith(str(out)) and "\n" not in str(caught.value)
    assert "nets 14 of 288, transistors 8 of 256; nets missing 274" in capsys.readouterr().out


def test_a_file_that_cannot_be_checked_is_one_line(tmp_path, capsys):
    whole = tmp_path / "whole.gds"
    layout("default", whole)
    for name, content, message in (
        ("none.gds", None, "cannot be read: No such file"),
        ("short.gds", whole.read_bytes()[:5000], "cannot be read as a layout: Unexpected end-of-file"),
        ("text.gds", b"no layout at all", "starts neither as GDS nor as OASIS"),
        ("empty.gds", b"", "starts neither as GDS nor as OASIS"),
    ):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=message) as caught:
            layout("default", check_file=tmp_path / name)
        assert name in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(InputError, match="nothing to do: name a file"):
        layout("default")


@pytest.mark.parametrize(
    ("design", "out", "message"),
    [
        ("default", "x.txt", r"suffix \.txt is none of \.gds, \.oas, \.svg, \.png"),
        ("default", "x", r"suffix \(none\)"),
        ("default", "none/x.gds", "folder"),
        ("no_such", "x.gds", "no such design file"),
    ],
)
def test_bad_arguments_are_one_line(design, out, message, tmp_path):
    with pytest.raises(InputError, match=message) as caught:
        layout(design, tmp_path / out)
    assert "\n" not in str(caught.value)
