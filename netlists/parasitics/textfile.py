"""Lines of a text file that nobody vouches for, packed by gzip or not: bounded in size, printable, numbered."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from netlists.errors import InputError

MAX_BYTES = 256_000_000
"""Largest file, unpacked: a 128x128 array takes 20 MB."""
MAX_LINE = 65_536
"""Longest line in bytes."""
MAX_LINES = 4_000_000
_GZIP = b"\x1f\x8b"


def file_sha256(path: Path) -> str:
    """SHA-256 of the file as it lies there. Raises :class:`InputError` where it cannot be read or is too large."""
    try:
        _refuse_large(path)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}: correct parasitics.file") from None


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Line numbers, from 1, and lines without their ends, tabs as blanks.

    Raises :class:`InputError` naming file and line on anything that is no text, on lines and files that are too long,
    on damaged gzip and on what cannot be read.
    """
    number = 0
    try:
        _refuse_large(path)
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP
            raw.seek(0)
            file: BinaryIO = gzip.GzipFile(fileobj=raw) if packed else raw  # type: ignore[assignment]
            held = 0
            while line := file.readline(MAX_LINE + 1):
                number += 1
                held += len(line)
                if len(line) > MAX_LINE:
                    raise InputError(f"{path}:{number}: longer than {MAX_LINE} characters: not a file of parasitics")
                if held > MAX_BYTES or number > MAX_LINES:
                    limit = f"{MAX_BYTES} bytes or {MAX_LINES} lines"
                    raise InputError(f"{path}:{number}: more than {limit} unpacked: extract the array alone")
                yield number, _text(path, number, line)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}:{number + 1}: damaged gzip ({error}): pack or copy the file again") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}: correct parasitics.file") from None


def _refuse_large(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"{path}: no such file: correct parasitics.file")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path}: larger than {MAX_BYTES} bytes: extract the array alone")


def _text(path: Path, number: int, line: bytes) -> str:
    try:
        text = line.rstrip(b"\r\n").replace(b"\t", b" ").decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if not text.isprintable():
        raise InputError(f"{path}:{number}: holds bytes that are no text: extract or copy the file again")
    return text
