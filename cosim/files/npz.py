"""NumPy archives (``.npz``) read within bounds: no pickles, no array larger than its file says and a limit allows."""

from __future__ import annotations

import lzma
import math
import struct
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

DAMAGE = (
    OSError, ValueError, TypeError, KeyError, EOFError, RuntimeError, OverflowError, SyntaxError,
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error,
)  # fmt: skip
"""What the readers of zip files and arrays raise on bytes that are none."""


def read_npz(
    path: Path, names: Collection[str], max_bytes: int, optional: Collection[str] = ()
) -> dict[str, NDArray[Any]]:
    """The arrays ``names`` in ``path``, and those ``optional`` that are there, at most ``max_bytes`` in all.

    Raises ``ValueError`` in one line where the file is absent, damaged, larger, holds Python objects or lacks one of
    them.
    """
    try:
        if not path.is_file():
            raise ValueError("no such file")
        with zipfile.ZipFile(path) as archive:
            present = [name for name in optional if f"{name}.npy" in archive.NameToInfo]
            members = {name: archive.getinfo(f"{name}.npy") for name in (*names, *present)}
            total = sum(member.file_size for member in members.values())
            if total > max_bytes:
                raise ValueError(f"holds {total} bytes, more than {max_bytes}")
            return {name: _array(archive, member) for name, member in members.items()}
    except DAMAGE as error:
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise ValueError(f"no readable arrays ({reason})") from None


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    """An array whose size by its header is exactly what the archive holds of it, checked before anything is read."""
    with archive.open(member) as file:
        version = npy.read_magic(file)
        header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = header(file)
        left = member.file_size - file.tell()
        if dtype.hasobject or math.prod(shape) * dtype.itemsize != left:
            raise ValueError(f"{member.filename}: {shape} of {dtype} is not what the file holds")
    with archive.open(member) as file:
        return np.asarray(npy.read_array(file, allow_pickle=False))
