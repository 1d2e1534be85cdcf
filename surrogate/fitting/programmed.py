"""Fit of the shared parameters where every cell's programmed voltage is known: slot currents of SPICE campaigns."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.fitting.common import FIT_PRECISION, jacobians, relative_weight
from surrogate.fitting.least_squares import Linearisation, Problem, Solution, Unknowns, minimise
from surrogate.model import charges, pattern_currents
from surrogate.parameters import SIZE, Parameters, positions, prior_widths, start_values, unflatten
from surrogate.state_map import StateMap, map_powers
from surrogate.threads import one_thread_each

LOG_INVERSION_STARTS = (-1.5, 0.5, 3.0)
"""ln of mean cell current over specific current tried as starts: weak, moderate and strong inversion."""

TRIAL_ITERATIONS = 6
TRIAL_SIGMA = 1e-3
"""Relative residual after a trial that makes other starts needless."""

VOLTS_PER_STATE = 0.05
"""Stored voltage per unit of state that starts assume, some 1.4 kT/q on a gate that keeps most of it."""

KNOWN = 0.001
"""Relative standard deviation of a resistance or voltage that the design knows."""

RISE_WIDTH = 0.5
"""The same where part of the voltage is taken back by coupling."""

LEAST_OHMS = 1e-6


@dataclass(frozen=True)
class SlotData:
    """Slot currents [P, M] A of patterns ``active`` [P, N] of matrices ``matrix`` [P]; ``volts`` [B, N, M]."""

    active: Tensor
    matrix: Tensor
    current: Tensor
    volts: Tensor


@dataclass(frozen=True)
class ChargeData:
    """Charges [n, M] C of ``duration`` [n, N] s of matrices ``matrix`` [n]."""

    duration: Tensor
    matrix: Tensor
    charge: Tensor


@dataclass(frozen=True)
class Lines:
    """What a design knows of its lines: resistances in ohm (of the wires per segment), voltage between bit line and
    active word line and kT/q in V.

    Voltages of the model are in units of kT/q. A word line's rise also lifts its floating gates, which takes back
    part of its effect: that part is fitted."""

    switch: float
    bit_line: float
    driver: float
    word_line: float
    read_voltage: float
    thermal_voltage: float


@dataclass(frozen=True)
class ProgrammedFit:
    """Fitted shared parameters, the map from programmed voltage to state, scales and the solver's account."""

    shared: Tensor
    state_map: StateMap
    current_scale: float
    solution: Solution


def fit_programmed(slots: SlotData, totals: ChargeData, time_scale: float, lines: Lines | None = None) -> ProgrammedFit:
    """Fit to slot currents, then the edges' lost time to charges. Raises ``ValueError`` on unusable data."""
    scale = float(slots.current.max())
    if not scale > 0:
        raise ValueError("slot currents: none is positive: nothing to fit")
    measured = slots.current / scale
    weight = relative_weight(measured)
    centre, unit = float(slots.volts.mean()), float(slots.volts.std())
    powers = map_powers(slots.volts, centre, unit)
    columns = measured.shape[1]

    def states(point: Unknowns) -> Tensor:
        return (powers @ point.shared[SIZE:])[slots.matrix]

    def predict(p: Parameters, state: Tensor) -> Tensor:
        return pattern_currents(p, state, slots.active, FIT_PRECISION)

    def residual(point: Unknowns) -> Tensor:
        with torch.no_grad():
            return (predict(unflatten(point.shared[:SIZE]), states(point)) - measured) * weight

    def linearise(point: Unknowns) -> Linearisation:
        y, by_shared, by_state, g_shared, g_state = jacobians(
            point.shared[:SIZE], states(point), predict, columns, lambda y: (y - measured) * weight**2
        )
        basis = powers[slots.matrix]
        by_map = torch.einsum("pim,pimk->pmk", by_state, basis)
        g_map = torch.einsum("pim,pimk->k", g_state, basis)
        return Linearisation(
            residual=(y - measured) * weight,
            gradient=Unknowns(torch.cat([g_shared, g_map]), point.local),
            jacobian_shared=torch.cat([by_shared, by_map], dim=-1) * weight[..., None],
            jacobian_local=torch.zeros(y.shape[0], 0, columns, dtype=y.dtype),
        )

    empty = torch.zeros(0, columns, dtype=torch.float64)
    width = torch.cat([prior_widths(), torch.tensor([20.0, 20.0, 1.0, 0.3], dtype=torch.float64)])
    starts = [Unknowns(start, empty) for start in _starts(slots.volts, measured, slots.active)]
    for start in starts:
        if lines is not None:
            _know_lines(lines, scale, start.shared, width)
    with one_thread_each():
        solution = _best(residual, linearise, starts, Unknowns(width, empty))
    shared = solution.unknowns.shared[:SIZE].clone()
    state_map = StateMap(solution.unknowns.shared[SIZE:], centre, unit)
    shared[positions("edge_time")] = _edge_time(shared, state_map(slots.volts), totals, scale, time_scale)
    return ProgrammedFit(shared, state_map, scale, solution)


