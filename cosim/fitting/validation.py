"""Cross-validation: a surrogate against SPICE runs or measurements that its fit never saw, and the verdict."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cosim.errors import InputError
from cosim.files.dataset import DataSet
from cosim.files.measurements import Measurements
from netlists.design import Levels
from netlists.designfile import parse_design
from surrogate.fitting.uncertainty import Coverage, coverage
from surrogate.ideal import least_squares_weights, one_hot_weights
from surrogate.scores import Scores, decibel, score
from surrogate.surrogate import Surrogate

Array = NDArray[np.float64]
HELD_OUT = ("patterns", "weights", "network")


def validate_dataset(surrogate: Surrogate, data: DataSet, levels: Levels | None = None) -> dict[str, Any]:
    """The report of ``surrogate`` on the held-out runs of ``data``: scores by role, ideal VMMs, error budget, verdict.

    ``levels`` default to those of the data set's design. Raises :class:`InputError` for a data set of another design
    or one without held-out patterns and weights.
    """
    if surrogate.provenance.get("design_hash") != data.design_hash:
        raise InputError(
            f"data set: of design {data.design_hash[:12]}, the surrogate was fitted to "
            f"{str(surrogate.provenance.get('design_hash', 'a measurement file'))[:12]}: "
            "generate one of the same design"
        )
    levels = levels or parse_design(data.design_yaml, "data set's design").levels
    for role in ("patterns", "weights"):
        if len(data.runs(role)) == 0:
            raise InputError(f"data set: has no held-out runs of role '{role}': generate them")
    cells = _cell_errors(surrogate, data)
    roles: dict[str, Any] = {}
    intervals: dict[str, Any] = {}
    for role in HELD_OUT:
        runs = data.runs(role)
        if len(runs):
            scores = score(data.charge[runs], _predict(surrogate, data, runs), *cells)
            roles[role] = {**scores.as_dict(), "count": len(runs)}
            if surrogate.covariance is not None:
                intervals[role] = interval_coverage(surrogate, data, runs).as_dict()
    held_out = data.runs(*HELD_OUT)
    report: dict[str, Any] = {
        "roles": roles,
        "intervals": intervals,
        "ideal": _ideal(data),
        "budget": [
            {"effect": effect, "ser_db": decibel(data.charge[held_out], _predict(surrogate, data, held_out, effect))}
            for effect in surrogate.engine.effects
        ],
        "dataset_hash": data.hash,
        "simulator": data.simulator,
        "fast_engine_ser_db": fast_agreement(surrogate, data, held_out),
    }
    scored = [Scores(**_scores(values)) for values in roles.values()]
    return {**report, **verdict(scored, levels, float(report["fast_engine_ser_db"]))}


def held_out_ser(surrogate: Surrogate, data: DataSet) -> dict[str, float]:
    """SER in dB of the charges of ``data``'s held-out runs, by role; roles without runs are left out."""
    runs = {role: data.runs(role) for role in HELD_OUT}
    return {role: decibel(data.charge[k], _predict(surrogate, data, k)) for role, k in runs.items() if len(k)}


def validate_measurements(surrogate: Surrogate, data: Measurements, levels: Levels | None = None) -> dict[str, Any]:
    """The report of a surrogate of a measured array on other measurements of the same array."""
    if surrogate.state is None:
        raise InputError("surrogate: fitted to a design: validate it with a data set (*.h5) of that design")
    if data.duration.shape[1] != surrogate.domain.rows or data.charge.shape[1] != surrogate.domain.columns:
        raise InputError(
            f"measurements: {data.duration.shape[1]}x{data.charge.shape[1]}, the surrogate's array is "
            f"{surrogate.domain.rows}x{surrogate.domain.columns}: give measurements of the same array"
        )
    if surrogate.provenance.get("measurements_hash") == data.hash:
        raise InputError("measurements: the very file of the fit: validate on measurements that the fit never saw")
    predicted = surrogate.charge(data.duration, surrogate.state)
    alone = (data.duration > 0).sum(axis=1) == 1
    cells = (data.charge[alone], predicted[alone]) if alone.any() else (None, None)
    scores = score(data.charge, predicted, *cells)

    def ideal(weights: torch.Tensor | None) -> float | None:
        return None if weights is None else decibel(data.charge, data.duration @ weights.numpy())

    return {
        "ser_db": scores.ser_db,
        "ser_centred_db": scores.ser_centred_db,
        "ser_worst_column_db": scores.ser_worst_column_db,
        "median_cell_error": scores.median_cell_error,
        "ideal_one_hot_ser_db": ideal(surrogate.ideal_one_hot),
        "ideal_least_squares_ser_db": ideal(surrogate.ideal_least_squares),
        "count": len(data.charge),
        "measurements_hash": data.hash,
        **verdict([scores], levels or Levels()),
    }


