"""Sign-off of any network in real ngspice, on 4x4 resistive arrays; the table."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cosim.campaigns.campaign import run_campaign
from cosim.campaigns.plan import PlanSize, standard_plan
from cosim.errors import InputError
from cosim.files.folders import read_json
from cosim.fitting.fit import fit_dataset
from cosim.fitting.validation import validate_dataset
from cosim.reproduction.layouts import LAYOUTS, design_of
from cosim.reproduction.run import Reproduction
from cosim.reproduction.sampled import Sample, _disturbed, _sample, sampled_sign_off
from cosim.reproduction.signoff import Arrays, sign_off
from cosim.reproduction.table import add_rows, markdown, short_markdown
from cosim.vmm.programming import read_curve
from surrogate.analog import LayerSettings, Mapping, analog_layers, calibrate, convert
from surrogate.analog.observed import observed
from surrogate.data.images import Images
from surrogate.errors import InputError as ModelInputError
from surrogate.mapping import CurrentRange
from tests.cosim.small_run import ARRAY


@pytest.fixture(scope="module")
def design(make_design):
    return make_design(4, 4, "resistive", **ARRAY)


@pytest.fixture(scope="module")
def surrogate(design, engine, tmp_path_factory):
    plan = standard_plan(design, read_curve(design, engine), seed=3, size=PlanSize(patterns=2, weights=2))
    data = run_campaign(design, plan, engine, tmp_path_factory.mktemp("campaign"), 1)
    fitted = fit_dataset(data)
    return fitted.with_report(validate_dataset(fitted, data))


@pytest.fixture(scope="module")
def images():
    pixels = torch.rand(2, 1, 3, 3, generator=torch.Generator().manual_seed(1))
    return Images(pixels, torch.tensor([0, 1]), "two", ("a", "b"))


@pytest.fixture(scope="module")
def network(design, surrogate, images):
    """A convolution on two arrays side by side, and a linear layer on three one above the other."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2)).eval()
    nn.init.constant_(model[0].bias, 0.3)
    currents = CurrentRange(design.weights.current_min, design.weights.current_max)
    twin = convert(model, surrogate, Mapping(LayerSettings(4, 4, design.read.bits, currents)))
    calibrate(twin, images.pixels)
    return twin


@pytest.fixture(scope="module")
def arrays(design, engine, tmp_path_factory):
    return Arrays(design, engine, tmp_path_factory.mktemp("signoff"), 1)


@pytest.fixture(scope="module")
def signed(arrays, network, images):
    return sign_off(arrays, network, images, 0.5)


def test_charges_in_spice_are_those_predicted(signed):
    assert min(signed["ser_by_layer_db"].values()) > 40
    assert signed["class_agreement"]["estimate"] == 1.0
    assert signed["spice_class"] == signed["surrogate_class"]


def test_every_array_vmm_is_counted(signed):
    assert signed["vmms"] == signed["simulated_vmms"] == 2 * (4 * 2 + 3)


def test_equal_vmms_are_simulated_once(arrays, network, images):
    twice = Images(images.pixels[[0, 1, 0]], images.labels[[0, 1, 0]], "three", images.classes)
    found = sign_off(arrays, network, twice, 0.5)
    assert found["vmms"] == 3 * 11 and found["simulated_vmms"] == 2 * 11
    assert found["spice_class"][0] == found["spice_class"][2]


def test_bounds_hold_the_estimate(signed):
    bounds = signed["accuracy_of_all_spice"]
    assert bounds["low"] <= bounds["estimate"] == 0.5 <= bounds["high"]


def test_finished_vmms_are_not_simulated_again(signed, arrays, network, images, monkeypatch):
    monkeypatch.setattr("cosim.campaigns.campaign.open_pool", _no_pool)
    assert sign_off(arrays, network, images, 0.5) == signed


def test_the_network_is_left_as_it_was(signed, network, images):
    assert not any(module._forward_hooks for module in network.modules())


