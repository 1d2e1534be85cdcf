"""LeNet-5 in its modern form."""

from __future__ import annotations

from typing import Literal

from torch import nn

Pooling = Literal["max", "average"]


def lenet5(pooling: Pooling = "max", classes: int = 10) -> nn.Sequential:
    """LeNet-5 for images [b, 1, 28, 28]: two 5×5 convolutions of 6 and 16 maps, then 120, 84 and ``classes`` units.

    After LeCun et al., "Gradient-based learning applied to document recognition", Proc. IEEE 86 (1998), figure 2, with
    ReLU for the sigmoid, full connections between the maps, plain pooling, and a padding of 2 that makes its 32×32.
    """
    pool = nn.MaxPool2d if pooling == "max" else nn.AvgPool2d
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), pool(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), pool(2),
        nn.Flatten(),
        nn.Linear(16 * 5 * 5, 120), nn.ReLU(),
        nn.Linear(120, 84), nn.ReLU(),
        nn.Linear(84, classes),
    )  # fmt: skip
