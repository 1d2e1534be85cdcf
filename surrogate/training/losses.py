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
    """Scores [n, classes] of a batch and its loss."""

    scores: Tensor
    loss: Tensor


Score: TypeAlias = Callable[[Tensor], Tensor]
"""How the network in training scores pixels."""

Objective: TypeAlias = Callable[[Score, Tensor, Tensor, float], Scored]
"""From that, pixels and labels [n] of a batch, and the share of all steps that are done."""


def objective_of(
    recipe: TrainingRecipe, network: nn.Module, teacher: nn.Module | None, device: torch.device
) -> Objective:
    """What ``recipe`` asks of ``network``. Raises :class:`InputError` where it distils and there is no ``teacher``, or
    one of other layers, and where it compares layers on arrays and there are none."""
    if recipe.distillation is None:
        return Labelled(recipe.label_smoothing)
    if teacher is None:
        raise InputError("training.distillation: there is no network to learn from here: leave it out")
    return Taught(recipe.distillation, recipe.label_smoothing, network, teacher, device)


class Labelled:
    """Cross-entropy with labels, of which ``smoothing`` is spread over all classes."""

    def __init__(self, smoothing: float) -> None:
        self._smoothing = smoothing

    def __call__(self, score: Score, pixels: Tensor, labels: Tensor, done: float) -> Scored:
        scores = score(pixels)
        return Scored(scores, cross_entropy(scores.float(), labels, label_smoothing=self._smoothing))


class Taught:
    """Of ``recipe.share`` the distance from the classes that ``teacher`` gives, the rest that from the labels. At
    first, while less than ``recipe.features_until`` is done, ``recipe.features`` times the sum of
    :func:`relative_error` is added: of what the layers on arrays of ``network`` give, before whatever follows them,
    from what the teacher's of the same names do, with batch norms folded into them. So do FitNets' hints for one layer
    (Romero et al., arXiv:1412.6550)."""

    def __init__(
        self, recipe: Distillation, smoothing: float, network: nn.Module, teacher: nn.Module, device: torch.device
    ) -> None:
        self._recipe, self._smoothing, self._network = recipe, smoothing, network
        self._layers = list(analog_layers(network)) if recipe.features else []
        if recipe.features and not self._layers:
            raise InputError("training.distillation.features: no layers on arrays here to compare: leave it out")
        if missing := sorted(set(self._layers) - dict(teacher.named_modules()).keys()):
            raise InputError(f"training.distillation.features: no layer {missing[0]} in the network to learn from")
        self._teacher = folded(teacher, self._layers.__contains__).eval().to(device)

    def __call__(self, score: Score, pixels: Tensor, labels: Tensor, done: float) -> Scored:
        recipe = self._recipe
        layers = self._layers if done < recipe.features_until else []
        with torch.no_grad(), watched(self._teacher, layers) as wanted:
            said = self._teacher(pixels)
        with watched(self._network, layers) as shown:
            scores = score(pixels)
        loss = recipe.share * of_classes(scores, said, recipe.temperature)
        if recipe.share < 1:
            labelled = cross_entropy(scores.float(), labels, label_smoothing=self._smoothing)
            loss = loss + (1 - recipe.share) * labelled
        for name in layers:
            loss = loss + recipe.features * relative_error(name, shown[name].out, wanted[name].out)
        return Scored(scores, loss)


def of_classes(scores: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """Mean cross-entropy of ``scores`` [n, classes] with the classes' probabilities at the scores ``taught``, both at
    ``temperature``, times its square, so that gradients do not depend on it (Hinton, Vinyals, Dean,
    arXiv:1503.02531)."""
    wanted = softmax(taught.float() / temperature, -1)
    return -(temperature**2) * (wanted * log_softmax(scores.float() / temperature, -1)).sum(-1).mean()


def relative_error(name: str, found: Tensor, wanted: Tensor) -> Tensor:
    """Sum of squares of what ``found`` of the layer ``name`` is off, over that of ``wanted``; 0 where that is 0, as
    there is nothing to be relative to. Raises :class:`InputError` where their shapes differ."""
    if found.shape != wanted.shape:
        raise InputError(
            f"training.distillation.features: layer {name} gives {tuple(found.shape)}, the network to learn from "
            f"{tuple(wanted.shape)}: give one of the same layers"
        )
    power = wanted.float().square().sum()
    off = (found.float() - wanted.float()).square().sum()
    return torch.where(power > 0, off / power.clamp_min(torch.finfo(power.dtype).tiny), 0.0)