def test_another_design_is_refused(arrays, network, images):
    other = Arrays(design_of("mild"), arrays.engine, arrays.folder, 1)
    with pytest.raises(InputError, match="another design"):
        sign_off(other, network, images, 0.5)


def test_sampled_vmms_agree_and_bound_the_accuracy(arrays, network, images):
    found = sampled_sign_off(arrays, network, images, 5, 0, images, 0.5)
    assert found["vmms_per_layer"] == {"0": 5, "3": 5} and found["drawn_of"] == {"0": 16, "3": 6}
    assert min(found["ser_by_layer_db"].values()) > 40
    bounds = found["accuracy_of_all_spice"]
    assert bounds["low"] < bounds["estimate"] == 0.5 < bounds["high"]


@pytest.mark.parametrize("name", ["0", "3"])
def test_all_vmms_drawn_are_those_of_the_layer_in_order(arrays, network, images, name):
    layers = analog_layers(network)
    given = observed(network, layers, images.pixels)[name].given
    drawn = _sample(name, arrays, layers[name], given, 1000, np.random.default_rng(0))
    with torch.no_grad():
        charge = layers[name].column_charges(layers[name].durations(given), layers[name].states())
    scale = layers[name].arrays.surrogate.current_scale * layers[name].arrays.surrogate.time_scale
    np.testing.assert_allclose(drawn.predicted, charge.flatten(0, -2).double().numpy() * scale, rtol=1e-4)


@pytest.mark.parametrize("common", [False, True])
def test_errors_found_move_the_outputs_by_what_their_charge_is_worth(network, images, common):
    layer = analog_layers(network)["3"]
    scale = layer.arrays.surrogate.current_scale * layer.arrays.surrogate.time_scale
    truth = torch.zeros(6, 4).double().numpy()
    truth[:, 0] = 0.01 * scale
    nothing = truth * 0
    samples = {"0": Sample(nothing, nothing, 6), "3": Sample(truth, nothing, 6)}
    before = network(images.pixels)
    with _disturbed(analog_layers(network), samples, common, torch.Generator().manual_seed(0)):
        moved = network(images.pixels) - before
    swing = (layer.settings.currents.high - layer.settings.currents.low) / layer.arrays.surrogate.current_scale
    worth = float(layer.gain[0] * layer.span * layer.input_range / swing * 3 * 0.01)
    torch.testing.assert_close(moved, torch.tensor([[worth, 0.0]]).expand(2, 2), rtol=1e-3, atol=1e-6)


