"""What training lowers: the distance from labels, from what another network says of images and what its layers give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax, softmax

from surrogate.analog.convert import analog_layers, folded
from surrogate.analog.observed import watched
from surrogate.errors import InputError
from surrogate.training.recipe import Distillation, TrainingRecipe


@dataclass(frozen=True)
class Scored:
    """Scores [n, classes] of a batch and its mean loss."""

    scores: Tensor
    loss: Tensor


Objective: TypeAlias = Callable[[Callable[[Tensor], Tensor], Tensor, Tensor], Scored]
"""From how the network in training scores pixels, and pixels and labels [n] of a batch, to its scores and loss."""


def objective_of(recipe: TrainingRecipe, network: nn.Module, teacher: nn.Module | None) -> Objective:
    """What ``recipe`` asks of ``network``. Raises :class:`InputError` where it distils and there is no ``teacher``, or
    compares layers on arrays and there are none."""
    if recipe.distillation is None:
        return Labelled(recipe.label_smoothing)
    if teacher is None:
        raise InputError("training.distillation: there is no network to learn from here: leave it out")
    return Taught(recipe.distillation, recipe.label_smoothing, network, teacher)


class Labelled:
    """Cross-entropy with labels, of which ``smoothing`` is spread over all classes."""

    def __init__(self, smoothing: float) -> None:
        self._smoothing = smoothing

    def __call__(self, forward: Callable[[Tensor], Tensor], pixels: Tensor, labels: Tensor) -> Scored:
        scores = forward(pixels)
        return Scored(scores, cross_entropy(scores.float(), labels, label_smoothing=self._smoothing))


class Taught:
    """Of ``recipe.share`` the distance from the classes that ``teacher`` gives, the rest that from the labels; to this
    is added ``recipe.features`` times the sum of :func:`relative_error` of what the layers on arrays of ``network``
    give, before whatever follows them, from what the teacher's of the same names do, as FitNets' hints (Romero et al.,
    arXiv:1412.6550), but in every layer and throughout."""

    def __init__(self, recipe: Distillation, smoothing: float, network: nn.Module, teacher: nn.Module) -> None:
        self._recipe, self._smoothing, self._network = recipe, smoothing, network
        self._layers = list(analog_layers(network)) if recipe.features else []
        if recipe.features and not self._layers:
            raise InputError("training.distillation.features: no layers on arrays here to compare: leave it out")
        self._teacher = folded(teacher, self._layers.__contains__).eval()

    def __call__(self, forward: Callable[[Tensor], Tensor], pixels: Tensor, labels: Tensor) -> Scored:
        share = self._recipe.share
        with torch.no_grad(), watched(self._teacher, self._layers) as wanted:
            said = self._teacher(pixels)
        with watched(self._network, self._layers) as shown:
            scores = forward(pixels)
        loss = share * of_classes(scores, said, self._recipe.temperature)
        if share < 1:
            loss = loss + (1 - share) * cross_entropy(scores.float(), labels, label_smoothing=self._smoothing)
        for name in self._layers:
            loss = loss + self._recipe.features * relative_error(shown[name].out, wanted[name].out)
        return Scored(scores, loss)


def of_classes(scores: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """Mean cross-entropy of ``scores`` [n, classes] with the classes' probabilities at the scores ``taught``, both at
    ``temperature``, times its square, so that gradients do not depend on it (Hinton, Vinyals, Dean,
    arXiv:1503.02531)."""
    wanted = softmax(taught.float() / temperature, -1)
    return -(temperature**2) * (wanted * log_softmax(scores.float() / temperature, -1)).sum(-1).mean()


def relative_error(found: Tensor, wanted: Tensor) -> Tensor:
    """Sum of squares of what ``found`` is off, over that of ``wanted``; 0 where all of both is 0."""
    return (found.float() - wanted.float()).square().sum() / wanted.float().square().sum().clamp_min(1e-30)
