"""Checkpoints: whole or not there, checked by a digest, the last two kept; nothing in them is executable."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from pathlib import Path
from typing import Any

import torch

from surrogate.atomic import replacing
from surrogate.errors import InputError

FORMAT = "fgcosim-checkpoint-1"
KEPT = 2
MAX_BYTES = 4_000_000_000
DIGEST = hashlib.sha256().digest_size


def save_checkpoint(folder: Path, steps: int, state: dict[str, Any], identity: dict[str, Any]) -> Path:
    """Write ``state`` after ``steps`` steps into ``folder`` and remove all checkpoints but the last two.

    The file is what ``torch.save`` writes, followed by its SHA-256. ``identity`` says which run this is (see
    :func:`load_latest`). Raises ``OSError`` (disk full).
    """
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, "identity": json.dumps(identity), "state": state}, buffer)
    content = buffer.getbuffer()
    path = folder / f"checkpoint-{steps:09d}.pt"
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(content)
        file.write(hashlib.sha256(content).digest())
    for old in checkpoints(folder)[KEPT:]:
        old.unlink(missing_ok=True)
    return path


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in ``folder``, the latest first."""
    return sorted(folder.glob("checkpoint-*.pt"), reverse=True)


def load_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """State and identity in ``path``. Raises ``ValueError`` with one line where it is damaged or foreign."""
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES} bytes")
    content = path.read_bytes()
    if len(content) <= DIGEST or hashlib.sha256(content[:-DIGEST]).digest() != content[-DIGEST:]:
        raise ValueError("truncated or damaged: its SHA-256 does not fit")
    try:
        saved = torch.load(io.BytesIO(content[:-DIGEST]), map_location="cpu", weights_only=True)
        if saved["format"] != FORMAT:
            raise ValueError(f"no {FORMAT}")
        return saved["state"], json.loads(saved["identity"])
    except (RuntimeError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"no checkpoint ({' '.join(str(error).split())[:80]})") from None


def load_latest(
    folder: Path, identity: dict[str, Any], circumstances: dict[str, Any]
) -> tuple[dict[str, Any] | None, list[str]]:
    """The state of the latest usable checkpoint in ``folder`` (None without any), and remarks.

    There is a remark on each damaged checkpoint and on each of ``circumstances`` that differs, which makes the last
    bits differ. Raises :class:`InputError` where it is of another run, naming the first of ``identity`` that differs.
    """
    remarks: list[str] = []
    for path in checkpoints(folder):
        try:
            state, saved = load_checkpoint(path)
        except ValueError as error:
            remarks.append(f"{path}: {error}: going on from the one before")
            continue
        if different := _first_difference(saved, identity):
            raise InputError(f"{path}: of a run with {different}: choose another folder or empty this one")
        if different := _first_difference(saved, circumstances):
            remarks.append(f"{path}: of a run with {different}: the results will differ in their last bits")
        return state, remarks
    return None, remarks


def _first_difference(saved: Any, wanted: Any, key: str = "") -> str | None:
    """The first key of ``wanted`` at which ``saved`` has another value, with both values."""
    if isinstance(wanted, dict) and isinstance(saved, dict):
        differences = (_first_difference(saved.get(k), wanted[k], f"{key}.{k}".strip(".")) for k in wanted)
        return next((x for x in differences if x), None)
    return None if saved == wanted else f"{key} {json.dumps(saved)[:40]} instead of {json.dumps(wanted)[:40]}"
