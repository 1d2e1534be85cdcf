"""Small files that would become large in memory, and what their readers make of them.

Run as a program with a folder (and this one's parents on Python's path), it limits its own memory, tries every
bomb and prints what happened as JSON.
"""

from __future__ import annotations

import hashlib
import io
import json
import resource
import struct
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from readers import READERS, Reader, design, reader

from cosim.campaigns.plan import PlanSize, random_cells, standard_plan
from cosim.files.dataset import USER_BLOCK, _user_block
from cosim.vmm.programming import ReadCurve
from netlists.designfile import parse_design
from netlists.graph import array_graph

ROOM = 1_000_000_000
"""Bytes of address space beyond what the process has after its imports."""
TERABYTE = 10**12
ELEMENTS = 10**12


def sparse(path: Path, size: int = TERABYTE) -> None:
    """Make the file ``size`` bytes long, all but its beginning a hole."""
    with path.open("r+b") as file:
        file.truncate(size)


def text(make: Callable[[], str]) -> Callable[[Path], None]:
    """Replaces the file's content."""
    return lambda path: path.write_text(make(), encoding="utf-8") and None


def append(make: Callable[[], bytes]) -> Callable[[Path], None]:
    """Adds to the file's content."""
    return lambda path: path.write_bytes(path.read_bytes() + make()) and None


def laughs() -> str:
    """Ten to the power of 29 words by aliases."""
    return "x0: &a0 [1, 2]\n" + "\n".join(f"x{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]" for k in range(1, 30))


def line_without_end(path: Path) -> None:
    """A CSV file below its limit that is one line but for the header."""
    sparse(path, 1_900_000_000)


