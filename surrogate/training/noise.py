"""How a network is called while it trains: as it is, or with noise on its weights (the simple baseline)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn

Forward = Callable[[nn.Module, Tensor, Generator], Tensor]
"""Scores of a network for a batch; the generator is for whatever it draws, and is kept in checkpoints."""


def as_it_is(network: nn.Module, pixels: Tensor, generator: Generator) -> Tensor:
    """The network's own scores."""
    scores: Tensor = network(pixels)
    return scores


def with_weight_noise(deviation: float) -> Forward:
    """Every call with each weight W replaced by W·(1 + ``deviation``·ε), ε standard normal and drawn anew.

    Weights are the parameters of two and more dimensions; biases and batch norms stay, since they are no cells. The
    gradient reaches W through the same factor, and W itself is left as it is. Layers that clip and round their weights
    do so with the noisy ones.
    """

    def forward(network: nn.Module, pixels: Tensor, generator: Generator) -> Tensor:
        noisy = {
            name: weight * (1 + deviation * torch.randn(weight.shape, generator=generator).to(weight.device))
            for name, weight in network.named_parameters()
            if weight.ndim > 1
        }
        scores: Tensor = torch.func.functional_call(network, noisy, (pixels,))
        return scores

    return forward
