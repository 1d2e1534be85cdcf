"""Fit of a linear array's four resistances to slot currents of SPICE campaigns, where every conductance is known."""

from __future__ import annotations

import torch
from torch import Tensor

from surrogate.fitting.common import relative_weight
from surrogate.fitting.least_squares import Linearisation, Problem, Unknowns, minimise
from surrogate.fitting.programmed import ProgrammedFit, SlotData
from surrogate.linear import effective_matrix
from surrogate.state_map import MAP_TERMS, StateMap
from surrogate.threads import one_thread_each

LOG_WIDTH = 5.0
"""Prior width of the logarithms of the resistances: what the data do not show stays within some decades."""

STATES = (0.0, 10.0)
"""Domain of states: the model is exact for all conductances, so it goes far beyond the best cell seen, whose is 1."""

LOG_STEP = 1e-4
"""Step of the central differences by the logarithms: 1e-9 of a current are rounding and curvature together."""

LEAST_SIGMA = 1e-7
"""Relative size of the residuals that is never believed to be less: what ngspice's linear solutions leave."""


def fit_linear(slots: SlotData, read_voltage: float) -> ProgrammedFit:
    """Fit ln of the resistances (:data:`surrogate.linear.RESISTANCES`) to slot currents.

    Charges need no fit: pulses last from 50 % to 50 % of linear edges, and over a pulse that begins and ends at rest
    the integral of a linear circuit's current is the settled current's, whatever its capacitors do in between.

    ``slots.volts`` are the conductances in S. The current scale is what the best cell would conduct without wires, so
    that states are conductances over the best one, and resistances come in units of that cell's. Raises ``ValueError``
    on unusable data.
    """
    best = float(slots.volts.max())
    scale = best * read_voltage
    if not (best > 0 and float(slots.current.max()) > 0):
        raise ValueError("slot currents or conductances: none is positive: nothing to fit")
    state, measured = slots.volts / best, slots.current / scale
    weight = relative_weight(measured)
    columns = measured.shape[1]
    empty = torch.zeros(0, columns, dtype=torch.float64)

    def predicted(log_resistance: Tensor) -> Tensor:
        matrix = effective_matrix(state, torch.exp(log_resistance))
        return torch.einsum("pn,pnm->pm", slots.active, matrix[slots.matrix])

    def residual(point: Unknowns) -> Tensor:
        return (predicted(point.shared) - measured) * weight

    def linearise(point: Unknowns) -> Linearisation:
        error = residual(point)
        steps = LOG_STEP * torch.eye(4).to(point.shared)
        slopes = [(predicted(point.shared + step) - predicted(point.shared - step)) / (2 * LOG_STEP) for step in steps]
        by_shared = torch.stack(slopes, dim=-1) * weight[..., None]
        gradient = torch.einsum("nm,nmk->k", error, by_shared)
        none = torch.zeros(len(measured), 0, columns, dtype=measured.dtype)
        return Linearisation(error, Unknowns(gradient, empty), by_shared, none)

    start = Unknowns(_start(state, slots, measured), empty)
    width = Unknowns(torch.full_like(start.shared, LOG_WIDTH), empty)
    with one_thread_each():
        solution = minimise(Problem(residual, linearise, start, width, LEAST_SIGMA), start)
    state_map = StateMap(torch.eye(MAP_TERMS, dtype=torch.float64)[1], 0.0, best)
    return ProgrammedFit(solution.unknowns.shared, state_map, scale, solution)


def _start(state: Tensor, slots: SlotData, measured: Tensor) -> Tensor:
    """Each resistance as if it alone took what the currents lack: from above the logarithm steps safely down."""
    ideal = torch.einsum("pn,pnm->pm", slots.active, state[slots.matrix])
    lack = max(float(1 - measured.sum() / ideal.sum()), 1e-6)
    rows, columns = state.shape[-2:]
    drop = lack / (1 - lack)
    driver, switch = drop * float(slots.active.sum() / ideal.sum()), drop / float(ideal.mean())
    return torch.log(torch.tensor([driver, 2 * driver / columns, 2 * switch / rows, switch], dtype=torch.float64))
