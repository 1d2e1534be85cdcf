"""HDF5 files larger than memory, written so that a full disk is an ``OSError`` and nothing else.

The HDF5 library may crash or hang where the disk is full. Here it only lays the file out, in memory and without the
numbers; layout and numbers then go to the disk as plain bytes.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import h5py
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Array:
    """An array of a file: its shape, its type as numpy writes it and the unit of its numbers."""

    shape: tuple[int, ...]
    kind: str
    unit: str | None = None

    @property
    def size(self) -> int:
        """Bytes."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.kind).itemsize


@dataclass(frozen=True)
class Layout:
    """Where everything lies in a file: ``offset`` of every array (0 where it has no numbers), and all other bytes."""

    offset: Mapping[str, int]
    pieces: tuple[tuple[int, bytes], ...]

    def write(self, out: BinaryIO) -> None:
        """Write all but the arrays."""
        for at, content in self.pieces:
            out.seek(at)
            out.write(content)


def lay_out(arrays: Mapping[str, Array], attributes: Mapping[str, Any], user_block: int) -> Layout:
    """Layout of a file of ``arrays`` and ``attributes`` behind ``user_block`` bytes.

    It is the same for attributes of the same names and lengths, whatever they say.
    """
    with os.fdopen(os.memfd_create("layout"), "w+b", buffering=0) as memory:  # the arrays are holes, without memory
        try:
            with h5py.File(memory, "w", userblock_size=user_block) as file:
                offset = {name: _allocate(file, name, array) for name, array in arrays.items()}
                for name, value in attributes.items():
                    file.attrs[name] = value
        except AttributeError:  # h5py calls flush with truncate's error pending, which hides that error
            raise OSError(errno.EFBIG, "the system lets no file grow so large") from None
        end, pieces, at = memory.seek(0, os.SEEK_END), [], user_block
        for name, where in sorted(((n, w) for n, w in offset.items() if arrays[n].size), key=lambda item: item[1]):
            pieces.append((at, os.pread(memory.fileno(), where - at, at)))
            at = where + arrays[name].size
        pieces.append((at, os.pread(memory.fileno(), end - at, at)))
    return Layout(offset, tuple(pieces))


def _allocate(file: h5py.File, name: str, array: Array) -> int:
    """Make the array with a place in the file, unfilled, and return that place."""
    how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    how.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    how.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    made = file.create_dataset(name, shape=array.shape, dtype=array.kind, dcpl=how)
    if array.unit is not None:
        made.attrs["unit"] = array.unit
    return int(made.id.get_offset() or 0)


def write_arrays(
    out: BinaryIO, arrays: Mapping[str, Array], layout: Layout, blocks: Iterable[tuple[str, NDArray[Any]]]
) -> None:
    """Write ``blocks``, each the next rows of the array it names, to their places.

    Raises ``ValueError`` where a block or the sum of an array's blocks does not fit its shape.
    """
    written = dict.fromkeys(arrays, 0)
    for name, block in blocks:
        array = arrays[name]
        content = np.ascontiguousarray(block, dtype=array.kind).reshape(-1).view(np.uint8)
        if block.shape[1:] != array.shape[1:] or written[name] + content.size > array.size:
            raise ValueError(f"{name}: rows of shape {block.shape} are too many for {array.shape}")
        if content.size:
            out.seek(layout.offset[name] + written[name])
            out.write(content.data)
            written[name] += content.size
    short = [name for name, array in arrays.items() if written[name] != array.size]
    if short:
        raise ValueError(f"{short[0]}: {written[short[0]]} of {arrays[short[0]].size} bytes were given")
