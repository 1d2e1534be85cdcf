"""The table of the study of mappings: one row for each effect, system and size, means and deviations over seeds."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from surrogate.atomic import replacing


@dataclass(frozen=True)
class Row:
    """Accuracies are shares of the images; ``deviation`` is that of the seeds, 0 where there is one."""

    effect: str
    system: str
    size: float
    accuracy: float
    deviation: float
    seeds: int
    images: int
    """of all seeds together"""


def rows(results: Iterable[dict[str, Any]]) -> list[Row]:
    """One row for each effect, system and size of ``results``, in their order."""
    groups: dict[tuple[str, str, float], list[dict[str, Any]]] = {}
    for result in results:
        groups.setdefault((result["effect"], result["system"], result["size"]), []).append(result)
    found = []
    for (effect, system, size), group in groups.items():
        accuracies = [result["accuracy"] for result in group]
        deviation = stdev(accuracies) if len(group) > 1 else 0.0
        images = sum(result["images"] for result in group)
        found.append(Row(effect, system, size, mean(accuracies), deviation, len(group), images))
    return found


def write_table(table: list[Row], path: Path) -> None:
    """``table`` as CSV, a header first."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        writer.writeheader()
        for row in table:
            writer.writerow({**asdict(row), "accuracy": f"{row.accuracy:.4f}", "deviation": f"{row.deviation:.4f}"})
