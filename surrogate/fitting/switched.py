"""Fit of an array with instantaneous drops to SPICE campaigns, where every conductance is known."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from surrogate.engine import SwitchedEngine
from surrogate.fitting.common import relative_weight
from surrogate.fitting.least_squares import Linearisation, Problem, Unknowns, minimise
from surrogate.fitting.programmed import ChargeData, ProgrammedFit, SlotData
from surrogate.model import Precision
from surrogate.state_map import MAP_TERMS, StateMap
from surrogate.switched.reference import charge_parts, pattern_currents
from surrogate.threads import one_thread_each

LOG_WIDTH, BEND_WIDTH = 5.0, 10.0
"""Prior widths of the logarithms of the resistances and of the bend: what data do not show stays near the start."""

START_BEND = 0.3
LEAST_SIGMA = 1e-7
"""Relative size of the residuals that is never believed to be less: what ngspice's solutions leave."""
STEP = 1e-4
"""Step of the central differences."""
PRECISION = Precision(currents=1e-9)


def fit_switched(
    slots: SlotData, totals: ChargeData, read_voltage: float, time_scale: float, kind: type[SwitchedEngine]
) -> ProgrammedFit:
    """Fit the resistances and the bend of arrays of ``kind`` to slot currents, then the edges' cost to charges.

    ``slots.volts`` are the conductances in S at ``read_voltage`` V. Raises ``ValueError`` on unusable data."""
    best = float(slots.volts.max())
    scale = best * read_voltage
    if not (best > 0 and float(slots.current.max()) > 0):
        raise ValueError("slot currents or conductances: none is positive: nothing to fit")
    state, measured = slots.volts / best, slots.current / scale
    weight = relative_weight(measured)
    empty = torch.zeros(0, measured.shape[1], dtype=torch.float64)

    def predicted(vector: Tensor) -> Tensor:
        shared = kind(torch.cat([vector, vector.new_zeros(1)])).cells
        return pattern_currents(shared, state[slots.matrix], slots.active, PRECISION)

    def residual(point: Unknowns) -> Tensor:
        return (predicted(point.shared) - measured) * weight

    def linearise(point: Unknowns) -> Linearisation:
        steps = STEP * torch.eye(len(point.shared)).to(point.shared)
        slopes = [(predicted(point.shared + step) - predicted(point.shared - step)) / (2 * STEP) for step in steps]
        error, by_shared = residual(point), torch.stack(slopes, dim=-1) * weight[..., None]
        gradient = torch.einsum("nm,nmk->k", error, by_shared)
        none = error.new_zeros(len(error), 0, error.shape[1])
        return Linearisation(error, Unknowns(gradient, empty), by_shared, none)

    start = Unknowns(_start(state, slots, measured, kind), empty)
    width = Unknowns(torch.full_like(start.shared, LOG_WIDTH), empty)
    width.shared[-1] = BEND_WIDTH
    with one_thread_each():
        solution = minimise(Problem(residual, linearise, start, width, LEAST_SIGMA), start)
        edge, error = _edge_time(solution.unknowns.shared, state, totals, time_scale, scale, kind)
    errors = torch.cat([solution.standard_error.shared, error])
    solution = replace(solution, standard_error=Unknowns(errors, empty))
    state_map = StateMap(torch.eye(MAP_TERMS, dtype=torch.float64)[1], 0.0, best)
    return ProgrammedFit(torch.cat([solution.unknowns.shared, edge]), state_map, scale, solution)


def _start(state: Tensor, slots: SlotData, measured: Tensor, kind: type[SwitchedEngine]) -> Tensor:
    """Each resistance as if it alone took what the currents lack: from above the logarithm steps safely down."""
    ideal = torch.einsum("pn,pnm->pm", slots.active, state[slots.matrix])
    lack = min(max(float(1 - measured.sum() / ideal.sum()), 1e-6), 0.9)
    rows, columns = state.shape[-2:]
    drop = lack / (1 - lack)
    driver, switch = drop * float(slots.active.sum() / ideal.sum()), drop / float(ideal.mean())
    ohms = {
        "log_driver": driver, "log_word_line": 2 * driver / columns, "log_bit_line": 2 * switch / rows,
        "log_switch": switch, "log_access": drop,
    }  # fmt: skip
    logarithms = [math.log(0.3 * ohms[name]) for name, _ in kind.names if name in ohms]
    return torch.tensor([*logarithms, START_BEND], dtype=torch.float64)


def _edge_time(
    vector: Tensor, state: Tensor, totals: ChargeData, time_scale: float, scale: float, kind: type[SwitchedEngine]
) -> tuple[Tensor, Tensor]:
    """What an edge costs of a pulse and its standard error, [1] each: charges are linear in it."""
    shared = kind(torch.cat([vector, vector.new_zeros(1)])).cells
    charge, cut = charge_parts(shared, state[totals.matrix], totals.duration / time_scale, PRECISION)
    lack = charge - totals.charge / (scale * time_scale)
    edge = (lack * cut).sum() / cut.square().sum()
    error = (lack - edge * cut).square().mean().sqrt() / cut.square().sum().sqrt()
    return edge.reshape(1), error.reshape(1)


