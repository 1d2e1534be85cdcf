"""Finished runs on disk: one file a sample, written whole, with a checksum that binds it to its run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from cosim.vmm.sample import Sample
from surrogate.atomic import replacing

FORMAT = "fgcosim-sample-1"
MAX_BYTES = 200_000_000


@dataclass(frozen=True)
class SampleStore:
    """The samples in ``folder``, each in a file named by its run's key.

    A file is one line with the format and a SHA-256 over the key and all that follows, one line of JSON with the
    numbers of the sample, and its arrays as safetensors.
    """

    folder: Path

    def path(self, key: str) -> Path:
        """Where the sample of ``key`` lies."""
        return self.folder / f"{key}.sample"

    def prepare(self) -> None:
        """Make the folder, and remove what writers that were killed left half-written."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for partial in self.folder.glob(".*.partial"):
            partial.unlink(missing_ok=True)

    def save(self, key: str, sample: Sample) -> None:
        """Write ``sample`` (synced, then renamed into place). Raises ``OSError`` (disk full)."""
        values = {field.name: getattr(sample, field.name) for field in fields(sample)}
        arrays = {name: np.ascontiguousarray(v) for name, v in values.items() if isinstance(v, np.ndarray)}
        others = {name: _plain(v) for name, v in values.items() if name not in arrays}
        body = json.dumps(others).encode() + b"\n" + save(arrays)
        with replacing(self.path(key)) as temporary:
            temporary.write_bytes(_first_line(key, body) + body)

    def load(self, key: str) -> Sample | None:
        """The sample of ``key``; None where it is absent, damaged, another run's or of another make."""
        if not self.path(key).is_file():
            return None
        try:
            with self.path(key).open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except OSError:
            return None
        line, _, body = content.partition(b"\n")
        if len(content) > MAX_BYTES or line + b"\n" != _first_line(key, body):
            return None
        header, _, tensors = body.partition(b"\n")
        try:
            others = {k: tuple(v) if isinstance(v, list) else v for k, v in json.loads(header).items()}
            values: dict[str, Any] = {**others, **load(tensors)}
        except (ValueError, AttributeError, SafetensorError):
            return None
        if values.keys() != {field.name for field in fields(Sample)}:
            return None
        return Sample(**values)


def _first_line(key: str, body: bytes) -> bytes:
    digest = hashlib.sha256(key.encode() + b"\n")
    digest.update(body)
    return f"{FORMAT} sha256 {digest.hexdigest()}\n".encode()


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
