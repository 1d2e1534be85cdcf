"""Accuracy of a network on images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from surrogate.data.images import Images

BATCH = 512


def accuracy(scores: Tensor, labels: Tensor) -> float:
    """Share of images whose highest score is their label's."""
    return float((scores.argmax(-1) == labels).double().mean())


def scores_of(network: nn.Module, pixels: Tensor, batch: int = BATCH) -> Tensor:
    """Scores [n, classes] of images, computed where the network is, in evaluation mode, and returned to the CPU."""
    device = next((p.device for p in network.parameters()), pixels.device)
    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            return torch.cat([network(some.to(device)).cpu() for some in pixels.split(batch)])
    finally:
        network.train(training)


def accuracy_of(network: nn.Module, images: Images, batch: int = BATCH) -> float:
    """Share of ``images`` that ``network`` puts into the right class, ``batch`` of them at a time."""
    return accuracy(scores_of(network, images.pixels, batch), images.labels)
