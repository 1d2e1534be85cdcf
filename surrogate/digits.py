"""The 8×8 handwritten digits of scikit-learn (UCI optical recognition of handwritten digits), split 70/30."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor

SPLIT_SEED = 0


@dataclass(frozen=True)
class Images:
    """Images [n, 64] with pixels in 0..1 and labels [n]."""

    pixels: Tensor
    label: Tensor


def digits() -> tuple[Images, Images]:
    """Training (1257) and test (540) images; the split is the same for every seed of a network."""
    data = load_digits()
    pixels, label = data.data / 16.0, data.target
    split = train_test_split(pixels, label, test_size=0.3, random_state=SPLIT_SEED, stratify=label)
    train_x, test_x, train_y, test_y = split
    return (
        Images(torch.tensor(train_x, dtype=torch.float32), torch.tensor(train_y)),
        Images(torch.tensor(test_x, dtype=torch.float32), torch.tensor(test_y)),
    )
