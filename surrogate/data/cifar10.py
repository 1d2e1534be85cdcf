"""CIFAR-10 from its official binary version (https://www.cs.toronto.edu/~kriz/cifar.html)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from surrogate.data.bounded import REMEDY, read_exactly
from surrogate.data.images import DataSet, Images, from_bytes
from surrogate.errors import InputError

NAME = "cifar10"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FOLDER = "cifar-10-batches-bin"
TRAIN = tuple(f"data_batch_{k}.bin" for k in range(1, 6))
TEST = ("test_batch.bin",)
SHAPE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32
"""Bytes of an image: its label, then red, green and blue, each row by row."""
PER_BATCH = 10_000


def read_cifar10(folder: Path, per_batch: int = PER_BATCH) -> DataSet:
    """50,000 training and 10,000 test images [n, 3, 32, 32] from the folder of the six official batches.

    ``per_batch`` images are expected of every file. Raises :class:`InputError` on missing or damaged files.
    """
    return DataSet(_read(folder, TRAIN, per_batch, "train"), _read(folder, TEST, per_batch, "test"))


def _read(folder: Path, names: tuple[str, ...], per_batch: int, part: str) -> Images:
    batches = [_batch(folder / name, per_batch) for name in names]
    records = torch.cat(batches)
    return from_bytes(records[:, 1:].reshape(-1, *SHAPE), records[:, 0], f"{NAME} {part}", CLASSES)


def _batch(path: Path, count: int) -> Tensor:
    if not path.is_file():
        raise InputError(f"{path}: missing: CIFAR-10's binary version has {', '.join((*TRAIN, *TEST))}")
    content = bytearray(read_exactly(path, count * RECORD))
    records = torch.frombuffer(content, dtype=torch.uint8).reshape(count, RECORD)
    if (label := int(records[:, 0].max())) >= len(CLASSES):
        raise InputError(f"{path}: label {label}, but {len(CLASSES)} classes: {REMEDY}")
    return records
