"""The systems of the study of mappings: six ways to hold the weights of one network in arrays of one size."""

from __future__ import annotations

from typing import Any

from surrogate.hardware import Hardware

ROWS, COLUMNS = 144, 64
CURRENT_MAX, ON_OFF_RATIO, VOLTAGE = 1e-6, 100.0, 0.2
"""A cell's largest current (A) at the read voltage (V), 200 kΩ, and by how much the least one is smaller."""
WEIGHT_BITS = INPUT_BITS = 8

SYSTEMS: dict[str, dict[str, Any]] = {
    "differential": {"mapping": "differential"},
    "differential, 4 slices": {"mapping": "differential", "slices": 4},
    "differential, both sides": {"mapping": "differential", "sides": "two"},
    "offset": {"mapping": "offset"},
    "offset, unit cells": {"mapping": "offset", "reference": "unit-cell"},
    "offset, 4 slices": {"mapping": "offset", "slices": 4},
}
"""How each holds weights (:class:`surrogate.analog.weights.Weights`); the first two are proportional."""


def hardware(system: str, converter: dict[str, Any] | None = None, **sections: Any) -> Hardware:
    """The recipe of one of :data:`SYSTEMS` with changed ``sections``; converters calibrate on all but the largest ten
    thousandth of charges. Cells are programmed each as if it were alone."""
    calibrated = {"range": {"by": "percentile", "percentile": 99.99}, "margin": 1.0}
    programming = {"in_place": False, **sections.pop("programming", {})}
    return Hardware.model_validate({
        "name": "system",
        "tiles": {"rows": ROWS, "columns": COLUMNS, "current_max": CURRENT_MAX, "on_off_ratio": ON_OFF_RATIO},
        "weights": {**SYSTEMS[system], "bits": WEIGHT_BITS},
        "inputs": {"bits": INPUT_BITS},
        "layers": {"conv1": {"inputs": {"signed": "phases"}}},
        "converter": None if converter is None else {**calibrated, **converter},
        "programming": programming,
        "voltage": VOLTAGE,
        **sections,
    })  # fmt: skip
