"""What is changed at random while a network trains: images and weights."""

import pytest
import torch
from torch import nn

from surrogate.training.augmentation import augmented
from surrogate.training.noise import as_it_is, with_weight_noise
from surrogate.training.recipe import Augmentation


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_shifts_are_uniform_and_keep_what_stays_inside():
    pixels = torch.zeros(4000, 1, 9, 9)
    pixels[:, :, 4, 4] = 1
    shifted = augmented(pixels, Augmentation(shift=2), generator())
    where = shifted.flatten(1).argmax(1)
    rows, columns = where // 9 - 4, where % 9 - 4
    assert torch.equal(shifted.sum((1, 2, 3)), torch.ones(4000))
    for moved in (rows, columns):
        shares = (moved + 2).bincount(minlength=5) / 4000
        assert shares.shape == (5,) and float((shares - 0.2).abs().max()) < 0.04
    assert abs(float((rows * columns).double().mean())) < 0.15


def test_half_of_the_images_are_mirrored():
    pixels = torch.arange(12.0).reshape(1, 2, 2, 3).repeat(1000, 1, 1, 1) / 12
    mirrored = augmented(pixels, Augmentation(flip=True), generator())
    turned = (mirrored == pixels.flip(3)).flatten(1).all(1)
    same = (mirrored == pixels).flatten(1).all(1)
    assert torch.equal(same, ~turned) and 430 < int(turned.sum()) < 570


def test_nothing_asked_changes_nothing():
    pixels = torch.rand(3, 1, 4, 4)
    assert augmented(pixels, Augmentation(), generator()) is pixels


def test_zeros_move_in_and_values_move_out():
    shifted = augmented(torch.ones(500, 1, 4, 4), Augmentation(shift=1), generator())
    assert set(shifted.unique().tolist()) == {0.0, 1.0}
    assert set(shifted.sum((1, 2, 3)).tolist()) == {16.0, 12.0, 9.0}


def noise_of(deviation, weight, draws):
    """Relative changes that a linear layer's weights are given."""
    layer = nn.Linear(*weight.shape[::-1], bias=False)
    layer.weight.data = weight
    source, forward = generator(), with_weight_noise(deviation)
    seen = torch.stack([forward(layer, torch.eye(weight.shape[1]), source).detach().T for _ in range(draws)])
    return seen / weight - 1


def test_weight_noise_is_gaussian_relative_and_independent():
    relative = noise_of(0.1, torch.tensor([[0.01, -3.0], [500.0, -1e-3]]), 4000)
    assert relative.mean(0).abs().max() < 0.1 * 4 / 4000**0.5
    torch.testing.assert_close(relative.std(0), torch.full((2, 2), 0.1), rtol=0.05, atol=0)
    kurtosis = (relative / 0.1).pow(4).mean()
    assert float(kurtosis) == pytest.approx(3, abs=0.25)
    assert float(torch.corrcoef(relative.reshape(-1, 4).T).fill_diagonal_(0).abs().max()) < 0.06
    assert float((relative[1:] * relative[:-1]).mean() / 0.01) == pytest.approx(0, abs=0.05)


def test_weights_and_biases_themselves_stay_and_gradients_arrive():
    network = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    before = {name: value.clone() for name, value in network.named_parameters()}
    pixels = torch.rand(6, 4)
    out = with_weight_noise(0.5)(network, pixels, generator())
    assert not torch.allclose(out, as_it_is(network, pixels, generator()))
    out.square().sum().backward()
    for name, value in network.named_parameters():
        assert torch.equal(value, before[name]) and value.grad is not None
    assert int(network[1].num_batches_tracked) == 2, "batch norm keeps its statistics under noise"
    assert float(network[1].running_mean.abs().sum()) > 0


def test_biases_and_norms_are_given_no_noise():
    layer = nn.Linear(3, 2)
    layer.weight.data.zero_()
    out = with_weight_noise(1.0)(layer, torch.rand(5, 3), generator())
    torch.testing.assert_close(out, layer.bias.expand(5, 2))


def test_no_noise_is_the_network_itself():
    layer = nn.Linear(3, 2)
    pixels = torch.rand(5, 3)
    torch.testing.assert_close(with_weight_noise(0.0)(layer, pixels, generator()), layer(pixels))
