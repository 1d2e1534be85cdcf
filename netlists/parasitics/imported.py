"""The extracted parasitics of a design, read once."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from netlists.errors import InputError
from netlists.parasitics.mapping import Wiring, map_content
from netlists.parasitics.read import read_parasitics
from netlists.parasitics.section import Parasitics
from netlists.parasitics.textfile import file_sha256


def with_hash(section: Parasitics, folder: Path) -> Parasitics:
    """``section`` with its file's path, which is relative to ``folder``, made absolute and its hash filled in.

    Raises :class:`InputError` where the file cannot be read or its hash is given and another.
    """
    path = (folder / section.file).resolve()
    sha256 = file_sha256(path)
    if section.sha256 not in (None, sha256):
        raise _changed(path)
    return section.model_copy(update={"file": str(path), "sha256": sha256})


@lru_cache(maxsize=8)
def wiring(section: Parasitics, rows: int, columns: int, gates: bool) -> Wiring:
    """The parasitics of ``section`` on an array of ``rows`` and ``columns`` (see :func:`map_content`).

    Raises :class:`InputError`, also where the file is no longer the one that was hashed.
    """
    path = Path(section.file)
    if section.sha256 is None:
        raise InputError(f"{path}: parasitics without a hash: load the design from its file")
    if file_sha256(path) != section.sha256:
        raise _changed(path)
    return map_content(section, read_parasitics(path, section.format), rows, columns, gates)


def _changed(path: Path) -> InputError:
    return InputError(f"{path}: not the file that the design was made with: restore it, or remove parasitics.sha256")
