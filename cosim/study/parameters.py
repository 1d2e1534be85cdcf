"""Parameters of a design by their dotted path, such as ``layout.row_pitch``: which there are, what decides anything in
a study, and designs with other values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from cosim.errors import InputError
from netlists.complaint import complaint, models_in
from netlists.design import Coupling, Design, Wires
from netlists.parasitics.uniform import with_parasitics
from netlists.quantity import Dimension

Source = Literal["field", "analytic", "none"]
"""Where a point's ``coupling`` and ``wires`` come from: its drawn layout, by field solver or in closed form, or the
design file."""

Programming = Literal["each", "nominal"]
"""Where the cells of a point get their floating-gate voltages: by its own read curve, so that all points hold the same
target currents, or by the base design's, so that all hold the same charges."""
AFTER_PROGRAMMING = ("read.temperature", "cell.corner", "cell.mismatch", "cell.model.section", "wires")
"""What may differ between programming and reading an array: parameters, and sections with all in them."""

NOT_EXTRACTED = ("driver_resistance", "switch_resistance")
"""Fields of ``wires`` that are no lines: an extraction leaves them."""
_EXTRACTED = {
    *(f"coupling.{name}" for name in Coupling.model_fields),
    *(f"wires.{name}" for name in Wires.model_fields if name not in NOT_EXTRACTED),
}
SCALES = {"m": (1e6, "µm"), "s": (1e6, "µs"), "ohm": (1.0, "Ω"), "A": (1e9, "nA"), "F": (1e18, "aF")}
"""How numbers of a unit are shown to people."""
_LABELS = ("name", "notes", "levels")
_DUMMIES = ("layout.dummy_rows", "layout.dummy_columns")
_OF_THE_ARRAY = ("array", "layout", "coupling")


def require_parameter(path: str) -> None:
    """Raise :class:`InputError` naming what there is instead unless ``path`` is a parameter of a design."""
    _fields(path)


@cache
def _fields(path: str) -> tuple[FieldInfo, ...]:
    """What the models of a design say of the field at ``path``; several where a section is one of several models."""
    models: list[type[BaseModel]] = [Design]
    found: tuple[FieldInfo, ...] = ()
    words = path.split(".")
    for depth, word in enumerate(words):
        found = tuple(model.model_fields[word] for model in models if word in model.model_fields)
        if not found:
            where = ".".join(words[:depth]) or "a design"
            names = sorted({name for model in models for name in model.model_fields})
            raise InputError(f"no such parameter: {where} has {', '.join(names) or 'no parts'}: correct the path")
        models = [model for field in found for model in models_in(field.annotation)]
    return found


def is_label(path: str) -> bool:
    """Whether ``path`` names or documents a design, or says what it must reach."""
    return path.split(".")[0] in _LABELS


def require_effect(path: str, base: Design, source: Source) -> None:
    """Raise :class:`InputError` with the remedy where other values of ``path`` change no result of a study."""
    if is_label(path):
        raise InputError("decides no result of a design: give it under 'set:' or in the base design")
    if path in _DUMMIES:
        raise InputError("inner cells are extracted, which dummies do not reach: remove it")
    if base.parasitics is not None and (_within(path, _EXTRACTED) or path.split(".")[0] in _OF_THE_ARRAY):
        raise InputError(
            f"the extracted file {base.parasitics.file} of section parasitics decides it: vary other parameters, or "
            "remove the section"
        )
    if source != "none" and _within(path, _EXTRACTED):
        raise InputError(
            f"overwritten by the extraction of the layout (extraction: {source}): vary layout.*, or set extraction: "
            "none to take coupling and wires as they are written"
        )
    if source == "none" and path.split(".")[0] == "layout":
        raise InputError(
            "changes no circuit without an extraction (extraction: none): set extraction: field or analytic"
        )


def require_after_programming(path: str) -> None:
    """Raise :class:`InputError` where ``path`` is decided before an array is programmed."""
    if not any(path == name or path.startswith(f"{name}.") for name in AFTER_PROGRAMMING):
        raise InputError(
            "cannot differ from the programmed array's (programming: nominal): vary "
            f"{', '.join(AFTER_PROGRAMMING)}, or set programming: each"
        )


def _within(path: str, leaves: set[str]) -> bool:
    return path in leaves or any(leaf.startswith(f"{path}.") for leaf in leaves)


def changed(base: Design, changes: Mapping[str, Any], folder: Path | None = None) -> Design:
    """``base`` with other values, written as in a design file, at dotted paths; None takes what is optional away.
    Files in them are relative to ``folder``.

    Raises :class:`InputError` naming path and remedy where the result is no design.
    """
    data = base.model_dump(mode="json", exclude_none=True)
    if not changes.keys().isdisjoint(("cell.model.file", "cell.model.section")):
        data["cell"].get("model", {}).pop("sha256", None)  # of the base's model
    if "parasitics.file" in changes and "parasitics.sha256" not in changes:
        data.get("parasitics", {}).pop("sha256", None)  # of the base's file
    for path, value in changes.items():
        require_parameter(path)
        *sections, last = path.split(".")
        place = data
        for depth, word in enumerate(sections):
            if not isinstance(place.get(word), dict):
                missing = ".".join(sections[: depth + 1])
                raise InputError(f"{path}: the design has no {missing}: add it there, or give {missing} as a whole")
            place = place[word]
        if value is None:
            place.pop(last, None)
        else:
            place[last] = value
    try:
        design = Design.model_validate(data, context={"folder": folder})
    except ValidationError as error:
        wrong = complaint(error, data, Design)
        reason = " ".join(wrong.reason.split())[:300]
        raise InputError(f"{'.'.join(wrong.path) or 'design'}: {reason}") from None
    if design.parasitics is not None and any(path.split(".")[0] == "parasitics" for path in changes):
        return with_parasitics(design, folder or Path())
    return design


def value_of(design: Design, path: str) -> Any:
    """The value at ``path`` in SI units; None where ``design`` has none."""
    value: Any = design
    for word in path.split("."):
        value = getattr(value, word, None)
    return value


def unit_of(path: str) -> str:
    """Unit of the numbers that :func:`value_of` gives, or ``""``."""
    for field in _fields(path):
        for rule in field.metadata:
            dimension = getattr(getattr(rule, "func", None), "__self__", None)
            if isinstance(dimension, Dimension):
                return "K" if dimension.offset else dimension.units[0]
    return ""


def text_of(value: Any, path: str) -> str:
    """A value at ``path`` for people; of a section, those in it."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, BaseModel):
        return " ".join(text_of(getattr(value, name), f"{path}.{name}") for name in type(value).model_fields)
    if isinstance(value, float):
        scale, unit = SCALES.get(unit_of(path), (1.0, unit_of(path)))
        return f"{value * scale:g} {unit}".strip()
    return str(value)
