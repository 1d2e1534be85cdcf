"""Files of a known length, plain or gzipped: never more memory than that length is taken."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from surrogate.errors import InputError

REMEDY = "fetch the official file again"


def read_exactly(path: Path, length: int) -> bytes:
    """The ``length`` bytes that ``path`` holds; a name in ``.gz`` is unpacked.

    Raises :class:`InputError` where it holds fewer or more bytes (a bomb stops there) or its gzip stream is damaged.
    """
    size = path.stat().st_size
    zipped = path.suffix == ".gz"
    if not zipped and size != length:
        raise InputError(f"{path}: {size} bytes instead of {length}: {REMEDY}")
    if zipped and size > length + 1000 + length // 1000:
        raise InputError(f"{path}: {size} bytes, more than {length} take when zipped: {REMEDY}")
    try:
        with gzip.open(path) if zipped else path.open("rb") as file:
            content = file.read(length)
            rest = file.read(1)  # reads on to the end of the stream, where gzip checks its sum
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: truncated or damaged ({error}): {REMEDY}") from None
    if len(content) != length or rest:
        raise InputError(f"{path}: holds {'more' if rest else 'fewer'} than {length} bytes: {REMEDY}")
    return content


def read_start(path: Path, length: int) -> bytes:
    """The first ``length`` bytes of ``path``, unpacked. Raises :class:`InputError` where there are fewer."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(length)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: truncated or damaged ({error}): {REMEDY}") from None
    if len(content) < length:
        raise InputError(f"{path}: only {len(content)} bytes: {REMEDY}")
    return content
