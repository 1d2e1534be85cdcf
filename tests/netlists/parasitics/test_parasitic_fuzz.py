"""Altered files: an array or one line that names file and line; nothing else, and no waiting."""

import time

from conftest import _make_design
from extracted_network import SECTION, dspf, network, spef
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netlists.errors import InputError
from netlists.graph import array_graph
from netlists.parasitics.mapping import map_content
from netlists.parasitics.read import read_parasitics
from netlists.parasitics.section import Parasitics
from netlists.parasitics.write import parasitics_text

FILES = [spef(network(2, 2)), dspf(network(2, 2))]
OWN = []
WORDS = [
    "*1", "*1:1", "*999999999999", "0", "-1", "1e308", "1e-400", "nan", "*END", "*CAP", "*D_NET", "*|NET", "*|I",
    ".ends", ".include", "+", "(", "\\", "\\\\", "/*", "//", '"', "WL[0]", "WL[0]:1", "VSS", "XA/M0_0:S", ":", "::",
    "a:", ":a", "*", "*|", ".", "é", "\u2028", "\0", "R1 a b 1", "x" * 600, "1:2:3", "$", ";", "{1}", "*NAME_MAP",
    "*C_UNIT 1 FF",
]  # fmt: skip
HEADS = [b"", b'*SPEF "x"\n', b"*|DSPF 1\n.subckt a\n", b"\x1f\x8b\x08"]


@st.composite
def altered(draw, texts):
    """A file with lines and words exchanged, repeated, left out or replaced, or bytes changed."""
    lines = draw(st.sampled_from(texts)).splitlines()
    for _ in range(draw(st.integers(1, 4))):
        at, other = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        kind = draw(st.sampled_from(["drop", "swap", "copy", "word", "word", "add", "cut", "join"]))
        words = lines[at].split(" ")
        place = draw(st.integers(0, len(words) - 1))
        if kind == "drop" and len(lines) > 1:
            del lines[at]
        elif kind == "swap":
            lines[at], lines[other] = lines[other], lines[at]
        elif kind == "copy":
            lines[at:at] = [lines[other]] * draw(st.integers(1, 3))
        elif kind in ("word", "add"):
            words[place : place + (kind == "word")] = [draw(st.sampled_from(WORDS) | st.text(max_size=6))]
            lines[at] = " ".join(words)
        elif kind == "cut":
            lines = lines[: at + 1]
        else:
            lines[at] += lines[other]
    content = bytearray("\n".join(lines).encode("utf-8", "surrogatepass"))
    if draw(st.integers(0, 4)) == 0:
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(content)


def _check(path, content, section):
    path.write_bytes(content)
    began = time.perf_counter()
    try:
        found = map_content(section, read_parasitics(path), 2, 2, True)
    except InputError as error:
        text = str(error)
        assert text.startswith(f"{path}:") and "\n" not in text and len(text) < len(str(path)) + 500
        assert text[len(f"{path}:") :].split(":")[0].isdigit(), text
    else:
        nets = {net for a, b, _ in found.edges for net in (a, b)}
        assert {f"wl_{i}_{j}" for i in range(2) for j in range(2)} <= nets
        assert {f"bl_{j}_{i}" for i in range(2) for j in range(2)} <= nets
        assert all(net == "0" or net.replace("_", "").isalnum() for net in nets)
        assert all(0 < getattr(e, "ohms", getattr(e, "farads", 0)) < 1e16 for *_, e in found.edges)
    assert time.perf_counter() - began < 20


@settings(max_examples=150, suppress_health_check=list(HealthCheck), deadline=None)
@given(content=altered(FILES))
def test_altered_files_of_extractors(tmp_path, content):
    _check(tmp_path / "x", content, Parasitics(file="x", **SECTION))


@settings(max_examples=100, suppress_health_check=list(HealthCheck), deadline=None)
@given(data=st.data())
def test_altered_files_of_our_own(tmp_path, data):
    if not OWN:
        design = _make_design(2, 2)
        graph = array_graph(design, [[0.5] * 2] * 2)
        OWN.extend(parasitics_text(design, graph, form) for form in ("spef", "dspf", "spice"))
    _check(tmp_path / "x", data.draw(altered(OWN)), Parasitics(file="x"))


@settings(max_examples=100, suppress_health_check=list(HealthCheck), deadline=None)
@given(content=st.binary(max_size=300), head=st.sampled_from(HEADS))
def test_any_bytes(tmp_path, content, head):
    _check(tmp_path / "x", head + content, Parasitics(file="x"))


def test_the_unaltered_files_are_read(tmp_path):
    for k, text in enumerate(FILES):
        (tmp_path / f"{k}").write_text(text, encoding="utf-8")
        assert map_content(Parasitics(file="x", **SECTION), read_parasitics(tmp_path / f"{k}"), 2, 2, True).edges
