"""An array written and read back is the same array."""

import gzip

import numpy as np
import pytest
from extracted_network import SECTION, network, spef
from parasitic_designs import approx, elements, graph_of, imported

from netlists.errors import InputError
from netlists.graph import array_graph, column_of
from netlists.parasitics.write import format_of, parasitics_text

FORMS = [("spef", "x.spef"), ("dspf", "x.dspf"), ("spice", "x.sp")]


@pytest.mark.parametrize(("form", "name"), FORMS)
@pytest.mark.parametrize(("rows", "columns", "cell", "wires"), [
    (4, 3, "n", {}), (1, 4, "n", {}), (5, 1, "p", {}), (1, 1, "n", {}), (3, 2, "resistive", {}),
    (3, 3, "n", {"word_line_resistance": "0 ohm", "bit_line_resistance": "0 ohm"}),
    (2, 2, "n", {"crossing_capacitance": "0 F", "word_line_capacitance": "0 F"}),
])  # fmt: skip
def test_the_same_elements_come_back(make_design, tmp_path, form, name, rows, columns, cell, wires):
    design = make_design(rows, columns, cell, wires=wires)
    graph = graph_of(design)
    again = imported(tmp_path, design, parasitics_text(design, graph, form), name)
    before, after = elements(graph), elements(graph_of(again))
    if cell == "resistive":
        before = {key: value for key, value in before.items() if not key[0].startswith("fg")}
    assert set(before) == set(after)
    assert after == approx(before, rel=1e-12, abs=0)
    for section in ("coupling", "wires"):  # and the means are what the design said
        assert dict(getattr(again, section)) == approx(dict(getattr(design, section)), rel=1e-9, abs=0)


@pytest.mark.parametrize(("form", "name"), FORMS)
def test_an_imported_array_with_inner_nodes_is_written_too(make_design, tmp_path, form, name):
    design = imported(tmp_path, make_design(3, 2), spef(network(3, 2)), **SECTION)
    graph = graph_of(design)
    assert any(net.count("_") == 3 for net in graph)
    again = imported(tmp_path, make_design(3, 2), parasitics_text(design, graph, form), name)
    kept = sorted(v for v in elements(graph).values())
    assert sorted(elements(graph_of(again)).values()) == approx(kept, rel=1e-12, abs=0)


def test_gzip_and_columns(make_design, tmp_path):
    design = make_design(3, 4)
    text = parasitics_text(design, graph_of(design), "dspf")
    again = imported(tmp_path, design, gzip.compress(text.encode()), "x.dspf.gz")
    for columns in (range(1), range(1, 3), range(3, 4)):
        parts = [elements(array_graph(d, np.full((3, 4), 0.5), columns)) for d in (design, again)]
        # a file's elements all touch the columns; which of those to a column beside are there may differ
        for a, b, _ in set(parts[0]) ^ set(parts[1]):
            assert (column_of(a) in columns) != (column_of(b) in columns)
        assert not set(parts[0]) - set(parts[1])
        both = set(parts[0]) & set(parts[1])
        assert {key: parts[1][key] for key in both} == approx({key: parts[0][key] for key in both}, rel=1e-12, abs=0)


def test_names_without_a_format_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"x\.txt.*\*\.spef"):
        format_of(tmp_path / "x.txt")
    with pytest.raises(InputError, match=r"x\.txt.*\*\.spef.*or \*\.yaml$"):
        format_of(tmp_path / "x.txt", ".yaml")