class Twice(nn.Module):
    """Calls its layer a second time, on what it gave."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(self.layer(x.flatten(1)).relu())


@pytest.fixture(scope="module")
def linear(design, surrogate):
    """A square layer on arrays, made for signed inputs or not."""

    def make(signed):
        currents = CurrentRange(design.weights.current_min, design.weights.current_max)
        settings = LayerSettings(4, 4, design.read.bits, currents, signed=signed)
        torch.manual_seed(3)
        return convert(nn.Linear(9, 9), surrogate, Mapping(settings))

    return make


@pytest.mark.parametrize("way", ["all", "sampled"])
def test_a_layer_called_twice_is_refused_before_anything_is_simulated(arrays, linear, images, monkeypatch, way):
    monkeypatch.setattr("cosim.campaigns.campaign.open_pool", _no_pool)
    network = Twice(linear(False))
    with pytest.raises(ModelInputError, match=r"layer layer: called more than once"):
        if way == "all":
            sign_off(arrays, network, images, 0.5)
        else:
            sampled_sign_off(arrays, network, images, 5, 0, images, 0.5)


def test_vmms_are_sampled_as_the_layer_was_given_them(arrays, network, images, monkeypatch):
    """What follows a layer may change its inputs in place; here the network ends by emptying its own."""

    def empty(_network, given, _out):
        given[0].zero_()

    seen = {}

    def sample(name, arrays, layer, given, *others):
        seen[name] = given
        return _sample(name, arrays, layer, given, *others)

    monkeypatch.setattr("cosim.reproduction.sampled._sample", sample)
    wanted = sampled_sign_off(arrays, network, images, 5, 0, images, 0.5)
    handle = network.register_forward_hook(empty)
    same = Images(images.pixels.clone(), images.labels, "same", images.classes)
    try:
        found = sampled_sign_off(arrays, network, same, 5, 0, same, 0.5)
    finally:
        handle.remove()
    assert float(same.pixels.abs().max()) == 0 and torch.equal(seen["0"], images.pixels)
    assert found["ser_by_layer_db"] == wanted["ser_by_layer_db"]


@pytest.mark.parametrize("common", [False, True])
def test_errors_of_an_array_are_the_same_for_all_images_or_drawn_anew(linear, common):
    twin = nn.Sequential(linear(True))
    layer = twin[0]
    assert layer.phases_per_input == 2
    scale = layer.arrays.surrogate.current_scale * layer.arrays.surrogate.time_scale
    truth = np.random.default_rng(0).normal(size=(50, 4)) * scale
    x = torch.randn(5, 9, generator=torch.Generator().manual_seed(0))
    before = twin(x)
    with _disturbed({"0": layer}, {"0": Sample(truth, truth * 0, 50)}, common, torch.Generator().manual_seed(0)):
        moved = twin(x) - before
    moved = moved.detach()
    assert float(moved.abs().amax()) > 1e-3
    assert torch.allclose(moved, moved[:1].expand_as(moved), atol=1e-5) == common


def test_layouts_differ_from_the_default_and_from_each_other():
    assert len({design_of(name).hash for name in (*LAYOUTS, "default")}) == 3


def test_a_row_names_the_command_that_makes_it():
    job = Reproduction("mlp", Path("runs"), seeds=2, images=0, sample=50, quick=True)
    assert job.command("mild") == "scripts/reproduce_mlp --layouts mild --images 0 --sample 50 --seeds 2 --quick"
    assert Reproduction("vgg", Path("runs"), images=10).command("a.yaml") == (
        "scripts/reproduce_vgg --layouts a.yaml --images 10"
    )


def test_rows_of_a_table_replace_their_like(tmp_path):
    add_rows(tmp_path, [_row("a", "mild", 0.5), _row("a", "severe", 0.4)])
    add_rows(tmp_path, [_row("a", "mild", 0.75)])
    rows = read_json(tmp_path / "table.json")["rows"]
    assert [(r["layout"], r["accuracy"]["retrained"]["mean"]) for r in rows] == [("mild", 0.75), ("severe", 0.4)]
    text = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert text == markdown(rows) and "75.00 ± 1.00" in text
    assert len({line.count("|") for line in text.splitlines()}) == 1


def test_a_short_row_says_what_spice_said():
    agreed = {"ser_db": 65.2, "class_agreement": {"estimate": 0.99}, "images": 100}
    sampled = {"ser_db": 60.0, "accuracy_of_all_spice": {"estimate": 0.97, "low": 0.96, "high": 0.98}}
    rows = [_row("a", "mild", 0.5) | {"signoff": signed} for signed in (agreed, sampled, None)]
    lines = short_markdown(rows).splitlines()
    assert "| 99% of 100 images agree, 65 dB |" in lines[2] and "| 97.00 (96.00 … 98.00), 60 dB |" in lines[3]
    assert all(line.startswith("| `scripts/reproduce_a` | mild | 50.00 ± 1.00 |") for line in lines[2:])
    assert len({line.count("|") for line in lines}) == 1


def _no_pool(*_):
    """A pool without workers: fails where anything is submitted."""
    from contextlib import nullcontext

    class Nobody:
        size = 1

        def submit(self, task):
            pytest.fail("simulated again")

    return nullcontext(Nobody())


def _row(network, layout, accuracy):
    names = ("software", "deployed", "control", "noise", "retrained")
    return {
        "network": network, "layout": layout, "accuracy": {n: {"mean": accuracy, "std": 0.01} for n in names},
        "command": "scripts/reproduce_a", "data": "two", "arrays": "4x4", "signoff": None, "seeds": [0, 1],
        "machine": "here", "device": "cpu", "wall_s": 1.0,
    }  # fmt: skip
