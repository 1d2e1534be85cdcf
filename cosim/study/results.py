"""The results of a study as one table: CSV, HDF5 and for the terminal."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from cosim.spice.ngspice import Ngspice
from cosim.study.parameters import text_of, unit_of, value_of
from cosim.study.point import FIGURES
from cosim.study.points import Points
from cosim.study.run import Outcome
from cosim.study.studyfile import Study
from cosim.version import code_version
from surrogate.atomic import replacing


@dataclass(frozen=True)
class Column:
    """A column: its name, the unit of its numbers (empty where it has none) and one value a point; nan where a number,
    the empty text where a text is missing."""

    name: str
    unit: str
    values: tuple[float | str, ...]

    @property
    def numeric(self) -> bool:
        """Whether its values are numbers."""
        return all(isinstance(value, float) for value in self.values)

    @property
    def title(self) -> str:
        """Name and unit."""
        return f"{self.name} [{self.unit}]" if self.unit else self.name


@dataclass(frozen=True)
class Table:
    """Results of a study, one row a point: the point, its status and reason, its ``parameters``, its figures."""

    columns: tuple[Column, ...]
    parameters: tuple[str, ...]

    def __getitem__(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    def __len__(self) -> int:
        return len(self.columns[0].values)

    def has(self, name: str) -> bool:
        """Whether there is such a column with a value."""
        found = [column for column in self.columns if column.name == name]
        return bool(found) and any(value == value and value != "" for value in found[0].values)


def table_of(points: Points, outcomes: Sequence[Outcome]) -> Table:
    """The table of a study's ``outcomes``, in the order of its points."""
    columns = [
        Column("point", "", tuple(outcome.name for outcome in outcomes)),
        Column("status", "", tuple("done" if outcome.done else "failed" for outcome in outcomes)),
    ]
    for parameter in points.parameters:
        values = [value_of(point.design, parameter) for point in points.points]
        columns.append(_column(parameter, values))
    for name, unit in FIGURES.items():
        columns.append(Column(name, unit, tuple(outcome.figures.get(name, float("nan")) for outcome in outcomes)))
    columns.append(Column("reason", "", tuple(outcome.reason for outcome in outcomes)))
    return Table(tuple(columns), points.parameters)


def _column(parameter: str, values: list[Any]) -> Column:
    numbers = [value for value in values if value is not None]
    if numbers and all(isinstance(v, int | float) and not isinstance(v, bool) for v in numbers):
        return Column(parameter, unit_of(parameter), tuple(float("nan") if v is None else float(v) for v in values))
    return Column(parameter, "", tuple(text_of(value, parameter) for value in values))


def write_csv(table: Table, path: Path) -> None:
    """Write ``table``: a header of names and units, numbers with all their digits, nothing where one is missing."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.title for column in table.columns])
    for row in zip(*(column.values for column in table.columns), strict=True):
        writer.writerow([value if isinstance(value, str) else "" if value != value else repr(value) for value in row])
    with replacing(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def write_hdf5(table: Table, attributes: dict[str, str], path: Path) -> None:
    """Write ``table``: a data set a column with its attribute ``unit``, and ``attributes`` of the file."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.attrs.update(attributes)
        file.attrs["columns"] = [column.name for column in table.columns]
        for column in table.columns:
            if column.numeric:
                made = file.create_dataset(column.name, data=np.array(column.values, dtype="f8"))
                made.attrs["unit"] = column.unit
            else:
                file.create_dataset(column.name, data=np.array([str(v).encode() for v in column.values]))
    with replacing(path) as temporary:
        temporary.write_bytes(content.getvalue())


def provenance_of(study: Study, outcomes: Sequence[Outcome], engine: Ngspice) -> dict[str, str]:
    """What made the table: the study, program, simulator, and the origin of every point."""
    text = study.model_dump_json()
    return {
        "format": "fgcosim-study-1", "study": text, "study_hash": hashlib.sha256(text.encode()).hexdigest(),
        "code_version": code_version(), "simulator": engine.label,
        "points": json.dumps({outcome.name: outcome.provenance for outcome in outcomes}, sort_keys=True),
    }  # fmt: skip
