"""What training lowers: cross-entropy with the labels, with what another network says of the images, or of both."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax, softmax

from surrogate.errors import InputError
from surrogate.training.recipe import TrainingRecipe

Loss: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Mean loss of pixels, their scores [n, classes] and labels [n]."""


def loss_of(recipe: TrainingRecipe, teacher: nn.Module | None) -> Loss:
    """The loss that ``recipe`` asks for. Raises :class:`InputError` where it distils and there is no ``teacher``."""
    labelled = of_labels(recipe.label_smoothing)
    if recipe.distillation is None:
        return labelled
    if teacher is None:
        raise InputError("training.distillation: there is no network to learn from here: leave it out")
    share, taught = recipe.distillation.share, of_teacher(teacher, recipe.distillation.temperature)

    def loss(pixels: Tensor, scores: Tensor, labels: Tensor) -> Tensor:
        return share * taught(pixels, scores, labels) + (1 - share) * labelled(pixels, scores, labels)

    return loss


def of_labels(smoothing: float) -> Loss:
    """Cross-entropy with labels, of which ``smoothing`` is spread over all classes."""

    def loss(_pixels: Tensor, scores: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(scores.float(), labels, label_smoothing=smoothing)

    return loss


def of_teacher(teacher: nn.Module, temperature: float) -> Loss:
    """Cross-entropy with the probabilities that ``teacher``, in evaluation mode, gives the classes at ``temperature``,
    times its square, so that gradients do not depend on it (Hinton, Vinyals, Dean, arXiv:1503.02531)."""
    teacher.eval()

    def loss(pixels: Tensor, scores: Tensor, _labels: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = softmax(teacher(pixels).float() / temperature, -1)
        return -temperature**2 * (wanted * log_softmax(scores.float() / temperature, -1)).sum(-1).mean()

    return loss
