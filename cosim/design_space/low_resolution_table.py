"""The study's table: means and standard deviations over seeds, one row a case."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from cosim.design_space.low_resolution import Point
from cosim.design_space.low_resolution_cases import Case
from surrogate.atomic import replacing
from surrogate.reproduction.kept import Result


@dataclass(frozen=True)
class Row:
    """Accuracies of a case in %, means and standard deviations over ``seeds``."""

    data: str
    case: Case
    seeds: int
    software: float
    software_std: float
    deployed: float
    deployed_std: float
    retrained: float
    retrained_std: float


def rows(results: Iterable[tuple[Point, Result]]) -> list[Row]:
    """A row for every case on every data set, in the order in which they come first."""
    by_case: dict[tuple[str, Case], list[Result]] = {}
    for point, result in results:
        by_case.setdefault((point.data, point.case), []).append(result)
    return [_row(data, case, some) for (data, case), some in by_case.items()]


def _row(data: str, case: Case, results: list[Result]) -> Row:
    values = {}
    for name in ("software", "deployed", "retrained"):
        percent = 100 * np.array([result[name] for result in results])
        values[name] = float(percent.mean())
        values[f"{name}_std"] = float(percent.std(ddof=1)) if len(percent) > 1 else 0.0
    return Row(data, case, len(results), **values)


def write_table(table: list[Row], path: Path) -> None:
    """``table`` as CSV."""
    names = [field.name for field in fields(Row) if field.name != "case"]
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["data", *(field.name for field in fields(Case)), *names[1:]])
        writer.writeheader()
        for row in table:
            plain = {key: round(v, 3) if isinstance(v, float) else v for key, v in asdict(row).items() if key != "case"}
            writer.writerow({**plain, **row.case.as_dict()})
