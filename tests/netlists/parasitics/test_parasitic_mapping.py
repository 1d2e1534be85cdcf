"""Extracted nets onto the array: nodes at the cells, inner nodes, shared nodes; nothing wrong is accepted."""

import pytest
from extracted_network import SECTION, dspf, network
from parasitic_designs import approx, elements, graph_of, imported

from netlists.check import check_graph
from netlists.circuits.block import block_cards
from netlists.designfile import load_design
from netlists.errors import InputError
from netlists.parasitics.uniform import lines_of
from netlists.reduction import extracted

TEXT = dspf(network(2, 2))


def _refused(make_design, folder, text, says, size=(2, 2), **keys):
    with pytest.raises(InputError, match=says) as refused:
        imported(folder, make_design(*size), text, "x.dspf", **{**SECTION, **keys})
    assert "\n" not in str(refused.value) and "x.dspf:" in str(refused.value)


def _changed(old, new):
    assert old in TEXT
    return TEXT.replace(old, new)


@pytest.mark.parametrize(("old", "new", "says"), [
    ("top/BL<1>", "top/XL<1>", "XL<1>' matches no pattern.*ground"),
    ("VSS", "strap", "strap' matches no pattern"),
    ("WL[1]", "WL[7]", r"WL\[7\]' lies outside the array of 2x2"),
    ("XA/M1_1 D", "XA/M1_9 D", "M1_9' lies outside"),
    ("XA/M1_1:D XA/M1_1 D", "XA/M1_1:D XA/M0_1 D", "is two nodes"),
    ("XA/M1_1:D XA/M1_1 D", "XA/M1_1:D XA/M1_1 S", r"pin S of cell .* is on net 'top/BL<1>' instead of WL\[1\]"),
    ("XA/M1_1:D XA/M1_1 D", "XA/M1_1:D XB D", "has no pin D of cell XA/M1_1: the cell is missing"),
    ("*|S (WL[1]:1", "*|P (WL[1]:1", "has 2 ports"),
    ("*|NET VSS", "R1x WL[1]:1 XA/M1_1:S 3\n*|NET VSS", "closes a ring"),
    ("*|NET VSS", "R1x WL[1]:1 WL[0]:1 3\n*|NET VSS", "joins nets"),
    ("*|NET VSS", "R1x WL[1]:1 0 3\n*|NET VSS", "joins nets"),
    ("*|NET VSS", "C1x WL[1]:77 0 3a\n*|NET VSS", "no resistor joins node 'WL.1.:77'.*disconnected"),
])  # fmt: skip
def test_what_is_wrong_with_a_file_is_said(make_design, tmp_path, old, new, says):
    _refused(make_design, tmp_path, _changed(old, new), says)


def test_lines_without_a_port(make_design, tmp_path):
    text = _changed("*|P (WL[1] X", "*|S (WL[1] X")
    imported(tmp_path, make_design(2, 2), text, "x.dspf", **SECTION)  # the subcircuit's ports say it, too
    _refused(make_design, tmp_path, text.replace("+ WL[1]\n", ""), "has no port.*wl_driver")


def test_patterns_and_sizes_that_do_not_fit(make_design, tmp_path):
    _refused(make_design, tmp_path, TEXT, "lies outside the array of 1x2", (1, 2))
    _refused(make_design, tmp_path, TEXT, r"ends without net WL\[2\] of the 3x2 array", (3, 2))
    _refused(make_design, tmp_path, TEXT, "matches wl and ground", ground=["*"])
    _refused(make_design, tmp_path, TEXT, "cell is missing", cell="XB/M{i}_{j}")
    _refused(make_design, tmp_path, TEXT, "cell is missing", wl_pin="SRC")


@pytest.mark.parametrize(("keys", "says"), [
    ({"wl": "WL"}, "must hold {i} once"), ({"fg": "F{i}{j}"}, "separator"), ({"cell": "M{i}_{i}"}, "must hold"),
    ({"wl_pin": "D"}, "must differ"), ({"file": "no.spef"}, "no such file"), ({"first": 2}, "first"),
    ({"sha256": "0" * 64}, "restore it"), ({"negligible": 0.5}, "negligible"), ({"more": 1}, "unknown key"),
])  # fmt: skip
def test_sections_that_are_wrong(make_design, tmp_path, keys, says):
    with pytest.raises(InputError, match=says):
        imported(tmp_path, make_design(2, 2), TEXT, "x.dspf", **{**SECTION, **keys})


def test_rings_that_are_meant_conduct(make_design, tmp_path):
    text = _changed("*|NET VSS", "R1x WL[1] XA/M1_1:S 3\n*|NET VSS")
    plain, mesh = (imported(tmp_path, make_design(2, 2), t, "x.dspf", loops="allow", **SECTION) for t in (TEXT, text))
    before, after = lines_of(plain).word_ohms, lines_of(mesh).word_ohms
    assert (after[0] == before[0]).all()
    assert after[1, 1, 1] == approx(1 / (1 / before[1, 1, 1] + 1 / 3), rel=1e-9, abs=0)


def test_resistances_along_the_lines(make_design, tmp_path):
    line = network(3, 2).nets[1]
    trunk, stubs = line.resistors[0::2], line.resistors[1::2]
    ohms = lines_of(imported(tmp_path, make_design(3, 2), dspf(network(3, 2)), "x.dspf", **SECTION)).word_ohms[1]
    assert ohms[0, 1] == ohms[1, 0] == approx(trunk[0][2], rel=1e-9, abs=0)
    assert ohms[1, 1] == approx(trunk[0][2] + trunk[1][2] + stubs[1][2], rel=1e-9, abs=0)


