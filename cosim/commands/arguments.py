"""What commands ask of the files that they are given."""

from __future__ import annotations

from pathlib import Path

from cosim.errors import InputError
from netlists.design import Design
from netlists.designfile import parse_design
from surrogate.surrogate import Surrogate


def design_of(surrogate: Surrogate, path: Path) -> Design:
    """The design that the surrogate in the file ``path`` was fitted to. Raises :class:`InputError` without one."""
    text = surrogate.provenance.get("design_yaml")
    if not text:
        raise InputError(f"{path}: fitted to measurements, belongs to no design: fit a data set of a design")
    return parse_design(text, f"{path} (design)")


def require_writable(out: Path) -> None:
    """Raise :class:`InputError` unless ``out`` can be a file in a folder that exists."""
    if not out.parent.is_dir():
        raise InputError(f"{out}: its folder {out.parent} does not exist: create it or choose another")
    if out.is_dir():
        raise InputError(f"{out}: is a folder: give a file name")
