"""Reading a file of extracted parasitics, whichever format it has."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Literal

from netlists.errors import InputError
from netlists.parasitics.content import Content
from netlists.parasitics.dspf import read_dspf
from netlists.parasitics.spef import read_spef
from netlists.parasitics.textfile import numbered_lines

LOOKED_AT = 1000
"""Lines in which a format shows itself."""


def read_parasitics(path: Path, form: Literal["auto", "spef", "dspf", "spice"] = "auto") -> Content:
    """The content of the file, gzipped or not. Raises :class:`InputError` that names file, line and remedy."""
    kind = _format(path) if form == "auto" else form
    return read_spef(path) if kind == "spef" else read_dspf(path)


def _format(path: Path) -> str:
    looked_at = list(islice(numbered_lines(path), LOOKED_AT))
    for _, line in looked_at:
        start = line.lstrip().upper()
        if start.startswith("*SPEF"):
            return "spef"
        if start.startswith(("*|", ".SUBCKT")):
            return "dspf"
    raise InputError(f"{path}:{len(looked_at)}: neither SPEF nor DSPF nor a SPICE subcircuit: correct parasitics.file")
