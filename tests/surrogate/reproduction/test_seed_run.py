"""The comparison of one seed on the 8x8 digits: ideal arrays, resumed stages, reproducible figures."""

import sys
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))
from synthetic import surrogate

from surrogate.analog import LayerSettings, Mapping, analog_layers, calibrate, convert
from surrogate.data.images import DataSet
from surrogate.mapping import CurrentRange
from surrogate.reproduction import comparison
from surrogate.reproduction.comparison import Layout, SeedRun, Wires, compare
from surrogate.reproduction.kept import kept
from surrogate.reproduction.plans import plan
from surrogate.stated import ideal_arrays

SETTINGS = LayerSettings(16, 12, 8, CurrentRange(5e-9, 2e-7))
LAYOUT = Layout("bad", surrogate(16, 12, log_switch=0.0), SETTINGS)


def seed_run(folder, seed=0, noise=0.3):
    from surrogate.data.digits import digits

    data = digits()
    some = DataSet(data.train.first(800), data.test.first(300))
    short = plan("digits", quick=True)
    training = short.software.training.model_copy(update={"epochs": 12})
    software, again = short.software.model_copy(update={"training": training}), {"epochs": 6}
    chosen = replace(short, software=software, retraining=short.retraining.model_copy(update=again), noise=noise)
    return SeedRun(chosen, some, seed, folder)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    run = seed_run(tmp_path_factory.mktemp("first"))
    return run, compare(run, LAYOUT)


def test_ideal_arrays_compute_the_quantised_layer():
    torch.manual_seed(0)
    layer, x = nn.Sequential(nn.Conv2d(2, 5, 3, padding=1)), torch.rand(4, 2, 6, 6)
    twin = convert(layer, ideal_arrays(SETTINGS), Mapping(SETTINGS))
    calibrate(twin, x, ranges=False)
    codes = (x * 255).round() / 255
    torch.testing.assert_close(twin(x), layer(codes), rtol=1e-3, atol=1e-4)
    gain = next(iter(analog_layers(twin).values())).gain
    torch.testing.assert_close(gain, torch.ones_like(gain), rtol=1e-3, atol=1e-3)


def test_all_figures_are_there_and_the_layout_costs_accuracy(first):
    _, found = first
    of_networks = {"software", "deployed", "control", "noise", "retrained"}
    assert set(found.accuracy) == of_networks | {"control_ideal", "noise_ideal"}
    assert found.accuracy["deployed"] < found.accuracy["software"]
    assert found.accuracy["retrained"] > found.accuracy["deployed"]
    assert found.accuracy["control"] < found.accuracy["control_ideal"]


def test_networks_are_tested_at_the_stated_expansion_without_being_trained_again(first, tmp_path, monkeypatch):
    run, found = first
    coarse = SeedRun(replace(run.plan, testing=(1, 1, 1)), run.data, 0, copytree(run.folder, tmp_path / "again"))
    tested = []
    monkeypatch.setattr(comparison, "accuracy_of", lambda network, images: tested.append(network) or 0.5)
    monkeypatch.setattr(comparison.Trainer, "step", None)
    assert coarse.deployed(LAYOUT)["accuracy"] == coarse.retrained(LAYOUT)[1]["accuracy"] == 0.5
    for network, products in ((tested[0], (1, 1, 1)), (tested[1], (1, 1, 1)), (found.network, None)):
        assert {layer.settings.products for layer in analog_layers(network).values()} == {products}


def test_wires_help_the_deployed_network_and_stay_with_the_retrained_one(first, tmp_path):
    run, found = first
    folder = copytree(run.folder, tmp_path / "wired")
    for path in (folder / "bad").glob("deployed-*.json"):
        path.unlink()
    wired = SeedRun(replace(run.plan, wires=Wires({"3": 2})), run.data, 0, folder)
    again = compare(wired, LAYOUT)
    assert all(again.accuracy[name] == found.accuracy[name] for name in found.accuracy if name != "retrained")
    assert again.accuracy["deployed"] < min(again.accuracy["wired"], again.accuracy["retrained"])
    layers = analog_layers(again.network)
    assert [layer.settings.spacing for layer in layers.values()] == [1, 2]
    assert all(layer.order is not None for layer in layers.values())
    assert all(layer.order is None for layer in analog_layers(found.network).values())


def test_the_same_seed_gives_the_same_figures(first, tmp_path):
    again = compare(seed_run(tmp_path), LAYOUT)
    assert again.accuracy == first[1].accuracy
    for a, b in zip(again.network.parameters(), first[1].network.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_finished_stages_are_not_repeated(first, monkeypatch):
    run, found = first
    steps = []
    monkeypatch.setattr(comparison.Trainer, "step", lambda self: steps.append(1))
    monkeypatch.setattr(comparison, "train_software", lambda *_: pytest.fail("trained again"))
    monkeypatch.setattr(comparison, "accuracy_of", lambda *_: pytest.fail("tested again"))
    again = compare(seed_run(run.folder), LAYOUT)
    assert again.accuracy == found.accuracy and not steps


def test_noise_gives_another_network_than_the_control(first):
    run, _ = first
    control, _ = run.without_layout(SETTINGS)
    noisy, _ = run.without_layout(SETTINGS, 0.3)
    assert any(not torch.equal(a, b) for a, b in zip(control.parameters(), noisy.parameters(), strict=True))


def test_another_layout_is_computed_anew(first):
    run, found = first
    other = replace(LAYOUT, surrogate=surrogate(16, 12, kappa=[[0.0] * 4] * 2, log_switch=-9.0))
    assert run.deployed(other)["accuracy"] > found.accuracy["deployed"]


def test_kept_results_are_made_again_where_they_depend_on_something_else_or_are_damaged(tmp_path):
    path, calls = tmp_path / "a" / "b.json", []

    def compute():
        calls.append(1)
        return {"value": len(calls)}

    assert [kept(path, key, compute)["value"] for key in ([1], [1], [2], [2])] == [1, 1, 2, 2]
    path.write_text("{", encoding="utf-8")
    assert kept(path, [2], compute)["value"] == 3
