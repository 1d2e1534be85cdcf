"""Convolutional networks after VGG: stacks of 3×3 convolutions between poolings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import nn

POOL: Literal["pool"] = "pool"


def vgg(widths: Sequence[int | Literal["pool"]], channels: int = 3, classes: int = 10) -> nn.Sequential:
    """3×3 convolutions with batch norm and ReLU of ``widths`` maps each, ``"pool"`` being a 2×2 maximum.

    After Simonyan and Zisserman, arXiv:1409.1556, with batch norm and, for its three large linear layers, one after
    the mean over each map. Takes images [b, channels, h, w]; every pooling halves h and w.
    """
    layers: list[nn.Module] = []
    for width in widths:
        if width == POOL:
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))
