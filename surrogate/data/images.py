"""The one form in which every data set is handed out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from surrogate.errors import InputError


@dataclass(frozen=True, eq=False)
class Images:
    """Images with their labels.

    ``pixels`` are float32 in 0..1, [n, channels, height, width] or flattened [n, features]: pulse widths cannot be
    negative, so no mean is subtracted. ``labels`` are int64 [n], each the index of its class in ``classes``.
    ``name`` says which data set and part this is. Raises :class:`InputError` where these do not hold.
    """

    pixels: Tensor
    labels: Tensor
    name: str
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        pixels, labels = self.pixels, self.labels
        if pixels.dtype != torch.float32 or pixels.ndim not in (2, 4):
            shape = list(pixels.shape)
            raise InputError(f"{self.name}: pixels {pixels.dtype} {shape}: give float32 [n, features] or [n, c, h, w]")
        if labels.dtype != torch.int64 or labels.shape != pixels.shape[:1]:
            raise InputError(f"{self.name}: labels {labels.dtype} {list(labels.shape)} of {len(pixels)} images: "
                             "give one int64 each")  # fmt: skip
        if len(pixels) == 0:
            raise InputError(f"{self.name}: no images: give at least one")
        low, high = pixels.aminmax()
        if not (low >= 0 and high <= 1):
            raise InputError(f"{self.name}: pixels from {low:g} to {high:g}: scale them to 0..1")
        if labels.min() < 0 or labels.max() >= len(self.classes):
            raise InputError(f"{self.name}: labels from {labels.min()} to {labels.max()}, but {len(self.classes)} "
                             "classes: the labels belong to other images")  # fmt: skip

    def __len__(self) -> int:
        return len(self.labels)

    def flat(self) -> Images:
        """The same images as rows [n, features]."""
        return replace(self, pixels=self.pixels.flatten(1))

    def first(self, count: int) -> Images:
        """The first ``count`` images (all where there are fewer)."""
        return replace(self, pixels=self.pixels[:count], labels=self.labels[:count])

    def chosen(self, index: Tensor) -> Images:
        """The images at ``index`` [k]."""
        return replace(self, pixels=self.pixels[index], labels=self.labels[index])

    def digest(self) -> str:
        """A hash of pixels and labels: equal for equal images wherever their files lay."""
        content = hashlib.sha256(repr(tuple(self.pixels.shape)).encode())
        content.update(self.pixels.contiguous().numpy().data)
        content.update(self.labels.contiguous().numpy().data)
        return content.hexdigest()


class DataSet(NamedTuple):
    """Training and test images of one data set."""

    train: Images
    test: Images


def from_bytes(pixels: Tensor, labels: Tensor, name: str, classes: tuple[str, ...]) -> Images:
    """Images of uint8 pixels [n, c, h, w] and uint8 labels [n], as the official files hold them."""
    return Images(pixels.to(torch.float32).div_(255), labels.to(torch.int64), name, classes)