def test_resistance_inside_a_gate_is_left_out_where_that_does_no_harm(make_design, tmp_path):
    net = next(net for net in network(2, 2).nets if net.name == "fg0.0")
    design = imported(tmp_path, make_design(2, 2), TEXT, "x.dspf", **SECTION)
    delay = extracted(design).gate_delay
    assert 0 < delay < 1e-13 and not any(net.startswith("fg") and net.count("_") > 2 for net in graph_of(design))
    slow = TEXT.replace(f"+ {net.resistors[0][2]!r} $layer", "+ 1G $layer")
    assert slow != TEXT
    with pytest.raises(InputError, match=r"x\.dspf: a floating gate.*t_edge"):
        graph_of(imported(tmp_path, make_design(2, 2), slow, "x.dspf", **SECTION))


def test_names_counted_from_one_and_drivers_by_instance(make_design, tmp_path):
    text = TEXT
    for k in (1, 0):
        text = text.replace(f"WL[{k}]", f"WL[{k + 1}]")
        text = text.replace(f"BL<{k}>", f"BL<{k + 1}>")
    for i, j in ((1, 1), (1, 0), (0, 1), (0, 0)):
        text = text.replace(f"M{i}_{j}", f"M{i + 1}_{j + 1}").replace(f"fg{i}.{j}", f"fg{i + 1}.{j + 1}")
    text = text.replace("*|P (WL[1] X", "*|I (WL[1] DRV1 OUT X")
    one = imported(tmp_path, make_design(2, 2), text, "y.dspf", first=1, wl_driver="DRV{i}", **SECTION)
    zero = imported(tmp_path, make_design(2, 2), TEXT, "x.dspf", **SECTION)
    assert elements(graph_of(one)) == elements(graph_of(zero))


def test_cells_on_one_node_and_lines_without_resistors_are_shorted_in_a_row(make_design, tmp_path):
    nets = ["*|DSPF 1", ".subckt a"]
    for i in range(2):
        nets += [f"*|NET WL_{i} 0", f"*|P (WL_{i} X)", *(f"*|I (M_{i}_{j}:S M_{i}_{j} S)" for j in range(3))]
        nets += [f"C{i} WL_{i} 0 {i + 1}f"]
    for j in range(3):
        nets += [f"*|NET BL_{j} 0", f"*|P (BL_{j} X)", f"*|I (BL_{j}:1 M_0_{j} D)", f"*|I (BL_{j}:1 M_1_{j} D)"]
        nets += [f"R{j} BL_{j} BL_{j}:1 {j + 1}"]
        nets += [line for i in range(2) for line in (f"*|NET FG_{i}_{j} 0", f"C{i}{j} FG_{i}_{j} WL_{i} 2a")]
    text = "\n".join([*nets, ".ends"])
    text = text.replace("*|I (BL_2:1 M_1_2 D)", "*|I (M_1_2:D M_1_2 D)\nRz BL_2:1 M_1_2:D 0")
    design = imported(tmp_path, make_design(2, 3), text, "x.dspf")
    graph = graph_of(design)
    check_graph(graph)
    found = elements(graph)
    assert found["wl_0_0", "wl_0_1", "Resistor"] == found["wl_0_1", "wl_0_2", "Resistor"] == 1e-6
    assert found["bl_1_0", "bl_1_1", "Resistor"] == found["bl_2_0", "bl_2_1", "Resistor"] == 1e-6
    assert found["0", "wl_1_0", "Capacitor"] == approx(2e-15, rel=1e-12, abs=0)
    assert found["fg_1_2", "wl_1_0", "Capacitor"] == approx(2e-18, rel=1e-12, abs=0)


def test_blocks_of_columns_hold_no_net_that_nothing_drives(make_design, tmp_path):
    far = "Cw1 fg0.3:1 WL[1]:1 1a\nCw2 fg0.3:1 fg0.0:1 1a\n.ENDS"
    design = imported(tmp_path, make_design(3, 5), dspf(network(3, 5)).replace(".ENDS", far), "x.dspf", **SECTION)
    text = block_cards(design, range(2, 4))
    nets = {net for line in text.splitlines() if line[0] in "RC" for net in line.split()[1:3]}
    assert {net.split("_", 2)[2] for net in nets if net.startswith("wl_")} == {"2", "3"}
    assert {net.split("_")[2] for net in nets if net.startswith("fg_")} <= {"1", "2", "3", "4"}
    assert not any(net.startswith("bl_") and net.split("_")[1] not in "23" for net in nets)


def test_other_sizes_are_uniform_and_the_same_size_is_the_file(make_design, tmp_path):
    design = imported(tmp_path, make_design(2, 2), TEXT, "x.dspf", **SECTION)
    assert design.resized(2, 2) == design
    larger = design.resized(8, 3)
    assert larger.parasitics is None and larger.coupling == design.coupling != make_design(2, 2).coupling
    assert graph_of(larger).number_of_nodes() > graph_of(design).number_of_nodes()


def test_the_file_is_found_beside_the_design(make_design, tmp_path, monkeypatch):
    imported(tmp_path, make_design(2, 2), TEXT, "x.dspf", **SECTION)
    monkeypatch.chdir("/")
    assert load_design(tmp_path / "design.yaml").parasitics.file == str(tmp_path / "x.dspf")
