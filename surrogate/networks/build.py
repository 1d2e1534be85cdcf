"""The network that a recipe describes, with weights drawn by a seed."""

from __future__ import annotations

import torch
from torch import nn

from surrogate.errors import InputError
from surrogate.networks.lenet5 import lenet5
from surrogate.networks.mlp import mlp
from surrogate.networks.recipe import LeNet5Recipe, MlpRecipe, NetworkRecipe
from surrogate.networks.vgg import vgg


def build(recipe: NetworkRecipe, shape: tuple[int, ...], classes: int, seed: int) -> nn.Module:
    """An untrained network for images of ``shape`` (as one of ``Images.pixels``) and ``classes`` classes.

    Equal seeds give equal weights; torch's global generator is left as it was. Raises :class:`InputError` where the
    network cannot take such images.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _network(recipe, shape, classes)
    _try(network, recipe.kind, shape, classes)
    return network


def _network(recipe: NetworkRecipe, shape: tuple[int, ...], classes: int) -> nn.Module:
    if isinstance(recipe, MlpRecipe):
        return mlp(recipe.sizes)
    if isinstance(recipe, LeNet5Recipe):
        return lenet5(recipe.pooling, classes)
    return vgg(recipe.widths, shape[0], classes)


def _try(network: nn.Module, kind: str, shape: tuple[int, ...], classes: int) -> None:
    """Raise :class:`InputError` unless ``network`` gives ``classes`` scores for an image of ``shape``."""
    size = "x".join(map(str, shape))
    network.eval()
    try:
        with torch.no_grad():
            scores = network(torch.zeros(1, *shape))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:100]
        raise InputError(f"network: {kind} cannot take images of {size} pixels ({reason}): "
                         "change its sizes or the data") from None  # fmt: skip
    finally:
        network.train()
    if scores.shape != (1, classes):
        raise InputError(f"network: {kind} gives {scores.shape[-1]} scores, the data have {classes} classes: "
                         "change its last size")  # fmt: skip
