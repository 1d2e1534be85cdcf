"""Study files and their points: what they say, and one line that names file, key and remedy for what is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cosim.commands.parasitics import write_parasitics
from cosim.errors import InputError
from cosim.study.parameters import changed, require_effect, text_of, unit_of, value_of
from cosim.study.points import points_of
from cosim.study.studyfile import load_study
from netlists.designfile import dump_design, load_design
from netlists.extraction.extract import extract
from netlists.layout.drawing import draw
from netlists.layout.rules import check
from tests.cosim.study.small_study import study_of, write_study
from tests.small_designs import small_design


def test_a_grid_is_every_combination(tmp_path):
    grid = {"array.mirrored": [True, False], "layout.row_pitch": ["1.7 um", "2 um", "2.3 um"]}
    _, points = study_of(tmp_path, grid=grid)
    found = [(p.design.array.mirrored, p.design.layout.row_pitch) for p in points.points]
    assert found == [(m, p) for m in (True, False) for p in (1.7e-6, 2e-6, 2.3e-6)]
    assert points.points[3].name == "mirrored-no_row_pitch-1.7um"
    assert all(p.design.array.rows == 4 for p in points.points)
    assert len({p.name for p in points.points}) == 6


def test_points_keep_their_names_and_base(tmp_path):
    shield = {"layer": "metal1", "width": "0.23 um"}
    listed = [{"name": "open"}, {"name": "shielded", "set": {"layout.shield": shield, "layout.row_pitch": "2 um"}}]
    _, points = study_of(tmp_path, grid=None, points=listed)
    assert [p.name for p in points.points] == ["open", "shielded"]
    assert points.parameters == ("layout.shield", "layout.row_pitch")
    assert points.points[0].design.layout.shield is None
    assert points.points[1].design.layout.shield.width == 0.23e-6


def test_null_takes_an_optional_section_away():
    design = changed(load_design("default"), {"layout.floating_gate.extension": None})
    assert design.layout.floating_gate.extension is None


def test_values_have_units_and_texts():
    design = load_design("default")
    assert (unit_of("layout.row_pitch"), unit_of("read.temperature"), unit_of("array.rows")) == ("m", "K", "")
    assert value_of(design, "wires.switch_resistance") == 3000
    assert text_of(value_of(design, "layout.word_line"), "layout.word_line") == "metal1 0.23 µm 0.23 µm"


def test_exactly_what_an_extraction_gives_is_refused():
    base = load_design("default")
    extraction = extract(base, mode="analytic")
    given = {f"coupling.{name}" for name in extraction.coupling()} | {f"wires.{name}" for name in extraction.wires()}
    refused = set()
    for path in (f"{section}.{name}" for section in ("coupling", "wires") for name in dict(getattr(base, section))):
        try:
            require_effect(path, base, "field")
        except InputError:
            refused.add(path)
    assert refused == given


WRONG = {
    "unknown key": ({"grids": {}}, r"grids: unknown key"),
    "no points": ({"grid": None}, r"give either a grid.*or points"),
    "both": ({"points": [{"name": "a"}]}, r"give either a grid"),
    "one value": (
        {"grid": {"layout.row_pitch": ["1.4 um"]}},
        r"grid\.layout\.row_pitch: needs at least 2 values, not 1: add",
    ),
    "misspelt section": (
        {"grid": {"layout.shield": [None, {"laier": "metal1", "width": "1 um"}]}},
        r"laier: .*write layer",
    ),
    "raw value": ({"grid": {"wires.switch_resistance": ["1 kohm", "-2 kohm"]}}, r"than 0, not '-2 kohm'"),
    "unknown section": ({"grid": {"lay.row_pitch": ["1.4 um", "1.6 um"]}}, r"lay\.row_pitch: .*a design has array"),
    "unknown parameter": ({"grid": {"layout.pitch": ["1 um", "2 um"]}}, r"layout has .*row_pitch.*correct the path"),
    "too deep": ({"grid": {"array.rows.all": [4, 8]}}, r"array\.rows has no parts"),
    "overwritten": ({"grid": {"coupling.bit_line": ["1 aF", "2 aF"]}}, r"overwritten by the extraction.*none"),
    "overwritten wires": ({"grid": {"wires.bit_line_resistance": ["1 ohm", "2 ohm"]}}, r"overwritten"),
    "layout alone": ({"extraction": "none"}, r"row_pitch: changes no circuit.*field or analytic"),
    "label": ({"grid": {"levels.ser": ["40 dB", "50 dB"]}}, r"levels\.ser: decides no result.*'set:'"),
    "dummies": ({"grid": {"layout.dummy_rows": [0, 2]}}, r"dummies do not reach"),
    "no unit": ({"grid": {"layout.row_pitch": ["1.4 um", 1.6]}}, r"point row_pitch-1.6: .*needs a unit"),
    "equal": ({"grid": {"layout.row_pitch": ["1.4 um", "1400 nm"]}}, r"are the same design: remove one"),
    "same name": ({"grid": None, "points": [{"name": "a"}, {"name": "A", "set": {"array.rows": 6}}]}, r"given twice"),
    "bad name": ({"grid": None, "points": [{"name": "../a"}]}, r"points\.0\.name"),
    "no section": ({"grid": {"layout.shield.width": ["1 um", "2 um"]}}, r"no layout\.shield: add it there"),
    "no pairs": (
        {"grid": {"array.columns": [1, 2]}, "network": {"seeds": 1}},
        r"point columns-1: .*at least 2",
    ),
    "overwritten set": ({"set": {"coupling.bit_line": "500 aF"}}, r"set: overwritten by the extraction"),
    "no base": ({"base": "nothing.yaml"}, r"nothing\.yaml: no such design file"),
    "seeds": ({"network": {"seeds": -1}}, r"network\.seeds"),
    "runs": ({"campaign": {"fit": 0}}, r"campaign\.fit"),
    "mode": ({"extraction": "fast"}, r"extraction: .*'field', 'analytic' or 'none'"),
    "no stack": ({"grid": {"layout.stack": ["generic180", "a.yaml"]}}, r"stack: .a.yaml. is neither"),
    "programming": ({"programming": "all"}, r"programming: .*'each' or 'nominal'"),
    "programmed before": ({"programming": "nominal"}, r"layout\.row_pitch: cannot differ from the programmed array"),
    "nothing drawn": ({"set": {"layout": None}, "grid": {"array.rows": [4, 6]}}, r"no section layout: add one"),
    "bad set": ({"set": {"layout.row_pich": "1 um"}}, r"set: .*layout has"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_studies_are_one_line(tmp_path, case):
    changes, message = WRONG[case]
    with pytest.raises(InputError) as caught:
        study_of(tmp_path, **changes)
    text = str(caught.value)
    assert re.search(message, text) and "\n" not in text
    assert "study.yaml" in text or case == "no base"


def test_one_column_needs_no_pairs_without_a_network(tmp_path):
    _, points = study_of(tmp_path, grid={"array.columns": [1, 2]})
    assert [point.design.array.columns for point in points.points] == [1, 2]


def test_sections_of_ones_own_model_are_points(tmp_path):
    card = ".model own nmos level=8 version=3.3.0 vth0={}\n"
    library = "".join(f".lib {name}\n{card.format(vth)}.endl {name}\n" for name, vth in (("tt", 0.6), ("ss", 0.65)))
    (tmp_path / "own.lib").write_text(library, encoding="utf-8")
    model = {"file": "own.lib", "section": "tt", "name": "own"}
    corners = {"cell.model.section": ["tt", "ss"]}
    _, points = study_of(tmp_path, set={"array.rows": 4, "array.columns": 2, "cell.model": model}, grid=corners)
    hashes = [point.design.cell.model.sha256 for point in points.points]
    assert [point.design.cell.model.section for point in points.points] == ["tt", "ss"]
    assert all(hashes) and len({point.design.hash for point in points.points}) == 2


def test_extracted_files_decide_wires(tmp_path):
    base = load_design("default").resized(4, 2)
    write_parasitics(base, tmp_path / "array.spef")
    (tmp_path / "base.yaml").write_text(dump_design(base) + "parasitics: {file: array.spef}\n", encoding="utf-8")
    temperatures = {"read.temperature": ["27 degC", "60 degC"]}
    _, points = study_of(tmp_path, base="base.yaml", set=None, grid=temperatures, extraction="none")
    assert len(points.points) == 2
    other = base.model_copy(update={"coupling": base.coupling.model_copy(update={"bit_line": 150e-18})})
    write_parasitics(other, tmp_path / "other.spef")
    files = {"parasitics.file": ["array.spef", "other.spef"]}
    _, points = study_of(tmp_path, base="base.yaml", set=None, grid=files, extraction="none")
    hashes = [point.design.parasitics.sha256 for point in points.points]
    assert len({point.design.hash for point in points.points}) == len(set(hashes)) == 2 and all(hashes)
    coupled = [point.design.coupling.bit_line for point in points.points]
    assert coupled == pytest.approx([base.coupling.bit_line, 150e-18], rel=1e-3, abs=0)
    listed = [{"name": "a"}, {"name": "b", "set": {"parasitics": {"file": "array.spef"}}}]
    with pytest.raises(InputError, match="point b: extraction: analytic: the design has extracted parasitics"):
        study_of(tmp_path, set={"array.rows": 4, "array.columns": 2}, grid=None, points=listed)
    with pytest.raises(InputError, match="set extraction: none"):
        study_of(tmp_path, base="base.yaml", set=None, grid=temperatures)
    with pytest.raises(InputError, match=r"array\.rows: the extracted file"):
        study_of(tmp_path, base="base.yaml", set=None, grid={"array.rows": [4, 6]}, extraction="none")


def test_what_is_programmed_elsewhere_is_a_charge(tmp_path):
    (tmp_path / "resistive.yaml").write_text(dump_design(small_design(4, 2, "resistive")), encoding="utf-8")
    grid = {"wires.switch_resistance": ["1 kohm", "2 kohm"]}
    with pytest.raises(InputError, match="a resistive cell's state is no charge: set programming: each"):
        study_of(tmp_path, base="resistive.yaml", set=None, grid=grid, extraction="none", programming="nominal")
    _, points = study_of(tmp_path, grid=grid, programming="nominal")
    assert points.base.array.rows == 4 and points.base.wires.switch_resistance == 3000


def test_the_study_of_spacings_passes_the_rules_of_its_stack():
    path = Path(__file__).resolve().parents[3] / "docs" / "spacing.yaml"
    points = points_of(load_study(path), path)
    assert len(points.points) >= 6
    for point in points.points:
        check(draw(point.design))


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(InputError, match="no such study file"):
        load_study(tmp_path / "none.yaml")
    path = write_study(tmp_path)
    path.write_text("name: [", encoding="utf-8")
    with pytest.raises(InputError, match="not valid YAML"):
        load_study(path)
