"""Networks, training loops and the digits."""

import hashlib

import pytest
import torch
from synthetic import surrogate

from surrogate.digits import Images, digits
from surrogate.errors import InputError
from surrogate.layers import AnalogLinear, TileSettings
from surrogate.mapping import CurrentRange
from surrogate.network import (
    Perceptron,
    analog_layers,
    analog_network,
    calibrate_ranges,
    deployed_scores,
    quantised_network,
    software_network,
)
from surrogate.training import Recipe, accuracy, compare, evaluate, train, trained_software

DIGEST = "87185d62de5dcc6cfa6b9edf43cced0203d394388bf37987c8a96c84034e8219"
"""SHA-256 of the test labels in their order."""

TILE = TileSettings(16, 16, 8, CurrentRange(5e-9, 2e-7))


@pytest.fixture(scope="module")
def images():
    """The first 320 training and 200 test images."""
    train_set, test_set = digits()
    return Images(train_set.pixels[:320], train_set.label[:320]), Images(test_set.pixels[:200], test_set.label[:200])


@pytest.fixture(scope="module")
def software(images):
    return trained_software(images[0], 0, Recipe(software_epochs=20, software_rate=1e-2))


def loss_of(network, images):
    with torch.no_grad():
        return float(torch.nn.functional.cross_entropy(network(images.pixels), images.label))


def test_digits_are_split_once_and_for_all():
    train_set, test_set = digits()
    assert (len(train_set.label), len(test_set.label)) == (1257, 540)
    assert train_set.pixels.shape == (1257, 64)
    assert float(train_set.pixels.min()) == 0.0 and float(train_set.pixels.max()) == 1.0
    again = digits()[1]
    assert torch.equal(test_set.pixels, again.pixels)
    assert torch.equal(test_set.label, again.label)
    assert test_set.label.bincount().tolist() == [54, 55, 53, 55, 54, 55, 54, 54, 52, 54]
    digest = hashlib.sha256(test_set.label.to(torch.uint8).numpy().tobytes()).hexdigest()
    assert digest == DIGEST, "the split is another one: accuracies cannot be compared with earlier ones"


def test_software_networks_differ_by_seed_only():
    one, same, other = software_network(1), software_network(1), software_network(2)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not torch.equal(one.layers[0].weight, other.layers[0].weight)


def test_calibrated_ranges_keep_the_function():
    network = software_network(0)
    pixels = torch.rand(300, 64, generator=torch.Generator().manual_seed(0))
    hidden = torch.relu(network.layers[0](pixels))
    plain = network.layers[1](hidden)
    scaled = calibrate_ranges(network, pixels)
    given = scaled.inputs(pixels)[1].detach()
    assert float(given.max()) == 1.0
    assert 0.995 < float((given < 1).double().mean()) < 1
    unsaturated = (given < 1).all(dim=1)
    assert int(unsaturated.sum()) > 200
    torch.testing.assert_close(scaled(pixels)[unsaturated], plain[unsaturated], rtol=1e-4, atol=1e-4)


def test_many_bits_make_the_quantised_network_the_software_network(software, images):
    pixels = images[1].pixels
    wanted = software(pixels).detach()
    assert float((quantised_network(software, 16)(pixels).detach() - wanted).abs().max()) < 1e-2
    error = [float((quantised_network(software, b)(pixels).detach() - wanted).square().mean()) for b in (2, 4, 8)]
    assert error[0] > error[1] > error[2]


def test_analog_networks_need_a_surrogate_that_passed(software):
    with pytest.raises(InputError, match="validate"):
        analog_network(software, surrogate(16, 16, report=None), TILE)
    network = analog_network(software, surrogate(16, 16), TILE)
    assert [type(layer) for layer in analog_layers(network)] == [AnalogLinear, AnalogLinear]
    assert [(layer.row_tiles, layer.column_tiles) for layer in analog_layers(network)] == [(4, 4), (2, 2)]


def test_deploying_the_trained_mapping_is_the_forward_pass(software, images):
    network = analog_network(software, surrogate(16, 16), TILE)
    states = [layer.states().detach() for layer in analog_layers(network)]
    pixels = images[1].pixels[:20]
    torch.testing.assert_close(deployed_scores(network, pixels, states), network(pixels).detach())


def test_accuracy_by_hand():
    scores = torch.tensor([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]])
    assert accuracy(scores, torch.tensor([1, 0, 0])) == pytest.approx(2 / 3)


def test_training_software_learns(software, images):
    assert evaluate(software, images[1]) > 0.8


def tiny():
    """A linear problem of four inputs and three classes."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(192, 4, generator=generator)
    label = (pixels @ torch.randn(4, 3, generator=generator)).argmax(-1)
    return Images(pixels, label)


def test_training_through_the_surrogate_lowers_the_loss():
    problem = tiny()
    weight = torch.rand(4, 3, generator=torch.Generator().manual_seed(1)) * 4 - 2
    settings = TileSettings(4, 6, 8, CurrentRange(5e-9, 2e-7))
    network = Perceptron([AnalogLinear(weight, torch.zeros(3), surrogate(4, 6), settings)], torch.zeros(0))
    before, epochs = loss_of(network, problem), []
    train(network, problem, epochs=8, rate=0.1, seed=0, after_epoch=epochs.append)
    assert loss_of(network, problem) < 0.8 * before
    assert epochs == list(range(8))


def test_training_repeats_itself_exactly():
    results = []
    for _ in range(2):
        network = software_network(3)
        network.ranges.fill_(1.0)
        grey = Images(torch.ones(70, 64) * torch.linspace(0, 1, 70)[:, None], torch.arange(70) % 10)
        train(network, grey, 2, 1e-2, 5)
        results.append(network.layers[0].weight.detach().clone())
    assert torch.equal(results[0], results[1])


def test_comparison_reports_four_accuracies_and_curves(images):
    recipe = Recipe(software_epochs=16, retraining_epochs=1, software_rate=1e-2)
    few = Images(images[0].pixels[:128], images[0].label[:128])
    some = Images(images[1].pixels[:60], images[1].label[:60])
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
    few = Images(images[0].pixels[:64], images[0].label[:64])
    with pytest.raises(InputError, match="domain"):
        compare(type(s)(**{**s.__dict__, "domain": narrow}), TILE, few, few, 0, Recipe(1, 1))
