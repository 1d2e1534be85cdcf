"""Tables of measured programming errors: CSV files that recipes name.

Two columns, in any order: ``current_A``, the current that cells were told to have, rising, and the standard deviation
of what they came to have, ``error_A`` or, over that current, ``error_relative``.
"""

from __future__ import annotations

import csv
import math
import reprlib
from collections.abc import Mapping as Dictionary
from pathlib import Path
from typing import Any

from surrogate.errors import InputError
from surrogate.validation import plain_number, read_text

ERRORS = ("error_A", "error_relative")
MAX_ROWS = 1000
LARGEST = 1e3
"""A; above it a table is not in amperes."""


def read_error_table(path: Path) -> dict[str, list[float]]:
    """The table in ``path`` as ``currents`` A and ``sigmas`` A. Raises :class:`InputError` with one line that names
    file, row, column and remedy."""
    if not path.is_file():
        raise InputError(f"{path}: no such table of errors: give a CSV file with current_A and {' or '.join(ERRORS)}")
    lines = read_text(path, "table of errors").removeprefix("\ufeff").splitlines()
    reader = csv.reader(lines, strict=True)
    currents: list[float] = []
    sigmas: list[float] = []
    try:
        kind, header = _header(next(reader, []), path)
        for row in reader:
            if not row:
                continue
            where = f"{path}:{reader.line_num}"
            current, error = _row(row, header, kind, where)
            if currents and current <= currents[-1]:
                how = "twice" if current == currents[-1] else f"after {currents[-1]:g}"
                raise InputError(f"{where}: current_A: {current:g} {how}: sort the rows by current, one row each")
            if len(currents) == MAX_ROWS:
                raise InputError(f"{where}: more than {MAX_ROWS} rows: thin the table out")
            currents.append(current)
            sigmas.append(error * current if kind == "error_relative" else error)
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: no CSV: {error}: correct it") from None
    if len(currents) < 2:
        raise InputError(f"{path}: {len(currents)} rows below the header: give two or more to interpolate between")
    return {"currents": currents, "sigmas": sigmas}


def with_tables(content: dict[Any, Any], folder: Path, source: str) -> dict[Any, Any]:
    """The recipe ``content`` with every ``programming.error.table``, a path from ``folder`` on, replaced by what is in
    it, of all layers and of single ones; ``source`` names the recipe in errors. Raises :class:`InputError`."""
    found = _of_section(content, folder, f"{source}: programming.error")
    layers = content.get("layers")
    if isinstance(layers, dict):
        found["layers"] = {
            name: _of_section(changes, folder, f"{source}: layers.{name}.programming.error")
            if isinstance(changes, dict) else changes
            for name, changes in layers.items()
        }  # fmt: skip
    return found


def _of_section(section: Dictionary[Any, Any], folder: Path, where: str) -> dict[Any, Any]:
    programming = section.get("programming")
    if not isinstance(programming, dict):
        return dict(section)
    error = programming.get("error")
    if not isinstance(error, dict) or "table" not in error or error.get("kind", "measured") != "measured":
        return dict(section)
    table = error["table"]
    if not isinstance(table, str) or not table or "\0" in table:
        raise InputError(f"{where}.table {reprlib.repr(table)}: give the path of a CSV file")
    for key in ("currents", "sigmas"):
        if key in error:
            raise InputError(f"{where}.{key}: beside a table: remove one of them")
    rest = {key: value for key, value in error.items() if key != "table"}
    try:
        read = read_error_table(folder / table)
    except OSError as problem:
        raise InputError(f"{where}.table {reprlib.repr(table)}: {problem.strerror}: give a readable CSV file") from None
    except InputError as problem:
        raise InputError(f"{where}.table: {problem}") from None
    return {**section, "programming": {**programming, "error": {**rest, **read}}}


def _header(names: list[str], path: Path) -> tuple[str, list[str]]:
    """Which error the table holds, and its columns."""
    header = [name.strip() for name in names]
    for kind in ERRORS:
        if sorted(header) == sorted(("current_A", kind)):
            return kind, header
    raise InputError(
        f"{path}:1: {reprlib.repr(','.join(header))}: the header must be current_A,{ERRORS[0]} or current_A,{ERRORS[1]}"
    )


def _row(row: list[str], header: list[str], kind: str, where: str) -> tuple[float, float]:
    """Current A and error of one row."""
    if len(row) != len(header):
        raise InputError(f"{where}: {len(row)} values under {len(header)} names: complete or remove the row")
    values = {}
    for name, text in zip(header, row, strict=True):
        shown = reprlib.repr(text.strip())
        try:
            value = plain_number(text)
        except ValueError:
            raise InputError(f"{where}: {name}: {shown} is no number: correct it") from None
        if not math.isfinite(value):
            raise InputError(f"{where}: {name}: {shown} is not finite: correct it")
        if value < 0:
            raise InputError(f"{where}: {name}: {shown} is negative: give a number from 0 on")
        most = 1.0 if name == "error_relative" else LARGEST
        if value > most:
            unit = "a share of the current" if name == "error_relative" else "amperes"
            raise InputError(f"{where}: {name}: {shown} is above {most:g}: give {unit}")
        values[name] = value
    return values["current_A"], values[kind]
