"""The 8×8 handwritten digits of scikit-learn (UCI optical recognition of handwritten digits), split 70/30."""

from __future__ import annotations

import torch

from surrogate.data.images import DataSet, Images

SPLIT_SEED = 0
CLASSES = tuple("0123456789")


def digits() -> DataSet:
    """Training (1257) and test (540) images [n, 64]; the split is the same for every seed of a network."""
    from sklearn.datasets import load_digits  # here, as it takes seconds to load and other data sets need none of it
    from sklearn.model_selection import train_test_split

    data = load_digits()
    pixels, labels = data.data / 16.0, data.target
    split = train_test_split(pixels, labels, test_size=0.3, random_state=SPLIT_SEED, stratify=labels)
    train_x, test_x, train_y, test_y = split
    return DataSet(
        Images(torch.tensor(train_x, dtype=torch.float32), torch.tensor(train_y), "digits train", CLASSES),
        Images(torch.tensor(test_x, dtype=torch.float32), torch.tensor(test_y), "digits test", CLASSES),
    )
