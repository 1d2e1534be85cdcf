"""Files of models: only what defines models gets through, at the line where it stands, whatever includes it."""

import os
from pathlib import Path

import pytest

from netlists.devices import modelfile
from netlists.devices.modelfile import read_library
from netlists.errors import InputError

CARD = ".model nm nmos level=8 version=3.3.0 tox=7e-9\n"
SECTIONS = f"* corners\n.lib tt\n.param dv=0\n.include sub/models.inc\n.endl\n.lib ss\n.param dv=0.05\n{CARD}.endl\n"


@pytest.fixture
def library(tmp_path):
    """A file of two sections, one of which includes another file."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "models.inc").write_text(CARD, encoding="utf-8")
    path = tmp_path / "top.lib"
    path.write_text(SECTIONS, encoding="utf-8")
    return path


def _written(folder: Path, text: str) -> Path:
    path = folder / "model.inc"
    path.write_text(text, encoding="latin-1")
    return path


def test_a_section_holds_what_it_includes(library):
    texts = [s.text for s in read_library(library, "tt").statements]
    assert texts == [".param dv=0", CARD.strip()]
    assert [s.text for s in read_library(library, "SS").statements] == [".param dv=0.05", CARD.strip()]


def test_continuations_join_across_comments(tmp_path):
    text = "* a\n.model nm nmos\n* between\n+ level = 8 $ why\n\n+ tox=7n ; thick\nr1 a b 1 // one\n"
    path = _written(tmp_path, text)
    found = [(s.line, s.text) for s in read_library(path, None).statements]
    assert found == [(2, ".model nm nmos  level = 8  tox=7n"), (7, "r1 a b 1")]


@pytest.mark.parametrize(
    "line",
    [
        ".control", ".CONTROL", "  .control", "\t.Control", ".exec x", ".csparam a=1", ".tran 1n 1u", ".save all",
        "*# shell touch x", "   *#shell touch x", "*#SHELL x", "\x0b*# x", ".temp 100", ".protect", ".alter",
        "a1 1 2 gate", "A1 1 2 gate", "n1 a b c osdi_model", ".option gmin=1e-12", ".options reltol=1", ".option acct",
        ".osdi x.osdi", ".print dc v(1)",
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", ["file", "included", "other section"])
def test_what_no_model_needs_is_refused_where_it_stands(tmp_path, line, place):
    bad = _written(tmp_path, f"* one\n{CARD}{line}\n")
    top, section = bad, None
    if place == "included":
        top = tmp_path / "top.lib"
        top.write_text(".lib x\n.include 'model.inc'\n.endl x\n", encoding="utf-8")
        section = "x"
    elif place == "other section":
        bad.write_text(f".lib x\n.endl\n{line}\n", encoding="latin-1")
        section = "x"
    with pytest.raises(InputError, match=rf"^{bad}:3: .*(?:remove|use a plain model)") as error:
        read_library(top, section)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (".include missing.inc", "model.inc:2: .*missing.inc cannot be read"),
        (".include", "with a path"),
        (".include a b c", "with a path"),
        (".include $HOME/x", "remove the comment"),
        (".include x$HOME", "rename or link"),
        (".lib top.lib tt $ typical", "remove the comment"),
        (".include ~/x", "rename or link"),
        (".include 'a;b'", "remove the comment"),
        (".include sub", "is no file"),
        (".lib model2.inc", "sections"),
        (".lib sub/other.lib nope", "has no section 'nope', but tt, ss"),
        (".include model.inc", "deeper than 16 levels"),
        (".include sub/binary", "is not text"),
        (".include sub/fifo", "is no file"),
    ],
)
def test_inclusions_that_fail_name_line_and_remedy(tmp_path, library, line, reason):
    (tmp_path / "sub" / "binary").write_bytes(b".param a=1\n\0")
    os.mkfifo(tmp_path / "sub" / "fifo")
    (tmp_path / "sub" / "other.lib").write_text(SECTIONS, encoding="utf-8")
    with pytest.raises(InputError, match=reason):
        read_library(_written(tmp_path, f"* one\n{line}\n"), None)


def test_files_with_sections_need_one(library):
    with pytest.raises(InputError, match=r"sections tt, ss: name one"):
        read_library(library, None)


def test_sizes_are_bounded(tmp_path, monkeypatch):
    path = _written(tmp_path, f"* {'x' * 400}\n")
    folder = tmp_path / "many"
    folder.mkdir()
    (folder / "model.inc").write_text(".include ../model.inc\n" * 40, encoding="utf-8")
    monkeypatch.setattr(modelfile, "MAX_BYTES", 10_000)
    with pytest.raises(InputError, match="more than 10000 bytes"):
        read_library(folder / "model.inc", None)
    monkeypatch.setattr(modelfile, "MAX_BYTES", 300)
    path.touch()
    modelfile._read_once.cache_clear()
    with pytest.raises(InputError, match="more than 300 bytes"):
        read_library(path, None)


def test_the_hash_is_of_all_content_and_not_of_the_place(library, tmp_path):
    before = read_library(library, "tt").sha256
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (moved / "sub").mkdir()
    (moved / "other-name.lib").write_text(SECTIONS, encoding="utf-8")
    (moved / "sub" / "models.inc").write_text(CARD, encoding="utf-8")
    assert read_library(moved / "other-name.lib", "tt").sha256 == before
    assert read_library(library, "ss").sha256 != before
    (tmp_path / "sub" / "models.inc").write_text(CARD.replace("7e-9", "8e-9"), encoding="utf-8")
    os.utime(tmp_path / "sub" / "models.inc", (1, 1))
    assert read_library(library, "tt").sha256 != before
