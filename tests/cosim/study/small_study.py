"""A study of seconds: 4x2 cells, short pulses, few runs, no networks."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

from cosim.study.points import Points, points_of
from cosim.study.studyfile import Study, load_study

SMALL: dict[str, Any] = {
    "name": "small",
    "base": "default",
    "set": {
        "array.rows": 4, "array.columns": 2, "read.t_max": "60 ns", "read.bits": 4, "levels.ser": "30 dB",
        "levels.ser_centred": "20 dB", "levels.ser_worst_column": "20 dB", "levels.median_cell_error": 0.1,
    },
    "grid": {"layout.row_pitch": ["1.4 um", "1.6 um"]},
    "extraction": "analytic",
    "network": {"seeds": 0},
    "campaign": {"fit": 2, "patterns": 3, "weights": 2, "network": 0},
}  # fmt: skip


def write_study(folder: Path, **changes: Any) -> Path:
    """The study file of :data:`SMALL` with other top-level keys; None takes one away."""
    data = {key: value for key, value in {**copy.deepcopy(SMALL), **changes}.items() if value is not None}
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return path


def study_of(folder: Path, **changes: Any) -> tuple[Study, Points]:
    """That study and its points."""
    path = write_study(folder, **changes)
    study = load_study(path)
    return study, points_of(study, path)
