"""Calibrated covariance of a fit's parameters, from the fit's own data.

What such a fit leaves over is the model's error, alike in cells that are programmed alike, and no noise: the textbook
σ²·(JᵀJ)⁻¹ is far too small. Two steps make up for it. With one gradient g_c per column of cells, so that residuals may
be correlated at will within a column's data, the covariance is the sandwich

    C = f·H⁻¹·(Σ_c g_c·g_cᵀ)·H⁻¹ + H⁻¹·P·H⁻¹,   H = JᵀJ + P,   P the prior's precision

(Huber 1967, White 1980, Liang and Zeger 1986). The factor f then makes the mean square of error/σ one where the fit's
data are predicted by the rest of them: slots and charges of unseen cells, and slots with many active rows from those
with up to a half and to a quarter of the rows. It is the geometric mean over these kinds, whose factors differ by
several times. Such refits are one linear step from the solution.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.fitting.common import FIT_PRECISION, relative_weight
from surrogate.fitting.least_squares import MIN_SIGMA
from surrogate.fitting.programmed import ChargeData, ProgrammedFit, SlotData
from surrogate.fitting.uncertainty import derivatives
from surrogate.model import charges, pattern_currents
from surrogate.threads import one_thread_each

MAX_FACTOR = 1e6

EXTRAPOLATION_SLOTS = 24
"""Slots that an extrapolation in active rows starts from, at least: fewer do not tell the parameters apart."""


@dataclass(frozen=True)
class Evidence:
    """A fit's observations: slot currents and charges, in units of the residuals' size."""

    residual: Tensor
    """[n, M]"""
    jacobian: Tensor
    """[n, M, K]"""
    matrix: Tensor
    """[n] matrix of cells"""
    active: Tensor
    """[n] number of active rows of a slot; −1 for the charge of a whole VMM"""


@dataclass(frozen=True)
class Fold:
    """Observations [n] a refit sees, and those it predicts."""

    train: Tensor
    test: Tensor


@dataclass(frozen=True)
class Spread:
    """Covariance [K, K] without its factor: from the data's residuals, and from the prior."""

    data: Tensor
    prior: Tensor


def calibrated_covariance(fit: ProgrammedFit, slots: SlotData, totals: ChargeData, time_scale: float) -> Tensor:
    """Covariance [K, K] of ``fit``'s shared parameters and state map, from the data it was fitted to."""
    with one_thread_each():
        evidence = _evidence(fit, slots, totals, time_scale)
        precision = torch.diag(fit.solution.prior_width.shared.pow(-2))
        everything = torch.ones(len(evidence.matrix), dtype=torch.bool)
        kinds = _folds(evidence, slots.volts.shape[1]) or [[Fold(everything, everything)]]
        factors = [_factor([_predicted(evidence, precision, fold) for fold in kind]) for kind in kinds]
        _, spread = _refit(evidence, precision, everything)
    return statistics.geometric_mean(factors) * spread.data + spread.prior


def _evidence(fit: ProgrammedFit, slots: SlotData, totals: ChargeData, time_scale: float) -> Evidence:
    seconds = totals.duration / time_scale
    parts = [
        _weighted(
            slots.current / fit.current_scale,
            *derivatives(
                fit.shared, fit.state_map, slots.volts[slots.matrix],
                lambda p, u: pattern_currents(p, u, slots.active, FIT_PRECISION),
            ),
        ),
        _weighted(
            totals.charge / (fit.current_scale * time_scale),
            *derivatives(
                fit.shared, fit.state_map, slots.volts[totals.matrix],
                lambda p, u: charges(p, u, seconds, FIT_PRECISION),
            ),
        ),
    ]  # fmt: skip
    return Evidence(
        residual=torch.cat([residual for residual, _ in parts]),
        jacobian=torch.cat([jacobian for _, jacobian in parts]),
        matrix=torch.cat([slots.matrix, totals.matrix]),
        active=torch.cat([slots.active.sum(-1), torch.full((len(seconds),), -1.0, dtype=torch.float64)]),
    )


def _weighted(measured: Tensor, predicted: Tensor, jacobian: Tensor) -> tuple[Tensor, Tensor]:
    """Relative residuals and their Jacobian, over the residuals' rms."""
    weight = relative_weight(measured)
    residual = (predicted - measured) * weight
    sigma = residual.square().mean().sqrt().clamp_min(MIN_SIGMA)
    return residual / sigma, jacobian * (weight / sigma)[..., None]


def _folds(evidence: Evidence, rows: int) -> list[list[Fold]]:
    """Folds by kind: slots and charges of unseen matrices, slots with more active rows than were seen, twice."""
    slot = evidence.active >= 0
    kinds = []
    matrices = evidence.matrix.unique()
    if len(matrices) > 1:
        for observed in (slot, ~slot):
            alike = [evidence.matrix == matrix for matrix in matrices]
            kinds.append([Fold(~unseen, unseen & observed) for unseen in alike])
    least = float(evidence.active[slot].sort().values[:EXTRAPOLATION_SLOTS][-1])
    for few in sorted({max(least, rows / 2), max(least, rows / 4)}):
        more = evidence.active > max(few, rows / 2)
        if bool(more.any()):
            kinds.append([Fold(slot & (evidence.active <= few), more)])
    return kinds


def _refit(evidence: Evidence, precision: Tensor, train: Tensor) -> tuple[Tensor, Spread]:
    """Step [K] of the parameters when only ``train`` is fitted, and their covariance then."""
    jacobian, matrix = evidence.jacobian[train], evidence.matrix[train]
    bread = torch.linalg.inv(torch.einsum("nmk,nml->kl", jacobian, jacobian) + precision)
    missing = torch.einsum("nmk,nm->k", evidence.jacobian[~train], evidence.residual[~train])
    step = bread @ missing  # the whole data's gradient, prior included, is zero at the solution
    gradient = jacobian * (evidence.residual[train] + jacobian @ step)[..., None]
    per_column = torch.cat([gradient[matrix == m].sum(0) for m in matrix.unique()]) @ bread
    return step, Spread(per_column.T @ per_column, bread @ precision @ bread)


def _predicted(evidence: Evidence, precision: Tensor, fold: Fold) -> Tensor:
    """Squared errors of what ``fold`` predicts, and their variances by data and by prior: [3, test, M]."""
    step, spread = _refit(evidence, precision, fold.train)
    jacobian = evidence.jacobian[fold.test]
    error = evidence.residual[fold.test] + jacobian @ step
    variances = [torch.einsum("nmk,kl,nml->nm", jacobian, c, jacobian) for c in (spread.data, spread.prior)]
    return torch.stack([error.square(), *variances])


def _factor(folds: list[Tensor]) -> float:
    """The factor, 1 … :data:`MAX_FACTOR`, at which the mean of (error/σ)² over one kind of folds is one."""
    error, data, prior = torch.cat([fold.reshape(3, -1) for fold in folds], dim=-1)
    low, high = 1.0, MAX_FACTOR
    while high > 1.001 * low:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if float((error / (middle * data + prior)).mean()) > 1 else (low, middle)
    return high
