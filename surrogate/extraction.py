"""Weight extraction: the state of every cell of an unknown array, from its charges and a surrogate of its layout.

The shared parameters are the surrogate's; left is one state per cell. A charge of column j depends on the states of
column j (the others reach it only through gates and word lines, weakly), so the posterior of each column is taken as
Gaussian about its maximum (Laplace): precision = prior + Σ_t g_t·g_tᵀ/σ², with g_t = ∂Q_tj/∂u_ij.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from surrogate.errors import InputError
from surrogate.fitting.common import FIT_PRECISION, charge_jacobians
from surrogate.fitting.least_squares import Linearisation, Problem, Unknowns, minimise
from surrogate.model import charges
from surrogate.surrogate import Surrogate
from surrogate.threads import one_thread_each

Array = NDArray[np.float64]

MODEL_ERROR = 5e-4
"""Relative model error of a surrogate that does not carry its fit's residual."""

LEAST_CHARGE = 1e-3
"""Share of full scale below which the model's error falls no further: there SPICE's own errors are."""

_NOTHING = torch.zeros(0, dtype=torch.float64)

@dataclass(frozen=True)
class States:
    """A Gaussian belief about the states of an array: mean [N, M] and covariance of every column [M, N, N]."""

    mean: Tensor
    covariance: Tensor

    @property
    def standard_error(self) -> Tensor:
        """[N, M]"""
        return self.covariance.diagonal(dim1=-2, dim2=-1).sqrt().T

    def draw(self, generator: torch.Generator) -> Tensor:
        """One random array [N, M] of this belief."""
        normal = torch.randn(*self.covariance.shape[:2], 1, generator=generator, dtype=self.mean.dtype)
        return self.mean + (torch.linalg.cholesky(self.covariance) @ normal)[..., 0].T


@dataclass(frozen=True)
class Extraction:
    """Extracted ``states`` as the measurements tell them, given the surrogate; ``state_error`` [N, M] are their
    standard errors with the surrogate's own uncertainty (where it carries a covariance); ``misfit`` is the rms residual
    in units of its expected size: well above 1 where array and surrogate do not belong together."""

    states: States
    state_error: Tensor
    misfit: float
    iterations: int


def prior_states(surrogate: Surrogate, rows: int, columns: int) -> States:
    """What is known before any measurement: states anywhere in the surrogate's domain, with that variance."""
    low, high = surrogate.domain.state_min, surrogate.domain.state_max
    mean = torch.full((rows, columns), 0.5 * (low + high), dtype=torch.float64)
    return States(mean, torch.eye(rows, dtype=torch.float64).repeat(columns, 1, 1) * (high - low) ** 2 / 12)


def charge_error(surrogate: Surrogate, charge: Tensor, noise: float) -> Tensor:
    """Standard deviation of measured less predicted ``charge`` (any shape), both in units of full scale.

    It is the ``noise`` C of the measurement and the model's own error, which keeps many exact measurements from being
    trusted beyond the model. That is the relative residual of the surrogate's fit for a charge of full scale; below,
    its variance is in proportion to the charge, as errors of single cells are independent. Raises
    :class:`InputError` unless ``noise`` is 0 or positive.
    """
    if not (0 <= noise < math.inf):
        raise InputError(f"extraction: noise {noise:g} C: give the standard deviation of a measured charge, 0 or more")
    model = float(surrogate.provenance.get("fit_relative_residual", MODEL_ERROR))
    share = noise / abs(surrogate.current_scale * surrogate.time_scale)
    return torch.sqrt(share**2 + model**2 * (charge.abs() + LEAST_CHARGE))


def extract_states(surrogate: Surrogate, duration: Array, charge: Array, noise: float = 0.0) -> Extraction:
    """States of the array whose VMMs of ``duration`` [n, N] s gave ``charge`` [n, M] C with ``noise`` C (standard
    deviation). Any n ≥ 1 will do: what the measurements leave open stays as uncertain as before them.

    Raises :class:`InputError` on unusable data.
    """
    _check(surrogate, duration, charge)
    unit = surrogate.current_scale * surrogate.time_scale
    prior = prior_states(surrogate, duration.shape[1], charge.shape[1])
    time, measured = torch.from_numpy(duration / surrogate.time_scale), torch.from_numpy(charge / unit)
    error = charge_error(surrogate, measured, noise)
    with one_thread_each():
        problem = _problem(surrogate, time, measured, prior, error)
        solution = minimise(problem, Unknowns(_NOTHING, prior.mean))
        found = solution.unknowns.local
        predicted, by_shared, by_state, *_ = charge_jacobians(surrogate.shared, found, time, measured, error)
    misfit = float(((predicted - measured) / error).square().mean().sqrt())
    weighted = by_state / (error * max(misfit, 1.0)).square()[:, None]
    precision = torch.einsum("nim,nkm->mik", weighted, by_state) + torch.linalg.inv(prior.covariance)
    covariance = torch.linalg.inv(precision)
    by_parameter = covariance @ torch.einsum("nim,nmk->mik", weighted, by_shared)
    variance = covariance.diagonal(dim1=-2, dim2=-1).T + _inherited(surrogate, found, by_parameter)
    return Extraction(States(found, covariance), variance.sqrt(), misfit, solution.iterations)


def _inherited(surrogate: Surrogate, state: Tensor, by_parameter: Tensor) -> Tensor:
    """Variances [N, M] of ``state`` [N, M] that come from the surrogate's own, in its shared parameters (of which the
    states have the derivatives −``by_parameter`` [M, N, K]) and in its map from voltage to state."""
    if surrogate.covariance is None or surrogate.state_map is None:
        return torch.zeros_like(state)
    known = state.clamp(surrogate.domain.state_min, surrogate.domain.state_max)
    powers = surrogate.state_map.powers(surrogate.state_map.inverse(known).T)
    change = torch.cat([by_parameter, powers], dim=-1)
    return torch.einsum("mik,kl,mil->im", change, surrogate.covariance, change).clamp_min(0)


def _problem(surrogate: Surrogate, time: Tensor, measured: Tensor, prior: States, error: Tensor) -> Problem:
    def residual(point: Unknowns) -> Tensor:
        with torch.no_grad():
            return (charges(surrogate.parameters, point.local[None], time, FIT_PRECISION) - measured) / error

    def linearise(point: Unknowns) -> Linearisation:
        predicted, _, by_state, _, gradient = charge_jacobians(surrogate.shared, point.local, time, measured, error)
        return Linearisation(
            residual=(predicted - measured) / error,
            gradient=Unknowns(_NOTHING, gradient),
            jacobian_shared=torch.zeros(*measured.shape, 0, dtype=torch.float64),
            jacobian_local=by_state / error[:, None],
        )

    width = prior.covariance.diagonal(dim1=-2, dim2=-1).sqrt().T
    return Problem(residual, linearise, Unknowns(_NOTHING, prior.mean), Unknowns(_NOTHING, width), least_sigma=1.0)


def _check(surrogate: Surrogate, duration: Array, charge: Array) -> None:
    if duration.ndim != 2 or charge.ndim != 2 or len(duration) != len(charge) or len(duration) == 0:
        raise InputError(
            f"extraction: durations {duration.shape} and charges {charge.shape}: give [n, rows] and [n, columns], n ≥ 1"
        )
    if not np.isfinite(charge).all():
        raise InputError("extraction: charges: not finite: leave such measurements out")
    if surrogate.kind != "mos":
        raise InputError("extraction: a resistive array is linear: its least-squares weights are exact")
    surrogate.domain.check_duration(duration)
