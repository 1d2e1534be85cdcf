"""What extractors write is read: two formats of one network give one array; what is damaged or hostile is refused."""

import gzip
import time

import pytest
from extracted_network import SECTION, dspf, network, spef
from parasitic_designs import approx, elements, graph_of, imported

from netlists.designfile import dump_design, parse_design
from netlists.errors import InputError
from netlists.parasitics import content, textfile
from netlists.parasitics.imported import wiring
from netlists.parasitics.mapping import map_content
from netlists.parasitics.read import read_parasitics
from netlists.parasitics.section import Parasitics
from netlists.parasitics.spef import spef_number
from netlists.reduction import array_wiring
from netlists.spice_number import spice_number

TEXTS = {"x.spef": spef(network(2, 2)), "x.dspf": dspf(network(2, 2))}


@pytest.mark.parametrize("size", [(2, 2), (3, 2), (1, 3), (4, 1)])
def test_both_formats_of_a_network_give_the_same_array(make_design, tmp_path, size):
    given = network(*size)
    files = {"x.spef": spef(given), "x.dspf": dspf(given), "x.spef.gz": gzip.compress(spef(given).encode())}
    designs = [imported(tmp_path, make_design(*size), text, name, **SECTION) for name, text in files.items()]
    graphs = [elements(graph_of(design)) for design in designs]
    assert graphs[0] == approx(graphs[1], rel=1e-12, abs=0)
    assert graphs[0] == graphs[2]
    # ohms as the network says: the stub to the first cell of the first word line
    line = given.nets[0]
    stub = [v for key, v in graphs[0].items() if "wl_0_0" in key and key[-1] == "Resistor"]
    assert stub == approx([line.resistors[1][2]], rel=1e-12, abs=0)
    farads = sum(v for key, v in graphs[0].items() if key[-1] == "Capacitor")
    held = [v for net in given.nets for *_, v in net.capacitors] + [v for *_, v in given.couplings]
    assert farads == approx(sum(held), rel=1e-12, abs=0)


def test_foreign_nets_are_ground_and_noted(make_design, tmp_path):
    design = imported(tmp_path, make_design(2, 2), TEXTS["x.dspf"], "x.dspf", **SECTION)
    notes = " ".join(array_wiring(design).notes)
    assert "VSS count as capacitance to ground" in notes and "1 devices" in notes
    # the gate has its own capacitance to ground and that to the shield
    given = network(2, 2)
    own = sum(value for *_, value in next(net for net in given.nets if net.name == "fg0.0").capacitors)
    shield = next(v for a, b, v in given.couplings if (a, b) == ("XA/M0_0:G", "VSS:1"))
    assert elements(graph_of(design))["0", "fg_0_0", "Capacitor"] == approx(own + shield, rel=1e-12, abs=0)


@pytest.mark.parametrize(("text", "value"), [
    ("1", 1.0), ("12.3FF", 12.3e-15), ("1MEG", 1e6), ("5m", 5e-3), ("3.3Pf", 3.3e-12), ("2mil", 50.8e-6),
    ("1e-15", 1e-15), (".5a", 0.5e-18), ("7ohm", 7.0), ("-1", -1.0), ("x", None), ("1_0", None), ("nan", None),
    ("", None), ("1e", 1.0),
])  # fmt: skip
def test_numbers_of_spice(text, value):
    assert spice_number(text) == (value if value is None else approx(value, rel=1e-15, abs=0))


@pytest.mark.parametrize(
    ("text", "value"), [("1", 1), ("1:2:3", 2), ("1:2", None), ("1k", None), ("inf", None), ("1e-3", 1e-3)]
)
def test_numbers_of_spef(text, value):
    assert spef_number(text) == value


