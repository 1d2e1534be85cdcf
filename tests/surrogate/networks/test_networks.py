"""The software networks."""

import pytest
import torch
from torch import nn

from surrogate.errors import InputError
from surrogate.networks.build import build
from surrogate.networks.lenet5 import lenet5
from surrogate.networks.mlp import mlp
from surrogate.networks.recipe import LeNet5Recipe, MlpRecipe, VggRecipe
from surrogate.networks.vgg import vgg
from surrogate.training.recipe_files import built_in_recipes, load_recipe

SHAPES = {"digits": (64,), "mlp": (1, 14, 14), "lenet5": (1, 28, 28), "vgg": (3, 32, 32)}
VGG = VggRecipe(kind="vgg", widths=[8, "pool", 16])


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def test_sizes_of_the_perceptron():
    network = mlp([196, 64, 10])
    assert parameters(network) == 196 * 64 + 64 + 64 * 10 + 10
    assert network(torch.rand(3, 1, 14, 14)).shape == (3, 10)
    assert isinstance(network[-1], nn.Linear)


def test_lenet5_has_the_published_layers():
    """LeCun 1998, figure 2; with full connections C3 has 2416 weights instead of 1516."""
    weights = [parameters(layer) for layer in lenet5() if parameters(layer)]
    assert weights == [156, 2416, 48120, 10164, 850]
    assert lenet5("average")(torch.rand(2, 1, 28, 28)).shape == (2, 10)
    assert [type(x) for x in lenet5("average") if "Pool" in type(x).__name__] == [nn.AvgPool2d] * 2


def test_vgg_takes_images_of_any_size():
    network = vgg([4, 4, "pool", 8], channels=1, classes=7)
    for side in (8, 13, 32):
        assert network(torch.rand(2, 1, side, side)).shape == (2, 7)
    assert parameters(network) == 9 * 4 + 8 + 9 * 16 + 8 + 9 * 32 + 16 + 8 * 7 + 7


@pytest.mark.parametrize("name", SHAPES)
def test_no_layer_with_weights_is_given_negative_inputs(name):
    recipe = load_recipe(name)
    network = build(recipe.network, SHAPES[name], 10, 0)
    smallest = []
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            layer.register_forward_pre_hook(lambda _, given: smallest.append(float(given[0].detach().min())))
    network(torch.rand(4, *SHAPES[name], generator=torch.Generator().manual_seed(0)))
    assert len(smallest) >= 2 and min(smallest) >= 0


def test_equal_seeds_give_equal_networks_and_the_global_generator_stays():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, same, other = (build(VGG, (3, 8, 8), 10, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not torch.equal(one["0.weight"], other["0.weight"])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("recipe", "shape", "says"),
    [
        (MlpRecipe(kind="mlp", sizes=[64, 10]), (1, 28, 28), "mlp cannot take images of 1x28x28"),
        (MlpRecipe(kind="mlp", sizes=[64, 7]), (64,), "7 scores, the data have 10"),
        (LeNet5Recipe(kind="lenet5"), (3, 32, 32), "lenet5 cannot take images of 3x32x32"),
        (VggRecipe(kind="vgg", widths=[8, *["pool"] * 6]), (3, 32, 32), "vgg cannot take"),
        (VGG, (64,), "vgg cannot take"),
    ],
)
def test_networks_that_do_not_fit_the_images_are_refused(recipe, shape, says):
    with pytest.raises(InputError, match=says) as caught:
        build(recipe, shape, 10, 0)
    assert "\n" not in str(caught.value)


def test_every_recipe_of_the_package_fits_its_data():
    assert set(SHAPES) == set(built_in_recipes())
    for name, shape in SHAPES.items():
        assert build(load_recipe(name).network, shape, 10, 0).training