def verdict(scores: list[Scores], levels: Levels, fast_engine_ser_db: float = math.inf) -> dict[str, Any]:
    """``passed``, what ``failed`` and the ``levels`` used; every score must reach every level that applies to it, and
    the engine that trains networks the level of the surrogate's SER."""
    failed = set() if fast_engine_ser_db >= levels.ser else {"fast_engine_ser"}
    for s in scores:
        failed |= {
            name
            for name, value, level in (
                ("ser", s.ser_db, levels.ser),
                ("ser_centred", s.ser_centred_db, levels.ser_centred),
                ("ser_worst_column", s.ser_worst_column_db, levels.ser_worst_column),
            )
            if not value >= level
        }
        if s.median_cell_error is not None and not s.median_cell_error <= levels.median_cell_error:
            failed.add("median_cell_error")
    standard = Levels()
    lowered = [
        name
        for name in ("ser", "ser_centred", "ser_worst_column")
        if getattr(levels, name) < getattr(standard, name)
    ] + (["median_cell_error"] if levels.median_cell_error > standard.median_cell_error else [])
    return {"passed": not failed, "failed": sorted(failed), "levels": dict(levels), "lowered_levels": lowered}


def _scores(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != "count"}


def _predict(surrogate: Surrogate, data: DataSet, runs: NDArray[np.int64], *without: str) -> Array:
    state = surrogate.states(data.cells)[torch.from_numpy(data.weights_index[runs])]
    return surrogate.extrapolated(data.duration[runs], state, without)


def _cell_errors(surrogate: Surrogate, data: DataSet) -> tuple[Array, Array] | tuple[None, None]:
    """One-hot charges of SPICE and of the surrogate, or nothing where the data set has none."""
    runs = data.runs("one_hot")
    if len(runs) == 0:
        return None, None
    return data.charge[runs], _predict(surrogate, data, runs)


def interval_coverage(surrogate: Surrogate, data: DataSet, runs: NDArray[np.int64]) -> Coverage:
    """How many charges of ``runs`` lie in their 95 % intervals; ``data`` may hold arrays of any size of the design.

    Raises :class:`InputError` for a surrogate without a calibrated covariance.
    """
    state = surrogate.states(data.cells)[torch.from_numpy(data.weights_index[runs])]
    duration = data.duration[runs]
    return coverage(data.charge[runs], surrogate.extrapolated(duration, state), surrogate.charge_sigma(duration, state))


def _ideal(data: DataSet) -> dict[str, Any]:
    """SER of the ideal VMM on unseen patterns of matrix 0, with weights from one-hot reads and from least squares.

    Least squares sees the slot currents of all fit runs of that matrix: many rows active, as in use.
    """
    runs = np.array([k for k in data.runs("patterns") if data.weights_index[k] == 0], dtype=np.int64)
    result: dict[str, Any] = {}
    hot_runs = data.runs("one_hot")
    if len(runs) == 0:
        return {"one_hot": {"ser_db": None}, "least_squares": {"ser_db": None}}
    hot = one_hot_weights(data.duration[hot_runs], data.charge[hot_runs]) if len(hot_runs) else None
    result["one_hot"] = {"ser_db": None if hot is None else decibel(data.charge[runs], data.duration[runs] @ hot)}
    fit = np.isin(data.slot_sample, [k for k in data.runs("fit") if data.weights_index[k] == 0])
    weights = least_squares_weights(data.slot_active[fit].astype(np.float64), data.slot_current[fit])
    result["least_squares"] = {"ser_db": decibel(data.charge[runs], data.duration[runs] @ weights)}
    return result


def fast_agreement(surrogate: Surrogate, data: DataSet, runs: NDArray[np.int64]) -> float:
    """SER in dB of the fast engine (the one that trains networks) against the same SPICE runs."""
    state = surrogate.states(data.cells)
    predicted = np.empty_like(data.charge[runs])
    engine = surrogate.tile_engine(state.shape[1], state)
    with torch.no_grad():
        for row, k in enumerate(runs):
            tile = state[data.weights_index[k]][None, None].float()
            time = torch.from_numpy(data.duration[k] / surrogate.time_scale).float()[None, None]
            predicted[row] = engine.tile_charges(time, tile)[0, 0, 0].double().numpy()
    return decibel(data.charge[runs], predicted * surrogate.current_scale * surrogate.time_scale)
