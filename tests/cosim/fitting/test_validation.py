"""The verdict and the guards around it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from cosim.errors import InputError
from cosim.files.measurements import Measurements
from cosim.fitting.validation import validate_measurements, verdict
from netlists.design import Levels
from surrogate.parameters import SIZE, start_values
from surrogate.scores import Scores
from surrogate.surrogate import Domain, Surrogate

GOOD = Scores(ser_db=50.0, ser_centred_db=45.0, ser_worst_column_db=46.0, median_cell_error=0.01)


def test_verdict_passes_at_the_levels() -> None:
    assert verdict([GOOD], Levels())["passed"]
    assert verdict([GOOD], Levels(), Levels().ser)["passed"]


@pytest.mark.parametrize("ser_db", [-math.inf, 20.0, math.nan])
def test_verdict_fails_where_the_engine_that_trains_does(ser_db: float) -> None:
    assert verdict([GOOD], Levels(), ser_db)["failed"] == ["fast_engine_ser"]


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        ({"ser_db": 44.9}, "ser"),
        ({"ser_centred_db": 39.9}, "ser_centred"),
        ({"ser_worst_column_db": 1.0}, "ser_worst_column"),
        ({"median_cell_error": 0.021}, "median_cell_error"),
        ({"ser_db": float("nan")}, "ser"),
    ],
)
def test_verdict_names_what_failed_in_any_role(changes: dict[str, float], failed: str) -> None:
    bad = Scores(**{**vars(GOOD), **changes})
    result = verdict([GOOD, bad], Levels())
    assert not result["passed"] and result["failed"] == [failed]


def test_lowered_levels_are_recorded() -> None:
    assert verdict([GOOD], Levels())["lowered_levels"] == []
    assert verdict([GOOD], Levels().model_copy(update={"ser": 30.0}))["lowered_levels"] == ["ser"]


def measured_surrogate(rows: int = 3, columns: int = 2) -> Surrogate:
    """A surrogate of a measured array with neutral parameters."""
    return Surrogate(
        shared=start_values(),
        shared_error=torch.zeros(SIZE, dtype=torch.float64),
        current_scale=1e-7,
        time_scale=1e-6,
        domain=Domain(1e-9, 1e-6, -5.0, 5.0, rows, columns),
        state=torch.zeros(rows, columns, dtype=torch.float64),
        ideal_least_squares=torch.full((rows, columns), 5e-8, dtype=torch.float64),
        provenance={"measurements_hash": "fit"},
    )


def test_a_perfect_surrogate_of_measurements() -> None:
    surrogate = measured_surrogate()
    duration = np.random.default_rng(0).uniform(1e-8, 1e-6, (9, 3))
    truth = surrogate.charge(duration, surrogate.state)
    report = validate_measurements(surrogate, Measurements(duration, truth, "other"))
    assert report["passed"] and report["ser_db"] == 300.0
    assert report["ideal_one_hot_ser_db"] is None
    assert report["ideal_least_squares_ser_db"] < 100


@pytest.mark.parametrize(
    ("rows", "columns", "digest", "word"), [(4, 2, "o", "same array"), (3, 1, "o", "same array"), (3, 2, "fit", "fit")]
)
def test_measurements_of_another_array_or_of_the_fit(rows: int, columns: int, digest: str, word: str) -> None:
    data = Measurements(np.full((5, rows), 1e-7), np.ones((5, columns)), digest)
    with pytest.raises(InputError, match=word):
        validate_measurements(measured_surrogate(), data)


def test_use_outside_the_domain() -> None:
    data = Measurements(np.full((5, 3), 2e-6), np.ones((5, 2)), "other")
    with pytest.raises(ValueError, match="domain"):
        validate_measurements(measured_surrogate(), data)