def hdf5(change: Callable[[h5py.File], None]) -> Callable[[Path], None]:
    """Alters the HDF5 part of a data set and signs it again."""

    def make(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            change(file)
        body = path.read_bytes()[USER_BLOCK:]
        path.write_bytes(_user_block(hashlib.sha256(body).hexdigest()) + body)

    return make


def never_written(file: h5py.File) -> None:
    """Charges of a thousand billion runs in chunks that do not exist: a few hundred bytes."""
    del file["charge"]
    file.create_dataset("charge", shape=(ELEMENTS, 2), chunks=(1 << 16, 2), dtype="f8", compression="gzip")


def compressed(file: h5py.File) -> None:
    """Zeros packed a thousand times smaller."""
    for name, shape in (("charge", (1_000_000, 2)), ("duration", (1_000_000, 4))):
        del file[name]
        file.create_dataset(name, data=np.zeros(shape), chunks=(1 << 16, shape[1]), compression="gzip")


def huge_shape(path: Path) -> None:
    """A safetensors header that promises a terabyte."""
    header = {"shared": {"dtype": "F64", "shape": [ELEMENTS // 8], "data_offsets": [0, ELEMENTS]}}
    content = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(content)) + content)


def huge_shape_and_hole(path: Path) -> None:
    """The same, and the file is as long as it says."""
    huge_shape(path)
    sparse(path, path.stat().st_size + ELEMENTS)


def long_header(path: Path) -> None:
    """A safetensors header of half the address space, by its length field."""
    path.write_bytes(struct.pack("<Q", 1 << 62) + path.read_bytes()[8:])


def zipped(content: Callable[[], bytes], promised: int | None = None) -> Callable[[Path], None]:
    """An archive whose ``time`` is ``content``, by its directory of ``promised`` bytes."""

    def make(path: Path) -> None:
        with zipfile.ZipFile(path) as old:
            members = {name: old.read(name) for name in old.namelist()}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
            for name, held in {**members, "time.npy": content()}.items():
                new.writestr(name, held)
            if promised is not None:
                new.getinfo("time.npy").file_size = promised

    return make


def npy(shape: tuple[int, ...], held: int = 0) -> bytes:
    """An array by its header of ``shape``, of which ``held`` bytes are there."""
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return out.getvalue() + bytes(held)


def counts(variables: int, points: int) -> Callable[[Path], None]:
    """A raw file whose header promises that much."""

    def make(path: Path) -> None:
        raw = path.read_bytes().replace(b"Variables: 3", f"Variables: {variables}".encode())
        path.write_bytes(raw.replace(b"Points: 4", f"Points: {points}".encode()))

    return make


BOMBS: list[tuple[str, str, Callable[[Path], None]]] = [
    *((r.kind, "a terabyte of zeros", sparse) for r in READERS if r.kind != "data set"),
    ("design", "billion laughs", text(laughs)),
    ("design", "nested in a line", text(lambda: "[" * 30_000)),
    ("design", "nested by lines", text(lambda: "\n".join(" " * k + "a:" for k in range(250)))),
    ("design", "keys", text(lambda: "".join(f"{k}: 1\n" for k in range(5_000)))),
    ("design", "digits", lambda p: p.write_text(p.read_text().replace("1.2 V", "1" * 30_000)) and None),
    ("measurements", "a line without end", line_without_end),
    ("measurements", "a quote without end", append(lambda: b'"' + b"1,\n" * 10_000_000)),
    ("measurements", "columns", text(lambda: ",".join(f"T_{k}" for k in range(100_000)) + ",Q_0\n0\n")),
    ("durations", "a line without end", line_without_end),
    ("data set", "never written", hdf5(never_written)),
    ("data set", "compressed", hdf5(compressed)),
    *((kind, title, make)
      for kind in ("surrogate", "measured", "network")
      for title, make in (("huge shape", huge_shape), ("huge shape, as long", huge_shape_and_hole),
                          ("long header", long_header))),
    ("waveforms", "zeros", zipped(lambda: npy((4_000_000_000,)), 32_000_000_128)),
    ("waveforms", "huge shape", zipped(lambda: npy((ELEMENTS,)))),
    ("waveforms", "more than its directory says", zipped(lambda: npy((10_000_000,), 80_000_000), 1000)),
    ("raw file", "points", counts(3, ELEMENTS)),
    ("raw file", "vectors", counts(ELEMENTS, 4)),
    ("raw file", "digits", counts(3, 10**4000)),
    *((kind, title, make)
      for kind in ("network.json", "signoff.json", "summary.json")
      for title, make in (("nested", text(lambda: "[" * 1_000_000)), ("digits", text(lambda: "1" * 1_000_000)))),
    ("network.json", "seeds", lambda p: p.write_text(json.dumps({"seeds": [0] * 10**6, "tiles": []})) and None),
]  # fmt: skip


def _great_array() -> None:
    array_graph(design().resized(4096, 4096), np.zeros((4096, 4096)))


def _many_cells() -> None:
    random_cells(np.random.default_rng(0), design().resized(4096, 4096), _CURVE, 10)


def _great_plan() -> None:
    standard_plan(design(), _CURVE, size=PlanSize(weights=10**9))


def _long_design() -> None:
    parse_design("# " * 10_000_000, "design of a data set")


_CURVE = ReadCurve(np.array([0.0, 1.0]), np.array([1e-9, 1e-5]))
CALLS = [_great_array, _many_cells, _great_plan, _long_design]


def outcome(what: Callable[[], Any]) -> dict[str, Any]:
    """How ``what`` ended, and in which time."""
    began = time.perf_counter()
    try:
        ended = what() or "accepted"
    except Exception as error:
        ended = f"{type(error).__name__}: {error}"[:300]
    return {"ended": ended, "seconds": time.perf_counter() - began}


def _refusal(which: Reader, path: Path) -> Callable[[], str]:
    return lambda: which.refusal(path) and "refused"


def main(folder: Path) -> None:
    """Try all and print a list."""
    address_space = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = address_space + ROOM
    tried = []
    for k, (kind, title, make) in enumerate(BOMBS):
        place = folder / str(k)
        place.mkdir()
        which = reader(kind)
        path = which.valid(place)
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        make(path)
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
        tried.append({"bomb": f"{kind}: {title}", **outcome(_refusal(which, path))})
        path.unlink()
    for call in CALLS:
        tried.append({"bomb": call.__name__, **outcome(call)})
    print(json.dumps(tried))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
