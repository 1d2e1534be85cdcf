"""Fit of the shared parameters where every cell's programmed voltage is known: slot currents of SPICE campaigns."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.fit_common import FIT_PRECISION, jacobians
from surrogate.least_squares import Linearisation, Problem, Solution, Unknowns, minimise
from surrogate.model import charges, pattern_currents
from surrogate.parameters import SIZE, Parameters, positions, prior_widths, start_values, unflatten
from surrogate.state_map import MAP_TERMS, StateMap
from surrogate.threads import one_thread_each

RELATIVE_FLOOR = 0.3
"""Currents well below this share of the mean weigh as if they were that large."""


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
class ProgrammedFit:
    """Fitted shared parameters, the map from programmed voltage to state, scales and the solver's account."""

    shared: Tensor
    state_map: StateMap
    current_scale: float
    solution: Solution


def fit_programmed(slots: SlotData, totals: ChargeData, time_scale: float) -> ProgrammedFit:
    """Fit to slot currents, then the edges' lost time to charges. Raises ``ValueError`` on unusable data."""
    scale = float(slots.current.max())
    if not scale > 0:
        raise ValueError("slot currents: none is positive: nothing to fit")
    measured = slots.current / scale
    weight = 1 / (RELATIVE_FLOOR * measured.mean() + measured.abs())
    centre, unit = float(slots.volts.mean()), float(slots.volts.std())
    powers = ((slots.volts - centre) / unit)[..., None] ** torch.arange(MAP_TERMS)
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

    start = _start(slots.volts, measured)
    empty = torch.zeros(0, columns, dtype=torch.float64)
    width = torch.cat([prior_widths(), torch.tensor([20.0, 20.0, 1.0, 0.3], dtype=torch.float64)])
    problem = Problem(residual, linearise, Unknowns(start, empty), Unknowns(width, empty))
    with one_thread_each():
        solution = minimise(problem, Unknowns(start, empty))
    shared = solution.unknowns.shared[:SIZE].clone()
    state_map = StateMap(solution.unknowns.shared[SIZE:], centre, unit)
    shared[positions("edge_time")] = _edge_time(shared, state_map(slots.volts), totals, scale, time_scale)
    return ProgrammedFit(shared, state_map, scale, solution)


def _start(volts: Tensor, measured: Tensor) -> Tensor:
    """Neutral parameters; the map takes the observed spread of currents as some units of state per volt."""
    start = start_values()
    centre_state, slope = -1.0, float(volts.std()) / 0.05
    return torch.cat([start, torch.tensor([centre_state, slope, 0.0, 0.0], dtype=torch.float64)])


def _edge_time(shared: Tensor, state: Tensor, totals: ChargeData, scale: float, time_scale: float) -> float:
    """Least-squares lost time per pulse (time-scale units): the charges are linear in it."""
    parameters = unflatten(shared.clone())
    duration, truth = totals.duration / time_scale, totals.charge / (scale * time_scale)
    with torch.no_grad():
        plain = charges(parameters.without("edge"), state[totals.matrix], duration)
        shifted = Parameters({**parameters.values, "edge_time": torch.ones(1, 1, 1, dtype=torch.float64)})
        slope = charges(shifted, state[totals.matrix], duration) - plain
    return float(((truth - plain) * slope).sum() / slope.square().sum())
