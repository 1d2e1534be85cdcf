"""Data sets of SPICE runs: HDF5 files with full provenance, written atomically."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from cosim.errors import InputError
from surrogate.atomic import replacing

FORMAT = "fgcosim-dataset-1"
MAX_BYTES = 16_000_000_000
USER_BLOCK = 512


@dataclass(frozen=True)
class DataSet:
    """Results of a campaign: n runs of B cell matrices [N, M], p slots in all (see DESIGN terms)."""

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


_ARRAYS = {
    "duration": ("f8", 2), "fg_voltage": ("f8", 3), "weights_index": ("i8", 1), "charge": ("f8", 2),
    "slot/sample": ("i8", 1), "slot/active": ("?", 2), "slot/current": ("f8", 2), "energy": ("f8", 1),
    "attempt": ("i8", 1), "floating_gate_return": ("f8", 1),
}  # fmt: skip
_UNITS = {"duration": "s", "fg_voltage": "V", "charge": "C", "slot/current": "A", "energy": "J"}
_ATTRIBUTES = ("design_yaml", "design_hash", "simulator", "options", "deck_hash", "code_version")


def save_dataset(data: DataSet, path: Path) -> None:
    """Write ``data`` to ``path``: beside it first, then renamed into place. Raises ``OSError`` (disk full).

    The HDF5 part lies behind a user block that names the format and the SHA-256 of what follows: the HDF5 library may
    hang on damaged files. It is made in memory, because the library may crash where the disk is full.
    """
    image = io.BytesIO()
    with h5py.File(image, "w", userblock_size=USER_BLOCK) as file:
        for name, array in zip(_ARRAYS, _values(data), strict=True):
            file.create_dataset(name, data=array)
            if name in _UNITS:
                file[name].attrs["unit"] = _UNITS[name]
        file.create_dataset("role", data=np.array(data.role, dtype="S16"))
        file.attrs["format"] = FORMAT
        file.attrs["seed"] = data.seed
        file.attrs["hash"] = data.hash
        for name in _ATTRIBUTES:
            file.attrs[name] = getattr(data, name)
    body = image.getbuffer()[USER_BLOCK:]
    with replacing(path) as temporary, temporary.open("wb") as handle:
        handle.write(_user_block(hashlib.sha256(body).hexdigest()))
        handle.write(body)


def load_dataset(path: Path) -> DataSet:
    """Read and check a data set. Raises :class:`InputError` on foreign, truncated, altered or oversized files."""
    if not path.is_file():
        raise InputError(f"{path}: no such data set: make one with 'fgcosim generate'")
    try:
        _check_bytes(path)
        with h5py.File(path, "r") as file:
            sizes = {name: file[name] for name in _ARRAYS}
            for name, (kind, dimensions) in _ARRAYS.items():
                if sizes[name].ndim != dimensions or sizes[name].dtype != np.dtype(kind):
                    raise InputError(f"{path}: {name}: wrong type or shape: the file was altered")
            if sum(d.size * d.dtype.itemsize for d in (*sizes.values(), file["role"])) > MAX_BYTES:
                raise InputError(f"{path}: larger than {MAX_BYTES} bytes")
            arrays = [sizes[name][()] for name in _ARRAYS]
            role = tuple(r.decode() for r in file["role"][()])
            attributes = {name: str(file.attrs[name]) for name in _ATTRIBUTES}
            seed = int(file.attrs["seed"])
    except InputError:
        raise
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:100]
        raise InputError(f"{path}: no readable data set ({reason}): make it again") from None
    return DataSet(*arrays[:3], role, *arrays[3:], **attributes, seed=seed)  # type: ignore[arg-type,misc,call-arg]


def _check_bytes(path: Path) -> None:
    """Raise :class:`InputError` unless the file's user block belongs to the bytes that follow it."""
    with path.open("rb") as handle:
        block = handle.read(USER_BLOCK)
        if not block.startswith(FORMAT.encode()):
            raise InputError(f"{path}: no data set of this program ({FORMAT}): make one with 'fgcosim generate'")
        if block != _user_block(hashlib.file_digest(handle, "sha256").hexdigest()):
            raise InputError(f"{path}: truncated or altered (its checksum does not fit): make it again")


def _user_block(digest: str) -> bytes:
    return f"{FORMAT} sha256 {digest}\n".encode().ljust(USER_BLOCK, b"\0")


def _values(data: DataSet) -> list[NDArray]:  # type: ignore[type-arg]
    return [
        data.duration, data.cells, data.weights_index, data.charge, data.slot_sample, data.slot_active,
        data.slot_current, data.energy, data.attempt, data.floating_gate_return,
    ]  # fmt: skip
