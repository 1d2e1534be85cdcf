"""Small files in the formats of the official ones."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import torch
from torch import Tensor

from surrogate.data.mnist import MNIST, IdxSet

CIFAR_TRAIN = [f"data_batch_{k}.bin" for k in range(1, 6)]


def idx_bytes(items: Tensor, magic: int | None = None) -> bytes:
    """uint8 ``items`` [n, …] as an IDX file."""
    magic = (0x0800 | items.ndim) if magic is None else magic
    return struct.pack(f">{items.ndim + 1}I", magic, *items.shape) + items.contiguous().numpy().tobytes()


def write(path: Path, content: bytes) -> Path:
    """``content`` in ``path``, zipped where its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def random_bytes(*shape: int, below: int = 256, seed: int = 0) -> Tensor:
    """Random uint8 values under ``below``."""
    return torch.randint(below, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def beginning(labels: Tensor, first: tuple[int, ...]) -> Tensor:
    """``labels`` with the ``first`` in the place of as many of theirs."""
    labels[: len(first)] = torch.tensor(first[: len(labels)], dtype=torch.uint8)
    return labels


def write_mnist(
    folder: Path, train: int = 12, test: int = 6, zipped: bool = True, kind: IdxSet = MNIST
) -> tuple[Tensor, Tensor]:
    """A tiny MNIST, or ``kind`` with files of its names, in ``folder``; returns its training images and labels."""
    end = ".gz" if zipped else ""
    images, labels = random_bytes(train, 28, 28), beginning(random_bytes(train, below=10), kind.begins[0])
    shown = beginning(random_bytes(test, below=10, seed=1), kind.begins[1])
    write(folder / f"train-images-idx3-ubyte{end}", idx_bytes(images))
    write(folder / f"train-labels-idx1-ubyte{end}", idx_bytes(labels))
    write(folder / f"t10k-images-idx3-ubyte{end}", idx_bytes(random_bytes(test, 28, 28, seed=1)))
    write(folder / f"t10k-labels-idx1-ubyte{end}", idx_bytes(shown))
    return images, labels


def write_cifar(folder: Path, per_batch: int = 2) -> Tensor:
    """A tiny CIFAR-10 in ``folder``; returns the records [6·per_batch, 3073], test batch last."""
    records = random_bytes(6 * per_batch, 3073)
    records[:, 0] %= 10
    folder.mkdir(parents=True, exist_ok=True)
    for name, batch in zip([*CIFAR_TRAIN, "test_batch.bin"], records.split(per_batch), strict=True):
        (folder / name).write_bytes(batch.numpy().tobytes())
    return records
