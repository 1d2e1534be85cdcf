"""The points of a study: named designs, all of them checked before anything is computed."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from cosim.errors import InputError
from cosim.pipeline import require_pairs
from cosim.study.parameters import (
    Source,
    changed,
    is_label,
    require_after_programming,
    require_effect,
    require_parameter,
)
from cosim.study.studyfile import MAX_POINTS, Study, load_base
from netlists.design import Design, ResistiveCell
from netlists.designfile import dump_design
from netlists.stack import load_stack


@dataclass(frozen=True)
class Point:
    """A variant: its ``name``, its ``design`` before extraction, and its own values of the study's parameters, as
    written (None where it does not give one)."""

    name: str
    design: Design
    given: Mapping[str, Any]


@dataclass(frozen=True)
class Points:
    """All points of a study, the ``parameters`` that they vary, the ``folder`` of the base design's files, and that
    design with the changes that all points share."""

    points: tuple[Point, ...]
    parameters: tuple[str, ...]
    folder: Path
    base: Design


def points_of(study: Study, path: Path) -> Points:
    """The points of ``study``, whose file is ``path``.

    Raises :class:`InputError` naming file, key and remedy: parameters that do not exist, that vary nothing, values
    that make no design, points of the same name or design.
    """
    base, folder = load_base(study, path.parent)
    with _naming(path, "set"):
        for parameter in study.set:
            require_parameter(parameter)
        base = changed(base, study.set, folder)
        for parameter in study.set:
            if not is_label(parameter):
                require_effect(parameter, base, study.extraction)
    parameters = tuple(study.grid or dict.fromkeys(key for point in study.points or () for key in point.set))
    section = "grid" if study.grid else "points"
    for parameter in parameters:
        with _naming(path, f"{section}: {parameter}"):
            require_parameter(parameter)
            require_effect(parameter, base, study.extraction)
            if study.programming == "nominal":
                require_after_programming(parameter)
    if study.programming == "nominal" and isinstance(base.cell, ResistiveCell):
        raise InputError(f"{path}: programming: nominal: a resistive cell's state is no charge: set programming: each")
    points = []
    for name, given in _variants(study, path):
        with _naming(path, f"point {name}"):
            design = changed(base, given, folder)
            if study.network.seeds or study.campaign.network:
                require_pairs(design)
            _require_layout(design, study.extraction, folder)
        points.append(Point(name, design, given))
    _refuse_twins(points, path)
    return Points(tuple(points), parameters, folder, base)


def _require_layout(design: Design, source: Source, folder: Path) -> None:
    """Raise :class:`InputError` where there is nothing to extract or no such stack."""
    if design.layout is not None:
        load_stack(design.layout.stack, folder)
    elif source != "none":
        raise InputError(f"extraction: {source}: the design has no section layout: add one, or set extraction: none")
    if source != "none" and design.parasitics is not None:
        raise InputError(f"extraction: {source}: the design has extracted parasitics: set extraction: none")
    if source != "none" and isinstance(design.cell, ResistiveCell):
        raise InputError(f"extraction: {source}: a resistive cell has no layout to extract: set extraction: none")


class _naming:
    """Put file and place before the message of an :class:`InputError`."""

    def __init__(self, path: Path, place: str) -> None:
        self.prefix = f"{path}: {place}: "

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, InputError):
            raise InputError(f"{self.prefix}{error}") from None


def _variants(study: Study, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    if study.points is not None:
        yield from ((point.name, dict(point.set)) for point in study.points)
        return
    assert study.grid is not None
    count = math.prod(len(values) for values in study.grid.values())
    if count > MAX_POINTS:
        raise InputError(f"{path}: grid: {count} points: at most {MAX_POINTS}: shorten its lists")
    combinations = [dict(zip(study.grid, values, strict=True)) for values in product(*study.grid.values())]
    names = ["_".join(f"{_last(key)}-{_label(value)}" for key, value in given.items()) for given in combinations]
    often = Counter(names)
    for k, (name, given) in enumerate(zip(names, combinations, strict=True)):
        yield (name if often[name] == 1 and len(name) <= 80 else f"{name[:70]}_{k}"), given


def _last(path: str) -> str:
    return path.split(".")[-1]


def _label(value: Any) -> str:
    """A value as a part of a file name."""
    if isinstance(value, dict):
        return "+".join(_label(part) for part in value.values())
    text = {None: "none", True: "yes", False: "no"}.get(value) if value is None or isinstance(value, bool) else None
    return text or re.sub(r"[^A-Za-z0-9.+-]+", "", str(value)) or "value"


def _refuse_twins(points: list[Point], path: Path) -> None:
    names, designs = dict[str, None](), dict[str, str]()
    for point in points:
        if point.name.lower() in names:
            raise InputError(f"{path}: points: name {point.name} is given twice: choose another")
        names[point.name.lower()] = None
        text = dump_design(point.design)
        if text in designs:
            raise InputError(
                f"{path}: points {designs[text]} and {point.name} are the same design: remove one or vary something"
            )
        designs[text] = point.name
