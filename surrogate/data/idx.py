"""IDX files of bytes, as MNIST and its relatives come (http://yann.lecun.com/exdb/mnist, "the IDX file format")."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import torch
from torch import Tensor

from surrogate.data.bounded import REMEDY, read_exactly, read_start
from surrogate.errors import InputError

UNSIGNED_BYTE = 0x08
MAX_COUNT = 1_000_000
"""Most images of one file (EMNIST by class, the largest, has 697,932)."""


def read_idx(path: Path, shape: tuple[int, ...]) -> Tensor:
    """The bytes of ``path`` as uint8 [n, *shape], the size of each item being known beforehand.

    Magic number, sizes and count are checked before anything of their size is read. Raises :class:`InputError`.
    """
    dimensions = len(shape) + 1
    start = read_start(path, 4 + 4 * dimensions)
    magic, count, *sizes = struct.unpack(f">{dimensions + 1}I", start)
    if magic != UNSIGNED_BYTE << 8 | dimensions:
        wanted = f"0x{UNSIGNED_BYTE << 8 | dimensions:08x}"
        raise InputError(f"{path}: magic number 0x{magic:08x} instead of {wanted}: {REMEDY}")
    if tuple(sizes) != shape:
        raise InputError(f"{path}: items of {_by(tuple(sizes))} instead of {_by(shape)}: {REMEDY}")
    if not 0 < count <= MAX_COUNT:
        raise InputError(f"{path}: {count} items, not 1 to {MAX_COUNT}: {REMEDY}")
    content = bytearray(read_exactly(path, len(start) + count * math.prod(shape)))
    return torch.frombuffer(content, dtype=torch.uint8, offset=len(start)).reshape(count, *shape)


def _by(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes)) or "single bytes"
