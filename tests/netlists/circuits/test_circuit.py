"""The circuit of a graph: parameters on top, one subcircuit for the cell, and nothing that a name could smuggle in."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from netlists.circuits.circuit import array_circuit
from netlists.elements import Capacitor, Resistor
from netlists.errors import InputError
from netlists.graph import array_graph


def _lines(design, duration=None, cells=None):
    size = (design.array.rows, design.array.columns)
    cells = np.full(size, 1e-6 if design.cell.kind == "resistive" else 1.0) if cells is None else cells
    duration = np.full(size[0], design.read.t_max) if duration is None else np.asarray(duration)
    return str(array_circuit(design, array_graph(design, cells), duration)).splitlines()


def _parameters(lines):
    pairs = (re.fullmatch(r"\.param (\w+)=(.+)", line).groups() for line in lines if line.startswith(".param"))
    return {name: float(value) for name, value in pairs}


def _starting(lines, prefix):
    return [line for line in lines if line.startswith(prefix)]


def test_parameters_stand_at_the_top(make_design):
    lines = _lines(make_design(4, 3))
    kinds = ["p" if line.startswith(".param") else "x" for line in lines[1:]]
    assert lines[0].startswith(".title")
    assert "".join(kinds) == "p" * kinds.count("p") + "x" * kinds.count("x")


@pytest.mark.parametrize(("cell", "bulk"), [("n", 0.0), ("p", 1.2), ("resistive", 0.0)])
def test_parameters_are_those_of_the_design(make_design, cell, bulk):
    design = make_design(4, 3, cell)
    values = _parameters(_lines(design, [0, 5e-9, 1e-9, 2e-7]))
    assert values["v_bulk"] == bulk  # a p-channel cell's bulk at 0 would conduct from an active word line
    assert (values["v_idle"], values["v_active"]) == (design.v_idle, design.v_active)
    assert [values[f"t_{i}"] for i in range(4)] == [0, 5e-9, 1e-9, 2e-7]
    assert values["t_edge"] == design.read.t_edge


def test_cells_are_instances_of_one_subcircuit(make_design):
    cells = np.arange(1.0, 7.0).reshape(3, 2) / 10
    lines = _lines(make_design(3, 2), cells=cells)
    instances = _starting(lines, "X")
    assert len(instances) == 6
    assert len(_starting(lines, ".subckt")) == len(_starting(lines, ".model")) == 1
    for line in instances:
        name, bl, fg, wl, sub, kind, vfg = line.split()
        i, j = (int(k) for k in name[1:].split("_"))
        assert (bl, fg, wl, sub, kind) == (f"bl_{j}_{i}", f"fg_{i}_{j}", f"wl_{i}_{j}", "sub", "fgcell")
        assert float(vfg.removeprefix("vfg=")) == cells[i, j]


@pytest.mark.parametrize("cell", ["n", "p", "resistive"])
def test_every_element_of_the_graph_is_in_the_circuit_with_its_value(make_design, cell):
    design = make_design(4, 3, cell)
    graph = array_graph(design, np.full((4, 3), 1e-6 if cell == "resistive" else 1.0))
    lines = _lines(design)
    parameters = _parameters(lines)
    found = {}
    for line in lines:
        if line[0] in "RC" and not line.startswith(("Rq", "Cq")):
            name, a, b, value = line.split()
            number = parameters[value[1:-1]] if value.startswith("{") else float(value)
            found[name] = (frozenset((a, b)), number)
    expected = {}
    for a, b, element in graph.edges(data="element"):
        if isinstance(element, Resistor):
            expected[f"R{element.name}"] = (frozenset((a, b)), element.ohms)
        elif isinstance(element, Capacitor):
            expected[f"C{element.name}"] = (frozenset((a, b)), element.farads)
    assert found == expected


def test_a_capacitor_that_differs_from_its_group_keeps_its_value(make_design):
    design = make_design(3, 2)
    graph = array_graph(design, np.ones((3, 2)))
    graph.edges["wl_1_1", "0", "wl_1_1"]["element"] = Capacitor("wl_1_1", 7e-15)
    lines = str(array_circuit(design, graph, np.zeros(3))).splitlines()
    assert _starting(lines, "Cwl_1_1 ") == ["Cwl_1_1 wl_1_1 0 7e-15"]
    assert _starting(lines, "Cwl_0_1 ") == ["Cwl_0_1 wl_0_1 0 {c_wl_line}"]


def test_a_zero_wire_is_a_voltage_source_of_zero(make_design):
    lines = _lines(make_design(2, 2, wires={"bit_line_resistance": "0 ohm"}))
    assert [line.split()[-1] for line in _starting(lines, "Vbl_")] == ["0", "0"]
    assert len(_starting(lines, "Rbl_")) == 2  # the column switches


def test_idle_rows_have_no_pulse(make_design):
    lines = _lines(make_design(3, 2), [0, 5e-9, 0])
    assert ["PULSE" in line for line in _starting(lines, "Vdrv")] == [False, True, False]


def test_durations_out_of_range_are_refused(make_design):
    with pytest.raises(InputError, match=r"duration\[1\]"):
        _lines(make_design(3, 2), [0, 1e-12, 0])


@given(name=st.text(st.characters(codec="utf-8"), max_size=20) | st.from_regex(r"[\w.\-+*$;\n ]{1,20}"))
def test_a_name_is_refused_or_stays_in_the_title(make_design, name):
    plain = make_design(2, 1)
    try:
        named = type(plain).model_validate({**plain.model_dump(mode="json"), "name": name})
    except ValidationError:
        return
    title, *rest = _lines(named)
    assert title.startswith(f".title fgcosim array {name} 2x1")
    assert rest == _lines(plain)[1:]