def _best(
    residual: Callable[[Unknowns], Tensor],
    linearise: Callable[[Unknowns], Linearisation],
    starts: list[Unknowns],
    width: Unknowns,
) -> Solution:
    """The fit from the first start that a few steps bring to the data, or else from the best one. Raises
    ``ValueError`` where the currents of all starts diverge."""
    trials = []
    for start in starts:
        problem = Problem(residual, linearise, start, width)
        try:
            trials.append((problem, minimise(problem, start, TRIAL_ITERATIONS)))
        except ArithmeticError:
            continue
        if trials[-1][1].sigma < TRIAL_SIGMA:
            break
    if not trials:
        raise ValueError("slot currents: times the lines' resistances they exceed what cells can carry: check both")
    problem, trial = min(trials, key=lambda each: each[1].sigma)
    return minimise(problem, trial.unknowns)


def _starts(volts: Tensor, measured: Tensor, active: Tensor) -> list[Tensor]:
    """Neutral parameters with cells in weak, moderate and strong inversion; each start's map takes the mean observed
    current to the state that carries it in these parameters."""
    mean = float((measured.sum(-1) / (active.sum(-1) * measured.shape[1])).mean())
    slope = float(volts.std()) / VOLTS_PER_STATE
    starts = []
    for log_is in (math.log(mean) - log_inversion for log_inversion in LOG_INVERSION_STARTS):
        shared = start_values()
        shared[positions("log_specific_current")] = log_is
        centre = 2 * math.log(math.expm1(math.sqrt(mean / math.exp(log_is))))
        starts.append(torch.cat([shared, torch.tensor([centre, slope, 0.0, 0.0], dtype=torch.float64)]))
    return starts


def _know_lines(lines: Lines, scale: float, mean: Tensor, width: Tensor) -> None:
    """Write the priors of the lines' resistances into ``mean`` and ``width``."""
    for name, ohms, spread in (
        ("log_switch", lines.switch, KNOWN),
        ("log_bit_line", lines.bit_line, KNOWN),
        ("log_driver", lines.driver, RISE_WIDTH),
        ("log_word_line", lines.word_line, RISE_WIDTH),
    ):
        mean[positions(name)] = math.log(max(ohms, LEAST_OHMS) * scale / lines.thermal_voltage)
        width[positions(name)] = spread
    mean[positions("drain_limit")] = lines.read_voltage / lines.thermal_voltage
    width[positions("drain_limit")] = KNOWN * lines.read_voltage / lines.thermal_voltage


def _edge_time(shared: Tensor, state: Tensor, totals: ChargeData, scale: float, time_scale: float) -> float:
    """Least-squares lost time per edge (time-scale units): the charges are linear in it."""
    parameters = unflatten(shared.clone()).without("edge")
    duration, truth = totals.duration / time_scale, totals.charge / (scale * time_scale)
    with torch.no_grad():
        plain = charges(parameters, state[totals.matrix], duration)
        shifted = Parameters({**parameters.values, "edge_time": torch.ones(1, 1, 1, dtype=torch.float64)})
        slope = charges(shifted, state[totals.matrix], duration) - plain
    return float(((truth - plain) * slope).sum() / slope.square().sum())
