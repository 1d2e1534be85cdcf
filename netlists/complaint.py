"""What is wrong with a file of sections, for the one who wrote it: key, reason, value as written, remedy."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

NEAR = 0.75
"""Similarity (of :mod:`difflib`) from which on a key counts as a misspelling of another one."""
_KINDS = ("mos", "resistive")
"""Tags of ``cell.kind``, which pydantic puts into its locations."""


@dataclass(frozen=True)
class Complaint:
    """``path`` of the key, and what is wrong with it: a ``reason`` with its remedy."""

    path: tuple[str, ...]
    reason: str


def complaint(error: ValidationError, data: Any, model: type[BaseModel]) -> Complaint:
    """The one thing to say of ``error``, found in ``data`` that should have been a ``model``: an unknown key before
    anything else, since a misspelt key leaves the right one missing, too."""
    errors = error.errors()
    first = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
    path = tuple(str(part) for part in first["loc"])
    if len(path) > 1 and path[0] == "cell" and path[1] in _KINDS:
        path = path[:1] + path[2:]
    kind = first["type"]
    if kind == "extra_forbidden":
        return Complaint(path, f"unknown key: {_spelling(path, model, first['loc'][1:2])}")
    if kind == "missing":
        return Complaint(path, "missing: add it")
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        key = (*path, first["ctx"]["discriminator"].strip("'"))
        if kind == "union_tag_not_found":
            return Complaint(key, "missing: add it")
        return Complaint(key, f"{first['ctx']['tag']!r:.60} is none of {first['ctx']['expected_tags']}: correct it")
    return Complaint(path, _reason(first, data, path))


def _reason(first: ErrorDetails, data: Any, path: Sequence[str]) -> str:
    if first["type"] == "value_error":
        return first["msg"].removeprefix("Value error, ")
    if first["type"] == "too_short":
        context = first["ctx"]
        return f"needs at least {context['min_length']} values, not {context['actual_length']}: add more"
    given = _written(data, path)
    shown = "" if isinstance(given, (dict, list)) else f", not {reprlib.repr(given)}"
    return f"{first['msg']}{shown}"


def _written(data: Any, path: Sequence[str]) -> Any:
    """What stands at ``path`` of ``data``; the innermost that is there."""
    for name in path:
        if isinstance(data, dict) and name in data:
            data = data[name]
        elif isinstance(data, list) and name.isdecimal() and int(name) < len(data):
            data = data[int(name)]
        else:
            break
    return data


def _spelling(path: Sequence[str], model: type[BaseModel], tag: Sequence[Any]) -> str:
    """The remedy for an unknown key: the key that was meant, where one is near; in a cell, one of its kind ``tag``."""
    models = [model]
    for name in path[:-1]:
        fields = [each.model_fields[name] for each in models if name in each.model_fields]
        if fields or not name.isdecimal():  # an index leads to the parts of the list's own type
            models = [part for field in fields for part in models_in(field.annotation)]
        if name == "cell":
            models = [each for each in models if each.model_fields["kind"].default in tag] or models
    names = sorted({name for each in models for name in each.model_fields} - {path[-1]})
    near = difflib.get_close_matches(path[-1], names, 1, NEAR)
    return f"write {near[0]}, if that is meant, or remove it" if near else "remove it or correct its spelling"


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """All pydantic models in a type such as ``Annotated[MosCell | ResistiveCell, …]`` or ``Layout | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models_in(part)
