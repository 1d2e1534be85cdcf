"""Results kept in the user's cache folder, one file each, named by the hash of what they were computed from."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

MAX_BYTES = 10_000_000
"""Larger files are none of ours."""


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/fgcosim/extraction``, by default below ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fgcosim" / "extraction"


def key_of(inputs: Any) -> str:
    """SHA-256 of JSON-able ``inputs``."""
    return hashlib.sha256(_text(inputs).encode()).hexdigest()


def recall(key: str) -> Any:
    """What :func:`remember` stored under ``key``; None where there is nothing or the file is damaged."""
    path = cache_folder() / f"{key}.json"
    try:
        if path.stat().st_size > MAX_BYTES:
            return None
        record = json.loads(path.read_text(encoding="utf-8"))
        sound = record["key"] == key and record["sha256"] == key_of(record["body"])
        return record["body"] if sound else None
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None


def remember(key: str, body: Any) -> None:
    """Store JSON-able ``body`` under ``key``, whole or not at all; a folder that cannot be written to is no error."""
    folder = cache_folder()
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, suffix=".partial")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(_text({"key": key, "sha256": key_of(body), "body": body}))
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(folder / f"{key}.json")
        finally:
            Path(name).unlink(missing_ok=True)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False)
