"""Safetensors files read within bounds: size and metadata are checked before any tensor is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from surrogate.strict_json import parse_json


class ForeignFile(ValueError):
    """A safetensors file of another program or another format."""


def read_tensors(path: Path, form: str, max_bytes: int) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The JSON header and the tensors of ``path``, a file of format ``form`` of at most ``max_bytes``.

    Raises :class:`ForeignFile` where it is of another format, and ``ValueError`` with one line where it is larger,
    truncated or damaged.
    """
    try:
        if path.stat().st_size > max_bytes:
            raise ValueError(f"larger than {max_bytes} bytes")
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != form:
                raise ForeignFile(form)
            header = parse_json(metadata.get("header", ""))
            return header, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, TypeError, RuntimeError) as error:
        reason = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
        raise ValueError(reason) from None
