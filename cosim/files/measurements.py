"""Measurement files: CSV with header ``T_0,…,T_{N-1},Q_0,…,Q_{M-1}``, seconds and coulombs, one VMM a row; and files
of durations alone, which end at ``T_{N-1}``.

They are read line by line, so that a file takes the memory of its numbers and no more.
"""

from __future__ import annotations

import csv
import hashlib
import math
import reprlib
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from cosim.errors import InputError
from surrogate.atomic import replacing
from surrogate.validation import plain_number

MAX_BYTES = 2_000_000_000
MAX_LINE_BYTES = 1_000_000
MAX_VALUES = 100_000_000
"""Numbers of one file: 0.8 GB in memory."""


SIZES = {"T": (1e-15, 1e3), "Q": (1e-90, 1e3)}
"""Smallest and largest durations in s and charges in C beside 0: within them no formula overflows."""

USUAL = {"T": 1e-2, "Q": 1e-6}
"""Durations in s and charges in C above which a file is likely to be in other units. Arrays are read by pulses of
nanoseconds to milliseconds; 1 uC takes an integrating capacitor of 1 uF to a volt, a million times an on-chip one."""
USUAL_CURRENT = 0.1
"""A; mean current of a column above which durations and charges are likely to be in units that do not fit: a bit line
of minimum width stands some mA."""


@dataclass(frozen=True)
class Measurements:
    """``duration`` [n, N] s and ``charge`` [n, M] C; ``hash`` of the file they came from.

    Raises :class:`InputError` on shapes that do not fit and on values beyond :data:`SIZES`.
    """

    duration: NDArray[np.float64]
    charge: NDArray[np.float64]
    hash: str

    def __post_init__(self) -> None:
        t, q = np.shape(self.duration), np.shape(self.charge)
        if not (len(t) == len(q) == 2 and t[0] == q[0] and 0 not in (*t, *q)):
            raise InputError(f"measurements: durations {t} and charges {q}: give [n, N] and [n, M]")
        for kind, values in (("T", self.duration), ("Q", self.charge)):
            least, largest = SIZES[kind]
            size = np.abs(values)
            if not ((size == 0) | ((size >= least) & (size <= largest))).all() or (kind == "T" and (values < 0).any()):
                raise InputError(f"measurements: {kind}: values beyond {least:g} to {largest:g} or negative durations")


def load_measurements(path: Path, warn: Callable[[str], None] = lambda line: None) -> Measurements:
    """Read a measurement file. ``warn`` gets a line for values that no array has, whose unit is likely to be wrong.
    Raises :class:`InputError` naming file, line, column and remedy."""
    table, names, lines, digest = _read(path, "measurement", lambda header: _check_header(header, path))
    rows = sum(name.startswith("T_") for name in names)
    for line, doubt in _doubts(table[:, :rows], table[:, rows:]):
        warn(f"{path}:{lines[line]}: {doubt}")
    return Measurements(table[:, :rows], table[:, rows:], digest)


def _doubts(duration: NDArray[np.float64], charge: NDArray[np.float64]) -> Iterator[tuple[int, str]]:
    """Rows, from 0, whose values no array has, and what to do: at most one for durations and one for charges."""
    size, longest = np.abs(charge), duration.max(axis=1)
    row, i = np.unravel_index(np.argmax(duration), duration.shape)
    if duration[row, i] > USUAL["T"]:
        yield int(row), f"T_{i}: {duration[row, i]:g} s is longer than pulses of arrays: are durations in seconds?"
    row, j = np.unravel_index(np.argmax(size), size.shape)
    if size[row, j] > USUAL["Q"]:
        yield int(row), f"Q_{j}: {charge[row, j]:g} C is more than columns of arrays give: are charges in coulombs?"
        return
    current = size.max(axis=1) / np.maximum(longest, SIZES["T"][0])
    row = np.argmax(np.where(longest > 0, current, 0))
    if longest[row] > 0 and current[row] > USUAL_CURRENT:
        j = np.argmax(size[row])
        given = f"{charge[row, j]:g} C in {longest[row]:g} s is {current[row]:g} A"
        yield int(row), f"Q_{j}: {given}: seconds and coulombs?"


