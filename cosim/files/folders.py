"""Files of a run folder: JSON, written atomically, and hashes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from cosim.errors import InputError
from surrogate.atomic import replacing
from surrogate.strict_json import parse_json

MAX_JSON_BYTES = 50_000_000


def write_json(content: Any, path: Path) -> None:
    """Write ``content`` to ``path``."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in ``path``. Raises :class:`InputError` where there is none or it is too large to be one."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.stat().st_size > MAX_JSON_BYTES:
        raise InputError(f"{path}: larger than {MAX_JSON_BYTES} bytes: make it again")
    try:
        return parse_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON ({' '.join(str(error).split())[:80]}): make it again") from None
