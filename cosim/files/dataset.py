"""Data sets of SPICE runs: HDF5 files with full provenance, written atomically."""

from __future__ import annotations

import hashlib
import json
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
from numpy.typing import NDArray

from cosim.errors import InputError
from cosim.files.hdf5 import Array, lay_out, write_arrays
from surrogate.atomic import replacing

FORMAT = "fgcosim-dataset-1"
MAX_BYTES = 16_000_000_000
USER_BLOCK = 512


@dataclass(frozen=True)
class DataSet:
    """Results of a campaign: n runs of B cell matrices [N, M], p slots in all (docs/glossary.md)."""

    duration: NDArray[np.float64]
    """[n, N] s"""
    cells: NDArray[np.float64]
    """[B, N, M] floating-gate voltage, V (or conductance, S)"""
    weights_index: NDArray[np.int64]
    """[n] which matrix of ``cells`` each run has"""
    role: tuple[str, ...]
    charge: NDArray[np.float64]
    """[n, M] C"""
    slot_sample: NDArray[np.int64]
    """[p] run each slot belongs to"""
    slot_active: NDArray[np.bool_]
    """[p, N]"""
    slot_current: NDArray[np.float64]
    """[p, M] A"""
    energy: NDArray[np.float64]
    """[n] J"""
    attempt: NDArray[np.int64]
    """[n] rung of the option ladder"""
    floating_gate_return: NDArray[np.float64]
    """[n] V"""
    passes: NDArray[np.int64]
    """[n] passes over the blocks of a split array, 0 where it was simulated as a whole"""
    split_error: NDArray[np.float64]
    """[n] estimated relative error of the charges by splitting"""
    design_yaml: str
    design_hash: str
    simulator: str
    options: str
    deck_hash: str
    code_version: str
    seed: int

    def __len__(self) -> int:
        return len(self.duration)

    @property
    def hash(self) -> str:
        """SHA-256 over what was simulated and what came out."""
        digest = hashlib.sha256(self.design_hash.encode())
        for array in (self.duration, self.cells, self.weights_index, self.charge, self.slot_current):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def runs(self, *roles: str) -> NDArray[np.int64]:
        """Indices of the runs of these roles."""
        return np.array([k for k, role in enumerate(self.role) if role in roles], dtype=np.int64)


Blocks = Iterable[tuple[str, NDArray[Any]]]
_ROLE = "role"
_ROLE_LENGTH = 16
_ARRAYS = {
    "duration": ("f8", "nN", "s"), "fg_voltage": ("f8", "BNM", "V"), "weights_index": ("i8", "n", None),
    "charge": ("f8", "nM", "C"), "slot/sample": ("i8", "p", None), "slot/active": ("?", "pN", None),
    "slot/current": ("f8", "pM", "A"), "energy": ("f8", "n", "J"), "attempt": ("i8", "n", None),
    "floating_gate_return": ("f8", "n", "V"), "passes": ("i8", "n", None), "split_error": ("f8", "n", None),
}  # fmt: skip
"""Type, letters of the dimensions and unit of every array of a file."""
_FIELDS = {name: "cells" if name == "fg_voltage" else name.replace("/", "_") for name in _ARRAYS}
"""Field of :class:`DataSet` that every array of a file is."""
_SPLIT = ("passes", "split_error")
"""Not in files from when every array was simulated as a whole."""
_HASHED = ("duration", "fg_voltage", "weights_index", "charge", "slot/current")
_ATTRIBUTES = ("design_yaml", "design_hash", "simulator", "options", "deck_hash", "code_version")


@dataclass(frozen=True)
class Source:
    """What a data set is made from without holding it in memory."""

    shapes: Mapping[str, tuple[int, ...]]
    """Of every array, by its name in the file."""
    blocks: Callable[[], Blocks]
    """The next rows of an array, with its name, one after another."""
    role: tuple[str, ...]
    origin: Mapping[str, Any]
    """Provenance: ``seed`` and all that :class:`DataSet` holds as text."""


def gather(source: Source) -> DataSet:
    """The data set of ``source`` in memory."""
    arrays: dict[str, Any] = {name: np.empty(source.shapes[name], dtype=kind) for name, (kind, _, _) in _ARRAYS.items()}
    filled = dict.fromkeys(arrays, 0)
    for name, block in source.blocks():
        arrays[name][filled[name] : filled[name] + len(block)] = block
        filled[name] += len(block)
    if any(filled[name] != len(array) for name, array in arrays.items()):
        raise ValueError(f"data set: rows are missing: {filled} of {dict(source.shapes)}")
    return DataSet(**{_FIELDS[name]: array for name, array in arrays.items()}, role=source.role, **source.origin)


def save_dataset(data: DataSet, path: Path) -> None:
    """:func:`write_dataset` for a data set in memory."""
    arrays = {name: getattr(data, field) for name, field in _FIELDS.items()}
    origin = {name: getattr(data, name) for name in (*_ATTRIBUTES, "seed")}
    write_dataset(Source({n: a.shape for n, a in arrays.items()}, lambda: arrays.items(), data.role, origin), path)


