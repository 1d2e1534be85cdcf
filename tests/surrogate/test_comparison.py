"""The digits network and the comparison of its forms."""

import pytest
import torch
from synthetic import surrogate

from surrogate.analog import AnalogLinear, LayerSettings, Mapping, analog_layers, convert
from surrogate.data.digits import digits
from surrogate.data.images import Images
from surrogate.errors import InputError
from surrogate.mapping import CurrentRange
from surrogate.training.comparison import ComparisonRecipe, compare, software_network, trained_software
from surrogate.training.evaluation import accuracy, accuracy_of
from surrogate.training.recipe import Adam, TrainingRecipe
from surrogate.training.trainer import Trainer, held_out

TILE = LayerSettings(16, 16, 8, CurrentRange(5e-9, 2e-7))


@pytest.fixture(scope="module")
def images():
    """The first 320 training and 200 test images."""
    train_set, test_set = digits()
    return train_set.first(320), test_set.first(200)


@pytest.fixture(scope="module")
def software(images):
    return trained_software(images[0], 0, ComparisonRecipe(software_epochs=20, software_rate=1e-2))


def loss_of(network, images):
    with torch.no_grad():
        return float(torch.nn.functional.cross_entropy(network(images.pixels), images.labels))


def test_software_networks_differ_by_seed_only():
    one, same, other = software_network(1), software_network(1), software_network(2)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not torch.equal(one[1].weight, other[1].weight)


def test_the_digits_network_on_arrays(software):
    layers = list(analog_layers(convert(software, surrogate(16, 16), Mapping(TILE))).values())
    assert [type(layer) for layer in layers] == [AnalogLinear, AnalogLinear]
    assert [(layer.tiling.row_tiles, layer.tiling.column_tiles) for layer in layers] == [(4, 4), (2, 2)]


def test_accuracy_by_hand():
    scores = torch.tensor([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]])
    assert accuracy(scores, torch.tensor([1, 0, 0])) == pytest.approx(2 / 3)


def test_training_software_learns(software, images):
    assert accuracy_of(software, images[1]) > 0.8


def tiny():
    """A linear problem of four inputs and three classes."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(192, 4, generator=generator)
    label = (pixels @ torch.randn(4, 3, generator=generator)).argmax(-1)
    return Images(pixels, label, "tiny", ("a", "b", "c"))


def test_training_through_the_surrogate_lowers_the_loss():
    problem = tiny()
    layer = torch.nn.Linear(4, 3)
    with torch.no_grad():
        layer.weight.copy_(torch.rand(3, 4, generator=torch.Generator().manual_seed(1)) * 4 - 2)
        layer.bias.zero_()
    settings = LayerSettings(4, 6, 8, CurrentRange(5e-9, 2e-7))
    network = convert(layer, surrogate(4, 6), Mapping(settings))
    before, epochs = loss_of(network, problem), []
    recipe = TrainingRecipe(epochs=8, optimiser=Adam(rate=0.1))
    Trainer(network, held_out(problem, 0), recipe, 0).run(lambda done: epochs.append(done.epoch))
    assert loss_of(network, problem) < 0.8 * before
    assert epochs == list(range(1, 9))


def test_training_repeats_itself_exactly():
    results = []
    for _ in range(2):
        network = software_network(3)
        pixels = torch.ones(70, 64) * torch.linspace(0, 1, 70)[:, None]
        grey = Images(pixels, torch.arange(70) % 10, "grey", tuple("0123456789"))
        recipe = TrainingRecipe(epochs=2, optimiser=Adam(rate=1e-2))
        Trainer(network, held_out(grey, 0), recipe, 5).run()
        results.append(network[1].weight.detach().clone())
    assert torch.equal(results[0], results[1])


def test_comparison_reports_four_accuracies_and_curves(images):
    recipe = ComparisonRecipe(software_epochs=16, retraining_epochs=1, software_rate=1e-2)
    few = images[0].first(128)
    some = images[1].first(60)
    told = []
    result = compare(surrogate(16, 16), TILE, few, some, 0, recipe, told.append)
    for value in (result.software, result.deployed, result.control, result.retrained):
        assert 0.25 < value <= 1.0
    assert len(result.control_curve) == len(result.retrained_curve) == recipe.retraining_epochs + 1
    assert result.retrained == result.retrained_curve[-1]
    assert len(told) == 2 * recipe.retraining_epochs


def test_comparison_refuses_cells_outside_the_domain(images):
    s = surrogate(16, 16)
    narrow = type(s.domain)(1e-9, 1e-6, -3.0, -1.0, 16, 16)
    few = images[0].first(64)
    with pytest.raises(InputError, match="domain"):
        compare(type(s)(**{**s.__dict__, "domain": narrow}), TILE, few, few, 0, ComparisonRecipe(1, 1))
