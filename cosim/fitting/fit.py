"""From a data set or a measurement file to a surrogate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cosim.errors import InputError
from cosim.files.dataset import DataSet
from cosim.files.measurements import Measurements
from cosim.files.provenance import Provenance, of_dataset
from netlists.design import Design, ResistiveCell
from netlists.designfile import parse_design
from surrogate.engine import ClampedEngine, LinearEngine, MosEngine, SwitchedEngine
from surrogate.fitting.calibration import calibrated_covariance
from surrogate.fitting.linear import STATES, fit_linear
from surrogate.fitting.measured import fit_measured
from surrogate.fitting.programmed import ChargeData, Lines, ProgrammedFit, SlotData, fit_programmed
from surrogate.fitting.switched import fit_switched
from surrogate.surrogate import Domain, Surrogate, ideal_weights

MIN_SLOTS = 16

DURATION_MARGIN = 1.5
"""A measured array's longest possible pulse is not known; currents of slots do not depend on their length, so pulses up
to this many times the longest one seen are accepted."""

BOLTZMANN_OVER_CHARGE = 8.617333e-5
"""k/q, V/K."""


def fit_dataset(data: DataSet) -> Surrogate:
    """Fit the shared parameters to the runs of role ``fit``. Raises :class:`InputError` where there are too few."""
    runs = data.runs("fit")
    keep = np.isin(data.slot_sample, runs)
    if keep.sum() < MIN_SLOTS:
        raise InputError(f"data set: {int(keep.sum())} slots of role 'fit', at least {MIN_SLOTS} are needed: add runs")
    design = parse_design(data.design_yaml, "data set's design")
    volts = torch.from_numpy(data.cells)
    if float(volts.std()) == 0:
        raise InputError("data set: every cell has the same voltage: a fit needs cells over the whole weight range")
    slots = SlotData(
        active=torch.from_numpy(data.slot_active[keep].astype(np.float64)),
        matrix=torch.from_numpy(data.weights_index[data.slot_sample[keep]]),
        current=torch.from_numpy(data.slot_current[keep]),
        volts=volts,
    )
    totals = ChargeData(
        duration=torch.from_numpy(data.duration[runs]),
        matrix=torch.from_numpy(data.weights_index[runs]),
        charge=torch.from_numpy(data.charge[runs]),
    )
    covariance = None
    if isinstance(design.cell, ResistiveCell):
        kind, fit = _resistive(design, slots, totals)
        seen = torch.tensor(STATES)
    else:
        kind, fit = MosEngine.kind, fit_programmed(slots, totals, design.read.t_max, _lines(design))
        covariance = calibrated_covariance(fit, slots, totals, design.read.t_max)
        seen = fit.state_map(volts[torch.from_numpy(np.unique(data.weights_index[runs]))])
    errors = fit.solution.standard_error.shared
    return Surrogate(
        shared=fit.shared,
        shared_error=errors[: len(fit.shared)],
        current_scale=fit.current_scale,
        time_scale=design.read.t_max,
        domain=_domain(design.read.t_edge, design.read.t_max, seen, design.array.rows, design.array.columns),
        state_map=fit.state_map,
        provenance={
            **of_dataset(data, design).as_dict(),
            "design_yaml": data.design_yaml,
            "fit_runs": len(runs),
            "fit_slots": int(keep.sum()),
            "fit_iterations": fit.solution.iterations,
            "fit_relative_residual": fit.solution.sigma,
        },
        covariance=covariance,
        kind=kind,
    )


def _resistive(design: Design, slots: SlotData, totals: ChargeData) -> tuple[str, ProgrammedFit]:
    """Kind of engine and fit for an array of resistive cells."""
    assert isinstance(design.cell, ResistiveCell)
    disconnected = design.array.idle == "disconnected"
    if disconnected or design.cell.sinh_voltage is not None:
        kind = SwitchedEngine if disconnected else ClampedEngine
        return kind.kind, fit_switched(slots, totals, design.read.voltage, design.read.t_max, kind)
    return LinearEngine.kind, fit_linear(slots, design.read.voltage)


def fit_measurements(data: Measurements, origin: Path) -> Surrogate:
    """Fit states and shared parameters to a measured array. Raises :class:`InputError` where rows are too few."""
    n, rows = data.duration.shape
    if n <= rows:
        raise InputError(f"{origin}: {n} measurements of an array with {rows} rows: more than {rows} are needed")
    duration, charge = torch.from_numpy(data.duration), torch.from_numpy(data.charge)
    time_scale = float(duration.max())
    try:
        fit = fit_measured(duration, charge, time_scale)
    except (ValueError, ArithmeticError, torch.linalg.LinAlgError) as error:
        raise InputError(f"{origin}: {error}") from None
    longest = DURATION_MARGIN * time_scale
    hot, least_squares = ideal_weights(data.duration, data.charge)
    return Surrogate(
        shared=fit.shared,
        shared_error=fit.solution.standard_error.shared,
        current_scale=fit.current_scale,
        time_scale=time_scale,
        domain=_domain(float(duration[duration > 0].min()), longest, fit.state, rows, charge.shape[1]),
        state=fit.state,
        state_error=fit.state_error,
        ideal_one_hot=hot,
        ideal_least_squares=least_squares,
        provenance={
            **Provenance(made_from={"measurements": data.hash}).as_dict(),
            "measurements": origin.name,
            "measurements_count": n,
            "fit_iterations": fit.solution.iterations,
            "fit_relative_residual": fit.solution.sigma,
        },
    )


def _lines(design: Design) -> Lines:
    wires = design.wires
    return Lines(
        wires.switch_resistance, wires.bit_line_resistance, wires.driver_resistance, wires.word_line_resistance,
        design.read.voltage, BOLTZMANN_OVER_CHARGE * design.read.temperature,
    )  # fmt: skip


def _domain(t_min: float, t_max: float, state: Tensor, rows: int, columns: int) -> Domain:
    return Domain(t_min, t_max, float(state.min()), float(state.max()), rows, columns)
