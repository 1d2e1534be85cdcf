"""The study of mappings: its points, its table and figure, and one point of each effect on real images."""

import csv
import os
from pathlib import Path

import pytest
import torch

from cosim.commands.scripts.mappings import main
from cosim.design_space.mappings import (
    CONVERTER,
    INDEPENDENT,
    NOTHING,
    PAIRS,
    PROPORTIONAL,
    SIZES,
    WIRES,
    Given,
    Point,
    evaluate,
    points,
)  # fmt: skip
from cosim.design_space.mappings_figure import draw
from cosim.design_space.mappings_table import rows, write_table
from cosim.design_space.systems import SYSTEMS
from surrogate.data.cifar10 import read_cifar10
from surrogate.effects.programming import IndependentError, ProportionalError
from surrogate.networks.resnet20 import WEIGHTS, load_resnet20

HOME = Path(__file__).resolve().parents[4] / "shared" / "data"
FOLDERS = [Path(os.environ["FGCOSIM_DATA"]), HOME] if os.environ.get("FGCOSIM_DATA") else [HOME]


def test_every_point_has_a_recipe_and_a_name_of_its_own():
    wanted = points(100, 3)
    assert len({point.name for point in wanted}) == len(wanted)
    assert {point.effect for point in wanted} == set(SIZES) and {point.seed for point in wanted} == {0, 1, 2}
    for system in SYSTEMS:
        assert Point(NOTHING, system, 0.0, 0, 10).hardware().settings().effects == ()
    assert len(points(100, 1, 1)) == 5 * len(SYSTEMS) + 1


def test_points_set_their_effect():
    made = Point(INDEPENDENT, "offset", 0.02, 0, 10).hardware().settings()
    assert made.effects == (IndependentError(0.02),) and made.weights.mapping == "offset"
    made = Point(PROPORTIONAL, "differential, 4 slices", 0.2, 0, 10).hardware().settings()
    assert made.effects == (ProportionalError(0.2),) and made.weights.slices == 4
    made = Point(CONVERTER, PAIRS, 6, 0, 10).hardware().settings()
    assert (made.converter_bits, made.converter.of) == (6, "pair")
    wires = Point(WIRES, "offset", 10.0, 0, 10).hardware().arrays()
    torch.testing.assert_close(torch.exp(wires.shared), torch.tensor([0, 10, 10, 0]).double() * 1e-6 / 0.2)


def results():
    for k, accuracy in enumerate((0.5, 0.7, 0.9)):
        yield {"effect": NOTHING, "system": "offset", "size": 0.0, "seed": k, "images": 10, "accuracy": accuracy}
        for effect in (INDEPENDENT, PROPORTIONAL, CONVERTER, WIRES):
            yield {"effect": effect, "system": "offset", "size": 6.0, "seed": k, "images": 10, "accuracy": accuracy / 2}


def test_tables_hold_means_and_deviations(tmp_path):
    table = rows(results())
    assert len(table) == 5 and table[0].accuracy == pytest.approx(0.7) and table[0].deviation == pytest.approx(0.2)
    assert (table[0].seeds, table[0].images) == (3, 30)
    write_table(table, tmp_path / "t.csv")
    read = list(csv.DictReader((tmp_path / "t.csv").open()))
    assert read[1]["effect"] == INDEPENDENT and float(read[1]["accuracy"]) == pytest.approx(0.35)
    draw(table, 0.9173, tmp_path / "f.svg")
    assert "offset" in (tmp_path / "f.svg").read_text()


def test_bad_options_are_named(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("FGCOSIM_DATA", raising=False)
    monkeypatch.setattr("sys.argv", ["study_mappings", "--images", "9000", "--seeds", "3", "--out", str(tmp_path)])
    assert main("what") == 2 and "--images 9000 of --seeds 3" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", ["study_mappings", "--out", str(tmp_path)])
    assert main("what") == 2 and "--data" in capsys.readouterr().err


@pytest.fixture(scope="module")
def real():
    def found(*names):
        places = [folder / name for folder in FOLDERS for name in names if (folder / name).exists()]
        return places[0] if places else pytest.skip(f"no {names[0]} in {', '.join(map(str, FOLDERS))}")

    images = read_cifar10(found("cifar-10-batches-bin", "cifar10/cifar-10-batches-bin"))
    return Given(load_resnet20(found(WEIGHTS)), images.test, images.train.pixels[:4])


@pytest.mark.long
@pytest.mark.parametrize(("effect", "size"), [(NOTHING, 0.0), (INDEPENDENT, 0.001), (CONVERTER, 12), (WIRES, 0.01)])
@pytest.mark.parametrize("system", SYSTEMS)
def test_small_effects_cost_nothing(real, effect, size, system):
    assert evaluate(Point(effect, system, size, 0, 20), real)["accuracy"] >= 0.85
