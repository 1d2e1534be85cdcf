"""ngspice's binary raw files, read by their header's counts."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MAX_BYTES = 2_000_000_000
MAX_HEADER_BYTES = 50_000_000
"""Longest header: names of a million vectors."""


def read_raw(path: Path, plot: str = "") -> dict[str, NDArray[np.float64]]:
    """Vectors of the last plot in a real binary raw file whose name begins with ``plot``, by lower-case name.

    Raises ``ValueError`` where the file is no raw file or shorter than its header promises.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such raw file")
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path}: larger than {MAX_BYTES} bytes")
    data = path.read_bytes()
    before = max(data.rfind(b"Plotname: " + plot.encode()), 0) if plot else len(data)
    start = data.rfind(b"Title:", 0, before)
    mark = data.find(b"Binary:\n", start)
    if start < 0 or mark < 0 or mark - start > MAX_HEADER_BYTES:
        raise ValueError(f"{path}: no binary raw file")
    header = data[start:mark].decode("utf-8", errors="replace")
    variables, points = _count(header, "No. Variables", path), _count(header, "No. Points", path)
    if re.search(r"^Flags:.*complex", header, re.MULTILINE):
        raise ValueError(f"{path}: holds complex vectors")
    offset = mark + len(b"Binary:\n")
    if points < 1 or len(data) - offset < 8 * variables * points:
        raise ValueError(f"{path}: holds {len(data) - offset} bytes, its header promises {8 * variables * points}")
    listing = re.split(r"^Variables:", header, maxsplit=1, flags=re.MULTILINE)[-1]
    names = [name.lower() for name in re.findall(r"^\s*\d+\s+(\S+)\s+\S+", listing, re.MULTILINE)]
    if len(names) != variables or len(set(names)) != variables:
        raise ValueError(f"{path}: names {len(set(names))} of {variables} vectors")
    values = np.frombuffer(data, dtype="<f8", count=variables * points, offset=offset).reshape(points, variables)
    return dict(zip(names, np.ascontiguousarray(values.T), strict=True))


def _count(header: str, key: str, path: Path) -> int:
    match = re.search(rf"{re.escape(key)}:\s*(\d{{1,15}})\s", header)
    if not match:
        raise ValueError(f"{path}: raw file header without '{key}' or with a senseless one")
    return int(match.group(1))
