"""Process stacks: the built-in one, files of the user's own, and errors that name the line."""

from __future__ import annotations

from importlib import resources

import pytest

from netlists.errors import InputError
from netlists.stack import builtin_stacks, load_stack, parse_stack

TEXT = (resources.files("netlists") / "stacks" / "generic180.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", builtin_stacks())
def test_built_in_stacks_are_whole(name):
    stack = load_stack(name)
    assert stack.name == name
    for cut in stack.cuts:
        for lower in cut.lower:
            bottom, top = stack.extent(cut.name, lower)
            assert bottom == stack.layer(lower).top < top == stack.layer(cut.upper).height


def test_generic180_has_the_cited_numbers():
    stack = load_stack("generic180")
    metal1 = stack.layer("metal1")
    assert (metal1.height, metal1.thickness, metal1.sheet_resistance) == (1.23e-6, 0.55e-6, 0.09)
    assert (stack.layer("metal2").height, stack.poly.height, stack.poly.thickness) == (2.38e-6, 0.32e-6, 0.2e-6)
    assert (stack.cut("via1").resistance, stack.permittivity) == (4.5, 4.0)
    assert stack.epsilon == pytest.approx(35.42e-12, rel=1e-4, abs=0)


def test_a_stack_file_is_looked_for_beside_the_design(tmp_path):
    (tmp_path / "mine.yaml").write_text(TEXT.replace("permittivity: 4.0", "permittivity: 3.9"), encoding="utf-8")
    stack = load_stack("mine.yaml", tmp_path)
    assert stack.permittivity == 3.9 and stack.hash != load_stack("generic180").hash
    renamed = parse_stack(TEXT.replace("name: generic180", "name: other"), "x")
    assert renamed.hash == load_stack("generic180").hash


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("height: 2.38 um", "height: 2.38", r"x:14: layers\.3\.height: needs a unit"),
        ("name: via2, gds: 7", "name: via2, gds: 5", "two layers or cuts have the gds 5"),
        ("name: via2,", "name: via1,", "two layers or cuts have the name 'via1'"),
        ("upper: metal3", "upper: metal9", "cut via2: no layer is named 'metal9'"),
        ("height: 3.53 um", "height: 2.53 um", "cut via2: metal2 does not end below metal3"),
        ("kind: poly", "kind: metal", "layers: exactly one must be of kind poly"),
        ("grid: 5 nm", "grid: 0.5 nm", r"grid 0.5 nm is no whole number of nanometres"),
        ("permittivity: 4.0", "permitivity: 4.0", "permitivity: unknown key|permittivity: missing"),
        ("size: 0.22 um,", "size: -0.22 um,", r"cuts\.0\.size"),
        ("poly_to_diffusion: 0.10 um", "poly_to_diffusion: 0.10 V", "transistor.poly_to_diffusion: has unit 'V'"),
    ],
)
def test_errors_name_file_key_and_remedy(old, new, message):
    assert TEXT.count(old) == 1
    with pytest.raises(InputError, match=message) as caught:
        parse_stack(TEXT.replace(old, new), "x")
    assert str(caught.value).startswith("x:") and "\n" not in str(caught.value)


@pytest.mark.parametrize("source", ["no_such", "no_such.yaml", "../../etc/passwd", ""])
def test_unknown_stacks_are_refused(source, tmp_path):
    with pytest.raises(InputError, match="neither a stack file"):
        load_stack(source, tmp_path)
