"""The official files, where they are at hand."""

import os
from pathlib import Path

import pytest

from surrogate.data.catalogue import load
from surrogate.data.mnist import DEBIAN_FASHION
from surrogate.errors import InputError

FOLDER = Path(os.environ.get("FGCOSIM_DATA") or Path(__file__).parents[4] / "shared" / "data")


def folder_with(*patterns):
    """The data folder, where it holds one of ``patterns``; the test is skipped otherwise."""
    if not any(path for pattern in patterns for path in FOLDER.glob(pattern)):
        pytest.skip(f"{FOLDER} holds none of {', '.join(patterns)}: name the data folder by FGCOSIM_DATA")
    return FOLDER


def test_mnist():
    train, test = load("mnist", folder_with("mnist/train-images*", "MNIST/raw/train-images*", "train-images*"))
    assert (len(train), len(test)) == (60_000, 10_000)
    assert train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert test.labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert float(train.pixels.mean()) == pytest.approx(0.1307, abs=1e-4)  # published, as is the deviation
    assert float(train.pixels.std()) == pytest.approx(0.3081, abs=1e-4)
    small = load("mnist-14x14", FOLDER)
    assert small.train.pixels.shape == (60_000, 1, 14, 14)
    assert float(small.train.pixels.mean()) == pytest.approx(0.1307, abs=1e-4)


def test_mnist_is_no_fashion():
    place = folder_with("mnist/train-images*") / "mnist"
    assert len(load("mnist", place).test) == 10_000
    with pytest.raises(InputError, match="another data set than fashion-mnist"):
        load("fashion-mnist", place)


def test_cifar10():
    folder = folder_with("cifar-10-batches-bin/test_batch.bin", "cifar10/cifar-10-batches-bin/test_batch.bin")
    train, test = load("cifar10", folder)
    assert train.labels.bincount().tolist() == [5000] * 10 and test.labels.bincount().tolist() == [1000] * 10
    assert train.pixels.mean((0, 2, 3)).tolist() == pytest.approx([0.4914, 0.4822, 0.4465], abs=2e-4)  # published
    assert [train.classes[k] for k in train.labels[:3]] == ["frog", "truck", "truck"]


def test_fashion_mnist():
    if not DEBIAN_FASHION.is_dir():
        folder_with("fashion-mnist/train-images*", "FashionMNIST/raw/train-images*")
    train, test = load("fashion-mnist", FOLDER if FOLDER.is_dir() else None)
    assert (len(train), len(test)) == (60_000, 10_000)
    assert test.labels.bincount().tolist() == [1000] * 10
    assert float(train.pixels.mean()) == pytest.approx(0.2860, abs=1e-4)
