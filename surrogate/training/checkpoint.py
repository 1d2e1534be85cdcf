"""Checkpoints: whole or not there, checked by a digest, the last two kept; nothing in them is executable."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from surrogate.atomic import replacing
from surrogate.errors import InputError

FAMILY = "fgcosim-checkpoint-"
FORMAT = f"{FAMILY}2"
KEPT = 2
MAX_BYTES = 4_000_000_000
DIGEST = hashlib.sha256().digest_size


@dataclass(frozen=True)
class Run:
    """Which run a checkpoint is of, in JSON's types: what its trainer knows of it (``training``), what whoever runs it
    has ``given`` in addition, a hash of the network that it started from (``start``), and the ``circumstances`` that
    decide its last bits."""

    training: dict[str, Any]
    given: dict[str, Any]
    start: str
    circumstances: dict[str, Any]


def save_checkpoint(folder: Path, steps: int, state: dict[str, Any], run: Run) -> Path:
    """Write ``state`` after ``steps`` steps into ``folder`` and remove all checkpoints but the last two.

    Any of more steps are removed, too: had one been usable, the run would have gone on from it.

    The file is what ``torch.save`` writes, followed by its SHA-256. Raises ``OSError`` (disk full).
    """
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, "run": json.dumps(asdict(run)), "state": state}, buffer)
    content = buffer.getbuffer()
    path = folder / f"checkpoint-{steps:09d}.pt"
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(content)
        file.write(hashlib.sha256(content).digest())
    files = [found for found in checkpoints(folder) if found.is_file()]
    before = files.index(path)
    for old in files[:before] + files[before + KEPT :]:
        old.unlink(missing_ok=True)
    return path


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in ``folder``, the latest first."""
    return sorted(folder.glob("checkpoint-*.pt"), reverse=True)


def load_checkpoint(path: Path) -> tuple[dict[str, Any], Run]:
    """State and :class:`Run` in ``path``. Raises ``ValueError`` with one line where it is damaged or foreign,
    :class:`InputError` where another release wrote it, ``OSError`` where it cannot be read."""
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES} bytes")
    content = path.read_bytes()
    if len(content) <= DIGEST or hashlib.sha256(content[:-DIGEST]).digest() != content[-DIGEST:]:
        raise ValueError("truncated or damaged: its SHA-256 does not fit")
    try:
        saved = torch.load(io.BytesIO(content[:-DIGEST]), map_location="cpu", weights_only=True)
        if saved["format"] != FORMAT:
            if str(saved["format"]).startswith(FAMILY):
                raise InputError(f"{path}: {saved['format']}, not {FORMAT}: choose another folder or empty this one")
            raise ValueError(f"no {FORMAT}")
        return saved["state"], Run(**json.loads(saved["run"]))
    except (RuntimeError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"no checkpoint ({' '.join(str(error).split())[:80]})") from None


def load_latest(folder: Path, run: Run) -> tuple[dict[str, Any] | None, list[str]]:
    """The state of the latest usable checkpoint in ``folder`` (None without any), and remarks.

    There is a remark on each unusable checkpoint and on circumstances that differ, which makes the last bits differ:
    in a network that was calibrated before, those of the start, too. Raises :class:`InputError` where it is of another
    run, naming the first value that differs, or of another release.
    """
    remarks: list[str] = []
    for path in checkpoints(folder):
        try:
            state, saved = load_checkpoint(path)
        except InputError:
            raise
        except (ValueError, OSError) as error:
            reason = isinstance(error, OSError) and error.strerror
            remarks.append(f"{path}: {reason or error}: going on from the one before")
            continue
        elsewhere = _first_difference(saved.circumstances, run.circumstances)
        other_start = _first_difference(saved.start, run.start, "training.start")
        training = _first_difference(saved.training, run.training, "training")
        given = _first_difference(saved.given, run.given)
        if different := training or given or (None if elsewhere else other_start):
            raise InputError(f"{path}: of a run with {different}: choose another folder or empty this one")
        if elsewhere:
            remarks.append(f"{path}: of a run with {elsewhere}: the results will differ in their last bits")
        if other_start:
            remarks.append(f"{path}: of a run with {other_start}: make sure that it is the same but for its last bits")
        return state, remarks
    return None, remarks


def _first_difference(saved: Any, wanted: Any, key: str = "") -> str | None:
    """The first key of ``wanted`` at which ``saved`` has another value, with both values."""
    if isinstance(wanted, dict) and isinstance(saved, dict):
        differences = (_first_difference(saved.get(k), wanted[k], f"{key}.{k}".strip(".")) for k in wanted)
        return next((x for x in differences if x), None)
    return None if saved == wanted else f"{key} {json.dumps(saved)[:40]} instead of {json.dumps(wanted)[:40]}"
