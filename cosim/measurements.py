"""Measurement files: CSV with header ``T_0,…,T_{N-1},Q_0,…,Q_{M-1}``, seconds and coulombs, one VMM a row."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosim.errors import InputError

MAX_BYTES = 2_000_000_000


@dataclass(frozen=True)
class Measurements:
    """``duration`` [n, N] s and ``charge`` [n, M] C; ``hash`` of the file they came from."""

    duration: NDArray[np.float64]
    charge: NDArray[np.float64]
    hash: str


def load_measurements(path: Path) -> Measurements:
    """Read a measurement file. Raises :class:`InputError` naming file, line, column and remedy."""
    if not path.is_file():
        raise InputError(f"{path}: no such measurement file")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path}: larger than {MAX_BYTES} bytes")
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8 text: expected CSV with header T_0,…,Q_0,…") from None
    reader = csv.reader(io.StringIO(text))
    try:
        header = [name.strip() for name in next(reader, [])]
        rows = _check_header(header, path)
        values = [_numbers(row, header, path, reader.line_num) for row in reader if row]
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: not CSV: {error}") from None
    if not values:
        raise InputError(f"{path}: no measurements below the header: add rows")
    table = np.array(values)
    return Measurements(table[:, :rows], table[:, rows:], hashlib.sha256(raw).hexdigest())


def save_measurements(duration: NDArray[np.float64], charge: NDArray[np.float64], path: Path) -> None:
    """Write a measurement file that :func:`load_measurements` reads back to the same numbers."""
    header = [f"T_{i}" for i in range(duration.shape[1])] + [f"Q_{j}" for j in range(charge.shape[1])]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([repr(float(x)) for x in row] for row in np.hstack([duration, charge]))


def _check_header(header: list[str], path: Path) -> int:
    """Number of word lines."""
    rows = sum(name.startswith("T_") for name in header)
    columns = len(header) - rows
    expected = [f"T_{i}" for i in range(rows)] + [f"Q_{j}" for j in range(columns)]
    if rows == 0 or columns == 0 or header != expected:
        wrong = next((h for h, e in zip(header, expected, strict=False) if h != e), "the header")
        raise InputError(f"{path}:1: {wrong!r}: the header must be T_0,…,T_N-1,Q_0,…,Q_M-1 in this order")
    return rows


def _numbers(row: list[str], header: list[str], path: Path, line: int) -> list[float]:
    if len(row) != len(header):
        raise InputError(f"{path}:{line}: {len(row)} values under {len(header)} names: complete or remove the row")
    values = []
    for name, text in zip(header, row, strict=True):
        try:
            value = float(text)
        except ValueError:
            raise InputError(f"{path}:{line}: {name}: {text.strip()!r} is no number: correct it") from None
        if not math.isfinite(value):
            raise InputError(f"{path}:{line}: {name}: {text.strip()!r} is not finite: correct it")
        if name.startswith("T_") and value < 0:
            raise InputError(f"{path}:{line}: {name}: {value:g} s is negative: durations are seconds from 0 up")
        values.append(value)
    return values