def load_durations(path: Path, rows: int) -> NDArray[np.float64]:
    """Durations [n, ``rows``] s from a CSV file with header ``T_0,…``. Raises :class:`InputError` naming file, line,
    column and remedy."""

    def check(header: list[str]) -> None:
        if header != [f"T_{i}" for i in range(rows)]:
            raise InputError(f"{path}:1: the header must be T_0,…,T_{rows - 1}, one name for every word line")

    return _read(path, "durations", check)[0]


def save_measurements(duration: NDArray[np.float64], charge: NDArray[np.float64], path: Path) -> None:
    """Write a measurement file that :func:`load_measurements` reads back to the same numbers: beside it first, then
    renamed into place."""
    header = [f"T_{i}" for i in range(duration.shape[1])] + [f"Q_{j}" for j in range(charge.shape[1])]
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([repr(float(x)) for x in row] for row in np.hstack([duration, charge]))


def _read(
    path: Path, kind: str, check_header: Callable[[list[str]], None]
) -> tuple[NDArray[np.float64], list[str], array[int], str]:
    """Numbers [n, k] below a header of k names, the names, the line of each row, and the file's SHA-256."""
    if not path.is_file():
        raise InputError(f"{path}: no such {kind} file")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path}: larger than {MAX_BYTES} bytes: split it")
    digest, values, lines = hashlib.sha256(), array("d"), array("q")
    with path.open("rb") as file:
        reader = csv.reader(_lines(file, path, digest))
        try:
            header = [name.strip() for name in next(reader, [])]
            check_header(header)
            for row in reader:
                if row:
                    values.extend(_numbers(row, header, path, reader.line_num))
                    lines.append(reader.line_num)
                if len(values) > MAX_VALUES:
                    raise InputError(f"{path}:{reader.line_num}: more than {MAX_VALUES} numbers: split the file")
        except csv.Error as error:
            raise InputError(f"{path}:{reader.line_num}: not CSV: {error}") from None
    if not values:
        raise InputError(f"{path}: no {kind} below the header: add rows")
    return np.frombuffer(values).reshape(-1, len(header)), header, lines, digest.hexdigest()


def _lines(file: BinaryIO, path: Path, digest: Any) -> Iterator[str]:
    number = 0
    while raw := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(raw) > MAX_LINE_BYTES:
            raise InputError(f"{path}:{number}: longer than {MAX_LINE_BYTES} bytes: one VMM a line, as plain numbers")
        digest.update(raw)
        try:
            yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise InputError(f"{path}:{number}: not UTF-8 text: save it as CSV in UTF-8") from None


def _check_header(header: list[str], path: Path) -> None:
    rows = sum(name.startswith("T_") for name in header)
    columns = len(header) - rows
    expected = [f"T_{i}" for i in range(rows)] + [f"Q_{j}" for j in range(columns)]
    if rows == 0 or columns == 0 or header != expected:
        wrong = next((h for h, e in zip(header, expected, strict=False) if h != e), None)
        found = "empty: " if not header else f"{reprlib.repr(wrong)}: " if wrong is not None else ""
        raise InputError(f"{path}:1: {found}the header must be T_0,…,T_N-1,Q_0,…,Q_M-1 in this order")


def _numbers(row: list[str], header: list[str], path: Path, line: int) -> list[float]:
    if len(row) != len(header):
        raise InputError(f"{path}:{line}: {len(row)} values under {len(header)} names: complete or remove the row")
    values = []
    for name, text in zip(header, row, strict=True):
        try:
            value = plain_number(text)
        except ValueError:
            shown = reprlib.repr(text.strip())
            raise InputError(f"{path}:{line}: {name}: {shown} is no number: correct it") from None
        if not math.isfinite(value):
            raise InputError(f"{path}:{line}: {name}: {reprlib.repr(text.strip())} is not finite: correct it")
        if name.startswith("T_") and value < 0:
            raise InputError(f"{path}:{line}: {name}: {value:g} s is negative: durations are seconds from 0 up")
        least, largest = SIZES[name[0]]
        if value and not least <= abs(value) <= largest:
            raise InputError(
                f"{path}:{line}: {name}: {value:g} is not 0 nor {least:g} to {largest:g}: give seconds and coulombs"
            )
        values.append(value)
    return values
