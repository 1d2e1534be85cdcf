"""The study of few bits on the 8x8 digits: what it leaves, that it goes on, and that its cases do what they say."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from cosim.design_space.low_resolution import Point, Study, result, run
from cosim.design_space.low_resolution_cases import CASES, PROGRAMMING_ERROR, Case
from cosim.design_space.low_resolution_figure import draw
from cosim.design_space.low_resolution_table import rows, write_table
from surrogate.errors import InputError
from surrogate.hardware import Hardware, load_hardware, parse_hardware
from surrogate.training.recipe import Adam, TrainingRecipe

DOCS = Path(__file__).resolve().parents[3] / "docs"
BASE = load_hardware(DOCS / "low-resolution.yaml")
"""The study's own hardware."""
SMALL = Study(
    BASE,
    software=TrainingRecipe(epochs=8, batch=32, validation=100, optimiser=Adam(rate=0.004)),
    retraining=TrainingRecipe(epochs=4, batch=32, validation=100, optimiser=Adam(rate=0.004)),
    calibration=200,
)
FINE = Case("bits of both", 8, 8)
BINARY = Case("bits of both", 1, 1)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:  # type: ignore[type-arg]
    out = tmp_path_factory.mktemp("study")
    points = [Point(case, "digits", 0) for case in (FINE, BINARY)]
    return out, {point: result(SMALL, point, out, None) for point in points}


def test_eight_bits_cost_nothing_and_retraining_recovers_one_bit(found: tuple[Path, dict]) -> None:  # type: ignore[type-arg]
    fine, binary = found[1].values()
    assert fine["software"] > 0.9
    assert fine["deployed"] == pytest.approx(fine["software"], abs=0.02)
    assert binary["deployed"] < fine["deployed"] - 0.03
    assert binary["retrained"] > binary["deployed"] + 0.01


def test_what_is_done_is_not_done_again_and_what_changed_is(found: tuple[Path, dict]) -> None:  # type: ignore[type-arg]
    out, results = found
    point = Point(BINARY, "digits", 0)
    assert result(SMALL, point, out, None) == results[point], "with the time that it took at first"
    longer = SMALL.retraining.model_copy(update={"epochs": 1})
    other = result(Study(BASE, SMALL.software, longer, calibration=200), point, out, None)
    assert other["deployed"] == results[point]["deployed"] and other["cpu_s"] != results[point]["cpu_s"]


@pytest.mark.long
def test_processes_give_the_same_in_the_order_of_the_points(found: tuple[Path, dict]) -> None:  # type: ignore[type-arg]
    out, results = found
    wanted, seen = list(reversed(results)), list[int]()
    again = run(SMALL, wanted, out, None, 1, lambda done, total: seen.append(done))
    for name in ("software", "deployed", "retrained"):
        assert [one[name] for one in again] == [results[point][name] for point in wanted]
    assert seen == [1, 2]


def test_table_and_figure(found: tuple[Path, dict], tmp_path: Path) -> None:  # type: ignore[type-arg]
    results = [
        (Point(point.case, "digits", seed), {**accuracies, "deployed": 0.5 + 0.1 * seed})
        for point, accuracies in found[1].items()
        for seed in (0, 1)
    ]
    table = rows(results)
    assert [row.seeds for row in table] == [2, 2]
    assert table[0].deployed == pytest.approx(55) and table[0].deployed_std == pytest.approx(10 / 2**0.5)
    write_table(table, tmp_path / "results.csv")
    with (tmp_path / "results.csv").open(encoding="utf-8") as file:
        (first, second) = csv.DictReader(file)
    assert (first["weight_bits"], second["weight_bits"]) == ("8", "1") and float(first["deployed"]) == 55.0
    draw(table, "digits", tmp_path / "x.svg")
    assert "<svg" in (tmp_path / "x.svg").read_text(encoding="utf-8")


def test_every_case_is_a_hardware_recipe_of_its_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    for case in CASES:
        hardware = case.hardware(BASE)
        assert (hardware.weights.bits, hardware.inputs.bits) == (case.weight_bits, case.activation_bits)
        assert hardware.tiles.on_off_ratio == case.on_off_ratio
        assert hardware.weights.span.by == "mse", "what the base says stays"
        settings = hardware.settings()
        assert len(settings.on_currents) == (case.error > 0) and settings.converter_bits == case.converter_bits
    assert Case("x").hardware(BASE).settings().effects == ()
    assert PROGRAMMING_ERROR in {case.error for case in CASES}


def test_contradictions_name_the_key() -> None:
    base = parse_hardware("{name: x, tiles: {rows: 8, columns: 8, current_max: 1e-6, on_off_ratio: 9.0}, "
                          "weights: {mapping: offset}}", "x.yaml")  # fmt: skip
    assert isinstance(base, Hardware)
    with pytest.raises(InputError, match="asymmetry"):
        Case("asymmetry", asymmetry=0.2).hardware(base)
