"""Fit to measurements: durations and charges of an array whose every cell is unknown, and so is its bias."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.fitting.common import FIT_PRECISION, charge_jacobians, charge_parts
from surrogate.fitting.least_squares import Linearisation, Problem, Solution, Unknowns, minimise
from surrogate.ideal import least_squares_weights
from surrogate.model import charges
from surrogate.parameters import positions, prior_widths, start_values, unflatten
from surrogate.threads import in_parallel, one_thread_each

TRIAL_OBSERVATIONS = 20
TRIAL_ITERATIONS = 6
SPECIFIC_CURRENT_STARTS = (2.0, -0.5, -3.0)
"""ln of specific current over largest cell current tried as starts: weak, moderate and strong inversion."""

STATE_WIDTH = 6.0
"""Standard deviation of the weak prior on a cell's state around the starts' mean."""


@dataclass(frozen=True)
class MeasuredFit:
    """Fitted shared parameters, the state u of every cell with its standard error, scales and the solver's account."""

    shared: Tensor
    state: Tensor
    state_error: Tensor
    current_scale: float
    solution: Solution


def fit_measured(duration: Tensor, charge: Tensor, time_scale: float) -> MeasuredFit:
    """Fit to ``charge`` [n, M] C of ``duration`` [n, N] s; charges are of one sign, which the current scale carries.

    Raises ``ValueError`` on unusable data.
    """
    weights = torch.from_numpy(least_squares_weights(duration.numpy(), charge.numpy()))
    scale = float(weights.abs().max()) * (1.0 if float(charge.sum()) >= 0 else -1.0)
    if scale == 0:
        raise ValueError("charges: all are zero: nothing to fit")
    time, measured, start_current = duration / time_scale, charge / (scale * time_scale), weights / scale
    with one_thread_each():
        return _fit(time, measured, start_current, scale)


def _fit(time: Tensor, measured: Tensor, start_current: Tensor, scale: float) -> MeasuredFit:
    few = slice(0, TRIAL_OBSERVATIONS + time.shape[1])
    starts = [_start(start_current, log_is) for log_is in SPECIFIC_CURRENT_STARTS]
    trials = [minimise(_problem(time[few], measured[few], s), s, TRIAL_ITERATIONS) for s in starts]
    best = min(range(len(starts)), key=lambda k: trials[k].sigma)
    near = minimise(_problem(time[few], measured[few], starts[best]), trials[best].unknowns)
    solution = minimise(_problem(time, measured, starts[best]), near.unknowns)
    return MeasuredFit(
        shared=solution.unknowns.shared,
        state=solution.unknowns.local,
        state_error=solution.standard_error.local,
        current_scale=scale,
        solution=solution,
    )


def _start(current: Tensor, log_is: float) -> Unknowns:
    """Neutral parameters and the states that give the least-squares currents in them."""
    shared = start_values()
    shared[positions("log_specific_current")] = log_is
    relative = torch.sqrt(current.clamp_min(3e-3) / torch.exp(torch.tensor(log_is, dtype=current.dtype)))
    state = 2 * torch.log(torch.expm1(relative.clamp(1e-6, 30.0)))
    return Unknowns(shared, state + 0.3)


def _problem(time: Tensor, measured: Tensor, start: Unknowns) -> Problem:
    error = measured.square().mean().sqrt().expand_as(measured)
    parts = charge_parts(len(time), *start.local.shape)

    def residual(point: Unknowns) -> Tensor:
        def piece(part: slice) -> Tensor:
            with torch.no_grad():
                return charges(unflatten(point.shared), point.local[None], time[part], FIT_PRECISION)

        return (torch.cat(in_parallel(piece, parts)) - measured) / error

    def linearise(point: Unknowns) -> Linearisation:
        predicted, by_shared, by_state, g_shared, g_state = charge_jacobians(
            point.shared, point.local, time, measured, error
        )
        return Linearisation(
            residual=(predicted - measured) / error,
            gradient=Unknowns(g_shared, g_state),
            jacobian_shared=by_shared / error[..., None],
            jacobian_local=by_state / error[:, None],
        )

    mean = Unknowns(start.shared, torch.full_like(start.local, float(start.local.mean())))
    width = Unknowns(prior_widths(), torch.full_like(start.local, STATE_WIDTH))
    return Problem(residual, linearise, mean, width)
