"""Where the files of a data set lie: a folder given, or that of ``FGCOSIM_DATA``; else downloaded into it."""

from __future__ import annotations

import os
from pathlib import Path

from surrogate.errors import InputError

VARIABLE = "FGCOSIM_DATA"


def data_folder(given: Path | None) -> Path | None:
    """``given``, else the folder named by ``FGCOSIM_DATA``, else None. Raises :class:`InputError` where it is none."""
    named = os.environ.get(VARIABLE)
    folder, source = (given, "--data") if given is not None else (Path(named) if named else None, VARIABLE)
    if folder is not None and not folder.is_dir():
        raise InputError(f"{source}={folder}: no such folder: name the one that holds the data sets")
    return folder


def find(folder: Path, name: str) -> Path | None:
    """The file ``name`` in ``folder``, zipped (``.gz``) or not; None where there is neither."""
    return next((path for path in (folder / f"{name}.gz", folder / name) if path.is_file()), None)