def write_dataset(source: Source, path: Path) -> None:
    """Write ``source`` to ``path``: beside it first, then renamed into place; memory holds one block at a time.

    The HDF5 part lies behind a user block that names the format and the SHA-256 of what follows: the HDF5 library may
    hang on damaged files. Raises ``OSError`` (disk full) and ``InputError`` where the data set is larger than
    :func:`load_dataset` reads.
    """
    arrays = {name: Array(source.shapes[name], kind, unit) for name, (kind, _, unit) in _ARRAYS.items()}
    arrays[_ROLE] = Array((len(source.role),), f"S{_ROLE_LENGTH}")
    if any(len(role.encode()) > _ROLE_LENGTH for role in source.role):
        raise InputError(f"{path}: a role has more than {_ROLE_LENGTH} letters: shorten it")
    _check_size(sum(array.size for array in arrays.values()), path)
    attributes = {"format": FORMAT, "hash": "0" * 64, **source.origin}
    layout = lay_out(arrays, attributes, USER_BLOCK)
    with replacing(path) as temporary, temporary.open("w+b") as out:
        write_arrays(out, arrays, layout, _with_role(source))
        digest = hashlib.sha256(source.origin["design_hash"].encode())
        for name in _HASHED:
            for content in _read(out, layout.offset[name], arrays[name].size):
                digest.update(content)
        lay_out(arrays, {**attributes, "hash": digest.hexdigest()}, USER_BLOCK).write(out)
        out.seek(USER_BLOCK)
        body = hashlib.file_digest(out, "sha256").hexdigest()
        out.seek(0)
        out.write(_user_block(body))


def _with_role(source: Source) -> Iterator[tuple[str, NDArray[Any]]]:
    yield from source.blocks()
    yield _ROLE, np.array([role.encode() for role in source.role], dtype=f"S{_ROLE_LENGTH}")


def _read(file: BinaryIO, at: int, size: int, chunk: int = 1 << 20) -> Iterator[bytes]:
    file.seek(at)
    for done in range(0, size, chunk):
        yield file.read(min(chunk, size - done))


def _check_size(size: int, path: Path) -> None:
    if size > MAX_BYTES:
        raise InputError(f"{path}: {size} bytes, larger than {MAX_BYTES} bytes: make several smaller data sets")


def load_dataset(path: Path) -> DataSet:
    """Read and check a data set. Raises :class:`InputError` on foreign, truncated, altered or oversized files."""
    if not path.is_file():
        raise InputError(f"{path}: no such data set: make one with 'fgcosim generate'")
    try:
        _check_bytes(path)
        with h5py.File(path, "r") as file:
            held = {name: file[name] for name in (*_ARRAYS, _ROLE) if name in file or name not in _SPLIT}
            _check_sizes(held, path)
            arrays: dict[str, Any] = {_FIELDS[name]: array[()] for name, array in held.items() if name != _ROLE}
            role = tuple(r.decode() for r in held[_ROLE][()])
            origin: dict[str, Any] = {name: _text(file, name) for name in _ATTRIBUTES}
            origin["seed"] = operator.index(file.attrs["seed"])
            if not isinstance(json.loads(origin["options"]), dict):
                raise ValueError("options are no JSON object")
    except InputError:
        raise
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:100]
        raise InputError(f"{path}: no readable data set ({reason}): make it again") from None
    for name in _SPLIT:
        arrays.setdefault(name, np.zeros(len(role), dtype=_ARRAYS[name][0]))
    for name, array in arrays.items():
        if not np.isfinite(array).all() or (name == "duration" and (array < 0).any()):
            raise InputError(f"{path}: {name}: holds values that no run gives: the file was altered")
    for name, end in (("weights_index", len(arrays["cells"])), ("slot_sample", len(role))):
        if not ((arrays[name] >= 0) & (arrays[name] < end)).all():
            raise InputError(f"{path}: {name}: numbers beyond its {end} entries: the file was altered")
    return DataSet(**arrays, role=role, **origin)


def _check_sizes(held: Mapping[str, h5py.Dataset], path: Path) -> None:
    """Raise :class:`InputError` unless types and shapes fit together and all numbers lie in the file itself: nothing
    is read from elsewhere, and nothing small unfolds to something large."""
    sizes: dict[str, int] = {}
    for name, array in held.items():
        if not isinstance(array, h5py.Dataset) or array.dtype.kind not in "fibS":
            raise InputError(f"{path}: {name}: wrong type or shape: the file was altered")
        if array.file.filename != str(path) or array.is_virtual or array.external:
            raise InputError(f"{path}: {name}: lies in another file: the file was altered")
    for name, (kind, letters, _) in {**_ARRAYS, _ROLE: (held[_ROLE].dtype, "n", None)}.items():
        if (array := held.get(name)) is None:
            continue
        if array.ndim != len(letters) or array.dtype != np.dtype(kind):
            raise InputError(f"{path}: {name}: wrong type or shape: the file was altered")
        for letter, size in zip(letters, array.shape, strict=True):
            if sizes.setdefault(letter, size) != size:
                raise InputError(f"{path}: {name}: {size} entries, not {sizes[letter]}: the file was altered")
    size = sum(array.size * array.dtype.itemsize for array in held.values())
    if size > path.stat().st_size:
        raise InputError(f"{path}: holds less than its {size} bytes of numbers: the file was altered")
    _check_size(size, path)


def _text(file: h5py.File, name: str) -> str:
    """An attribute that is one text. Raises ``ValueError`` where it is anything else, before it is read."""
    if file.attrs.get_id(name).shape != () or not isinstance(value := file.attrs[name], str):
        raise ValueError(f"{name} is no text")
    return value


def _check_bytes(path: Path) -> None:
    """Raise :class:`InputError` unless the file's user block belongs to the bytes that follow it."""
    _check_size(path.stat().st_size // 2, path)
    with path.open("rb") as handle:
        block = handle.read(USER_BLOCK)
        if not block.startswith(FORMAT.encode()):
            raise InputError(f"{path}: no data set of this program ({FORMAT}): make one with 'fgcosim generate'")
        if block != _user_block(hashlib.file_digest(handle, "sha256").hexdigest()):
            raise InputError(f"{path}: truncated or altered (its checksum does not fit): make it again")


def _user_block(digest: str) -> bytes:
    return f"{FORMAT} sha256 {digest}\n".encode().ljust(USER_BLOCK, b"\0")