DAMAGE = [
    ("x.spef", '*SPEF "IEEE', '*NOSPEF "IEEE', "SPEF"),
    ("x.spef", "*C_UNIT 1.0 PF", "*C_UNIT 1.0 PX", r":9: \*C_UNIT"),
    ("x.spef", "*C_UNIT 1.0 PF", "*C_UNIT 1.0 PF\n*C_UNIT 1.0 FF", r":10: .*twice"),
    ("x.spef", "*C_UNIT 1.0 PF\n", "", "before any .C_UNIT"),
    ("x.spef", "*NAME_MAP\n", "*NAME_MAP\n*1 other\n", "mapped twice"),
    ("x.spef", "*D_NET *1 ", "*D_NET *999 ", "not in the name map"),
    ("x.spef", "*D_NET *1 ", "*R_NET *1 ", "distributed"),
    ("x.spef", "*CAP // ground", "*INDUC\n1 *1 *2 3\n*CAP // ground", "inductors"),
    ("x.spef", "/* the\nend */", "/* the\nend", "never ends"),
    ("x.spef", "*NAME_MAP", "*DEFINE x y\n*NAME_MAP", "hierarchical"),
    ("x.dspf", "*|NET WL[1]", ".include /etc/passwd\n*|NET WL[1]", "nothing is executed"),
    ("x.dspf", "*|NET WL[1]", ".control\n*|NET WL[1]", "nothing is executed"),
    ("x.dspf", "*|NET WL[1]", "Bx a b v=1\n*|NET WL[1]", "no resistor"),
    ("x.dspf", "*|NET WL[1]", "R1 WL[1] a {1+1}\n*|NET WL[1]", "no number"),
    ("x.dspf", "*|NET WL[1]", "R1 WL[1] a 5 m=3\n*|NET WL[1]", "not understood"),
    ("x.dspf", "*|NET WL[1]", "R1 WL[1]\n*|NET WL[1]", "two nodes"),
    ("x.dspf", "*|NET WL[1]", "R1 WL[1] a -5\n*|NET WL[1]", "negative"),
    ("x.dspf", "*|NET WL[1]", "C1 WL[1] 0 1e300\n*|NET WL[1]", "beyond"),
    ("x.dspf", "*|NET WL[1]", ".subckt b c\n*|NET WL[1]", "flat"),
    ("x.dspf", ".ENDS", "", "cut short"),
    ("x.dspf", ".SUBCKT array WL[0]", "* x", "outside of .subckt"),
    ("x.dspf", "*|NET WL[1] ", "*|NET WL[1] x", "no number"),
    ("x.dspf", "*|NET WL[1] ", "*|NET WL[1] 1", "states .*its capacitors hold.*extract again"),
    ("x.dspf", "*|NET WL[1] ", "*|NET WL[1] -", "total capacitance -"),
    ("x.spef", "*D_NET *1 ", "*D_NET *1 1", "states .*its capacitors hold.*extract again"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new", "says"), DAMAGE)
def test_damaged_and_hostile_files_are_refused_with_the_line(tmp_path, name, old, new, says):
    assert old in TEXTS[name]
    path = tmp_path / name
    path.write_text(TEXTS[name].replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError, match=says) as refused:
        read_parasitics(path)
    assert str(refused.value).startswith(f"{path}:") and "\n" not in str(refused.value)
    assert str(refused.value)[len(f"{path}:") :].split(":")[0].isdigit()


@pytest.mark.parametrize("name", TEXTS)
def test_every_cut_is_noticed(tmp_path, name):
    """A file cut short anywhere inside is refused by the reader (between two nets of SPEF: by the mapping)."""
    path, lines = tmp_path / name, TEXTS[name].rstrip().splitlines()
    last = len(lines) - (3 if name == "x.spef" else 1)
    for count in range(1, last, 7):
        path.write_text("\n".join(lines[:count]) + "\n", encoding="utf-8")
        try:
            held = read_parasitics(path)
        except InputError:
            continue
        assert lines[count - 1] in ("*END", "")
        with pytest.raises(InputError, match=r"without net|no section of its own"):
            map_content(Parasitics(file="x", **SECTION), held, 2, 2, True)


def test_contradicting_couplings_are_refused_and_equal_ones_count_once(tmp_path):
    head = '*SPEF "x"\n*C_UNIT 1 FF\n*R_UNIT 1 OHM\n'
    body = "*D_NET a 0\n*CAP\n1 a:1 b:1 5\n2 a:1 b:1 1\n*END\n*D_NET b 0\n*CAP\n1 b:1 a:1 {}\n*END\n"
    path = tmp_path / "x.spef"
    path.write_text(head + body.format(6), encoding="utf-8")
    assert sum(branch.value for branch in read_parasitics(path).capacitors) == approx(6e-15, rel=1e-12, abs=0)
    path.write_text(head + body.format(5), encoding="utf-8")
    with pytest.raises(InputError, match=r":11: coupling .* line 6"):
        read_parasitics(path)


def test_comments_of_spef_end_where_they_end(tmp_path):
    path = tmp_path / "x.spef"
    text = '*SPEF "x//y /*" // c\n*C_UNIT /* a */ 1 /**//* b */ FF//x\n/* *R_UNIT 1 KOHM\n*/*R_UNIT 1 OHM\n'
    path.write_text(text.replace("FF//x", "FF //x") + "*D_NET a//b 2\n*CAP\n1 a//b:1 2\n*END\n", encoding="utf-8")
    held = read_parasitics(path)
    assert list(held.nets) == ["a//b", "0"] and held.capacitors[0].value == approx(2e-15, rel=1e-12, abs=0)
    path.write_text(text.replace("FF//x", "FF") + ("*/ /* " * 10_000 + "\n") * 11, encoding="utf-8")
    began = time.perf_counter()
    with pytest.raises(InputError, match="comments"):
        read_parasitics(path)
    assert time.perf_counter() - began < 10


def test_a_design_of_millions_of_cells_is_refused_at_once(make_design, tmp_path):
    with pytest.raises(InputError, match=r"without net WL\[2\] of the 4096x4096 array"):
        imported(tmp_path, make_design(4096, 4096), TEXTS["x.spef"], **SECTION)


def test_bombs_are_refused_in_bounded_time_and_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(textfile, "MAX_BYTES", 200_000)
    monkeypatch.setattr(content, "MAX_ELEMENTS", 100)
    packed, plain = tmp_path / "x.spef.gz", tmp_path / "x.spef"
    packed.write_bytes(gzip.compress(TEXTS["x.spef"].encode() + b"// x\n" * 100_000))
    with pytest.raises(InputError, match="unpacked"):
        read_parasitics(packed)
    packed.write_bytes(gzip.compress(bytes(5_000_000)))
    with pytest.raises(InputError, match=":1: longer"):
        read_parasitics(packed)
    packed.write_bytes(gzip.compress(TEXTS["x.spef"].encode())[:-200])
    with pytest.raises(InputError, match="damaged gzip"):
        read_parasitics(packed)
    with plain.open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(InputError, match="larger"):
        read_parasitics(plain)
    plain.write_text(spef(network(6, 6)), encoding="utf-8")
    with pytest.raises(InputError, match="more than 100 elements"):
        read_parasitics(plain)


def test_another_file_than_the_one_of_the_design_is_refused(make_design, tmp_path):
    design = imported(tmp_path, make_design(2, 2), TEXTS["x.spef"], **SECTION)
    kept = parse_design(dump_design(design), "kept")
    assert kept == design and kept.hash == design.hash != make_design(2, 2).hash
    moved = imported(tmp_path, make_design(2, 2), TEXTS["x.spef"], "moved.spef", **SECTION)
    assert moved.hash == design.hash
    (tmp_path / "x.spef").write_text(TEXTS["x.spef"].replace("made by hand", "made by another hand"), encoding="utf-8")
    wiring.cache_clear()
    with pytest.raises(InputError, match=r"x\.spef.*restore"):
        wiring(kept.parasitics, 2, 2, True)
