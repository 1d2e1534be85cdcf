"""Designs: the hash that names a simulation, and the voltages that follow from the cell."""

import copy

import pytest
from pydantic import ValidationError

from netlists.design import Design
from netlists.designfile import dump_design, load_design, parse_design

CELLS = ("n", "p", "resistive")


def _leaves(data, path=()):
    for key, value in data.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def _other(value):
    """A valid value that differs a little from ``value``."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value - 1
    number, unit = value.split()
    return f"{float(number) * (1 + 1e-12)!r} {unit}"


@pytest.mark.parametrize("cell", CELLS)
def test_round_trip_keeps_design_and_hash(make_design, cell):
    design = make_design(5, 3, cell, read={"temperature": "-40.1 degC", "voltage": "1.1999999 V"})
    again = parse_design(dump_design(design), "again")
    assert again == design
    assert again.hash == design.hash


def test_hash_changes_with_every_number(make_design):
    design = make_design(3, 2)
    data = design.model_dump(mode="json", exclude={"name", "notes", "levels", "layout"}, exclude_none=True)
    seen = {design.hash}
    leaves = [(path, value) for path, value in _leaves(data) if path[-1] not in ("idle", "kind", "channel")]
    assert len(leaves) > 25
    for path, value in leaves:
        changed = copy.deepcopy({"name": "test", **data})
        section = changed
        for key in path[:-1]:
            section = section[key]
        section[path[-1]] = _other(value)
        seen.add(Design.model_validate(changed).hash)
    assert len(seen) == len(leaves) + 1


def test_hash_changes_with_the_kind_of_cell(make_design):
    assert len({make_design(3, 2, cell).hash for cell in CELLS}) == 3


def test_hash_ignores_name_notes_levels_and_layout(make_design):
    design, layout = make_design(3, 2), load_design("default").layout
    levels = make_design(levels={"ser": "1 dB"}).levels
    update = {"name": "other", "notes": "text", "levels": levels, "layout": layout}
    assert layout is not None and design.model_copy(update=update).hash == design.hash


@pytest.mark.parametrize(("cell", "idle", "active"), [("n", 1.2, 0.0), ("p", 0.0, 1.2), ("resistive", 1.2, 0.0)])
def test_read_voltages(make_design, cell, idle, active):
    design = make_design(3, 2, cell)
    assert (design.v_idle, design.v_active) == (idle, active)


def test_designs_are_immutable(make_design):
    with pytest.raises(ValidationError):
        make_design().read.voltage = 1.0


def test_resized_changes_the_size_only(make_design):
    assert make_design(3, 2).resized(7, 5) == make_design(7, 5)


@pytest.mark.parametrize(
    "name", ["a\n.include x", "a\n", "", " a", "a b", "../x", "x;y", "$x", "ä", "a" * 65, ".x", "-x"]
)
def test_hostile_names_are_refused(make_design, name):
    with pytest.raises(ValidationError):
        Design.model_validate({**make_design().model_dump(mode="json"), "name": name})
