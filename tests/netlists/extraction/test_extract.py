"""A design's layout becomes its coupling and wires: cached, consistent, and what goes wrong says so."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from netlists.design import Design
from netlists.designfile import load_design
from netlists.errors import InputError
from netlists.extraction import extract as extraction
from netlists.extraction import neighbourhood
from netlists.extraction.extract import Extraction, extract
from netlists.extraction.neighbourhood import analytic
from netlists.extraction.panels import Resolution

DEFAULT = load_design("default")


def _with_layout(design: Design = DEFAULT, **values: object) -> Design:
    assert design.layout is not None
    return design.model_copy(update={"layout": design.layout.model_copy(update=values)})


def _farads(found: Extraction) -> dict[str, float]:
    return {**found.coupling(), **found.wires()}


@pytest.fixture(scope="module", autouse=True)
def _quickly() -> Iterator[None]:
    """A mesh that is coarser than the analytic mode's: what is tested here does not depend on it."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (extraction, neighbourhood):
            patch.setattr(module, "COARSE", Resolution(6.0, 0.7, 4.0))
        yield


@pytest.fixture(scope="module")
def estimated(tmp_path_factory: pytest.TempPathFactory) -> Extraction:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return extract(DEFAULT, mode="analytic")


def test_every_number_is_a_capacitance_or_a_resistance(estimated: Extraction) -> None:
    values = _farads(estimated)
    assert set(estimated.coupling()) == set(type(DEFAULT.coupling).model_fields)
    assert set(estimated.wires()) < set(type(DEFAULT.wires).model_fields)
    assert all(value > 0 for value in values.values())
    assert values["own_word_line"] > values["near_word_line"] > values["far_word_line"] > values["second_word_line"]
    assert math.isnan(estimated.change)


def test_resistances_are_squares_contacts_and_vias(estimated: Extraction) -> None:
    """90 mohm/sq: 1.4 um of 0.23 um metal1 and of 0.28 um metal2; a contact of 6 ohm, and a via of 4.5 ohm."""
    ohms = estimated.resistances
    assert ohms.word_line == pytest.approx(0.09 * 1.4 / 0.23, rel=1e-3, abs=0)
    assert ohms.bit_line == pytest.approx(0.09 * 1.4 / 0.28, rel=1e-3, abs=0)
    assert ohms.source == pytest.approx(6, rel=0.02, abs=0)
    assert ohms.drain == pytest.approx(6 + 4.5, rel=0.02, abs=0)


def test_a_design_takes_the_numbers_and_nothing_else(estimated: Extraction) -> None:
    applied = estimated.applied_to(DEFAULT)
    assert applied.coupling.own_word_line == pytest.approx(estimated.coupling()["own_word_line"], rel=1e-4, abs=0)
    assert applied.wires.driver_resistance == DEFAULT.wires.driver_resistance
    parts = {"coupling", "wires"}
    assert applied.model_dump(exclude=parts) == DEFAULT.model_dump(exclude=parts)
    assert Design.model_validate(applied.model_dump(mode="json")) == applied


def test_array_size_and_dummies_do_not_matter_to_an_inner_cell(cache: Path, estimated: Extraction) -> None:
    other = _with_layout(DEFAULT.resized(128, 3), dummy_rows=1)
    assert extract(other, mode="analytic").cell == estimated.cell


def test_longer_extensions_couple_more_to_the_near_word_line(cache: Path, estimated: Extraction) -> None:
    assert DEFAULT.layout is not None
    gate = DEFAULT.layout.floating_gate
    bare = extract(_with_layout(floating_gate=gate.model_copy(update={"extension": None})), mode="analytic")
    assert bare.coupling()["near_word_line"] < 0.5 * estimated.coupling()["near_word_line"]
    assert bare.coupling()["bit_line"] < estimated.coupling()["bit_line"]


def test_the_second_call_reads_the_cache_and_a_damaged_entry_is_computed_again(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    monkeypatch.setattr(extraction, "analytic", lambda n: calls.append(1) or analytic(n))
    first = extract(DEFAULT, mode="analytic")
    assert _same(extract(DEFAULT, mode="analytic"), first) and len(calls) == 1
    (entry,) = cache.glob("*.json")
    entry.write_text(entry.read_text(encoding="utf-8").replace('"panels": ', '"panels": 1'), encoding="utf-8")
    assert _same(extract(DEFAULT, mode="analytic"), first) and len(calls) == 2
    record = json.loads(entry.read_text(encoding="utf-8"))
    assert record["body"]["panels"] == first.panels  # repaired


def _same(a: Extraction, b: Extraction) -> bool:
    return a.cell == b.cell and a.panels == b.panels and math.isnan(a.change) == math.isnan(b.change)


def test_all_that_decides_a_result_is_in_its_key(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    monkeypatch.setattr(extraction, "key_of", lambda inputs: found.append(json.dumps(inputs)) or "0" * 64)
    extract(DEFAULT, mode="analytic")
    monkeypatch.setattr(extraction, "recall", lambda key: json.loads((cache / f"{key}.json").read_text())["body"])
    layout = DEFAULT.layout
    assert layout is not None
    (tmp_path / "thin.yaml").write_text(_thinner_stack(), encoding="utf-8")
    word_line = layout.word_line.model_copy(update={"spacing": 0.3e-6})
    for changed in (
        _with_layout(row_pitch=1.5e-6), _with_layout(word_line=word_line), _with_layout(stack="thin.yaml"),
        DEFAULT.model_copy(update={"cell": DEFAULT.cell.model_copy(update={"width": 0.4e-6})}),
    ):  # fmt: skip
        extract(changed, tmp_path, "analytic")
    assert len(set(found)) == 5


def _thinner_stack() -> str:
    from importlib import resources

    text = (resources.files("netlists") / "stacks" / "generic180.yaml").read_text(encoding="utf-8")
    return text.replace("permittivity: 4.0", "permittivity: 3.0")


def test_writers_at_the_same_time_do_no_harm(cache: Path, estimated: Extraction) -> None:
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: extract(DEFAULT, mode="analytic"), range(3)))
    assert all(one.cell == estimated.cell for one in found)
    assert len(list(cache.iterdir())) == 1


def test_designs_that_cannot_be_extracted_name_the_remedy(cache: Path) -> None:
    with pytest.raises(InputError, match="no section layout: add one"):
        extract(DEFAULT.model_copy(update={"layout": None}), mode="analytic")


def test_the_field_solver_keeps_to_its_time(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fastcap2.py").write_text("import time; time.sleep(60)", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{':'.join(path for path in sys.path if path)}")
    with pytest.raises(InputError, match=r"did not finish .* within 1 s: use the analytic mode"):
        extract(DEFAULT, mode="field", timeout_s=1.0)
    assert not list(cache.glob("*"))  # nothing half is kept


@pytest.mark.long
def test_the_closed_form_is_near_the_field_solution(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What docs/layout.md states of the analytic mode."""
    for module in (extraction, neighbourhood):
        monkeypatch.setattr(module, "COARSE", Resolution(3.0, 0.3))
    solved = extract(DEFAULT, timeout_s=3000.0)
    assert solved.change <= 0.01
    for name, value in _farads(extract(DEFAULT, mode="analytic")).items():
        assert value == pytest.approx(_farads(solved)[name], rel=0.09, abs=0.5e-18), name
