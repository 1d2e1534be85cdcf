"""Levenberg–Marquardt for models with shared parameters and parameters that only one column's data see.

The normal equations are then an arrow: one block per column, joined by the shared parameters, solved through the
Schur complement. Gradients are exact; the curvature leaves out the weak cross-talk of one column's states on another
column's data, which does not move the solution.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

MIN_SIGMA = 1e-5
"""Residual size below which data are not believed (SPICE itself is no better)."""


@dataclass(frozen=True)
class Unknowns:
    """A point: ``shared`` [K] and ``local`` [N, M] (N parameters for each of M columns; N may be 0)."""

    shared: Tensor
    local: Tensor


@dataclass(frozen=True)
class Linearisation:
    """Residuals r [n, M] and their derivatives: exact gradients of ½|r|², Jacobians for the curvature."""

    residual: Tensor
    gradient: Unknowns
    jacobian_shared: Tensor
    """[n, M, K]"""
    jacobian_local: Tensor
    """[n, N, M]"""


@dataclass(frozen=True)
class Problem:
    """What to minimise: |r/σ|² + prior. σ, the size of the residuals, is estimated along the way."""

    residual: Callable[[Unknowns], Tensor]
    linearise: Callable[[Unknowns], Linearisation]
    prior_mean: Unknowns
    prior_width: Unknowns
    least_sigma: float = MIN_SIGMA
    """Size below which residuals are never believed to lie, however few data there are."""


@dataclass(frozen=True)
class Solution:
    """Result of :func:`minimise`: the point, its standard errors, the prior's widths and how it got there."""

    unknowns: Unknowns
    standard_error: Unknowns
    prior_width: Unknowns
    sigma: float
    iterations: int
    history: tuple[float, ...]


def minimise(problem: Problem, start: Unknowns, iterations: int = 60, tolerance: float = 2e-3) -> Solution:
    """Minimise ``problem`` from ``start`` until three steps lower the residuals by less than ``tolerance`` of them."""
    point, damping = start, 1e-3
    linear = problem.linearise(point)
    sigma = _sigma(problem, linear.residual)
    history = [sigma]
    count = 0
    while count < iterations:
        count += 1
        before = _objective(problem, point, linear.residual, sigma)
        accepted = None
        for _ in range(10):
            trial = _step(problem, point, linear, sigma, damping)
            try:
                after = _objective(problem, trial, problem.residual(trial), sigma)
            except ArithmeticError:
                after = float("inf")
            if after < before:
                accepted = trial
                break
            damping = min(damping * 6, 1e8)
        if accepted is None:
            break
        point, damping = accepted, max(damping / 6, 1e-9)
        linear = problem.linearise(point)
        sigma = _sigma(problem, linear.residual)
        history.append(sigma)
        if len(history) > 3 and history[-4] - history[-1] < tolerance * history[-1]:
            break
    return Solution(point, _standard_error(problem, linear, sigma), problem.prior_width, sigma, count, tuple(history))


def _sigma(problem: Problem, residual: Tensor) -> float:
    return max(float(residual.square().mean().sqrt()), problem.least_sigma)


def _objective(problem: Problem, at: Unknowns, residual: Tensor, sigma: float) -> float:
    prior = sum(
        float(((value - mean) / width).square().sum())
        for value, mean, width in (
            (at.shared, problem.prior_mean.shared, problem.prior_width.shared),
            (at.local, problem.prior_mean.local, problem.prior_width.local),
        )
    )
    total = float((residual / sigma).square().sum()) + prior
    return total if total == total else float("inf")


def _blocks(problem: Problem, linear: Linearisation, sigma: float) -> tuple[Tensor, Tensor, Tensor]:
    """Curvature: shared [K, K], cross [M, N, K], local [M, N, N], prior included."""
    js, jl = linear.jacobian_shared / sigma, linear.jacobian_local / sigma
    shared = torch.einsum("nmk,nml->kl", js, js) + torch.diag(problem.prior_width.shared.pow(-2))
    cross = torch.einsum("nim,nmk->mik", jl, js)
    local = torch.einsum("nim,nkm->mik", jl, jl) + torch.diag_embed(problem.prior_width.local.pow(-2).T)
    return shared, cross, local


def _step(problem: Problem, at: Unknowns, linear: Linearisation, sigma: float, damping: float) -> Unknowns:
    shared, cross, local = _blocks(problem, linear, sigma)
    shared = shared + damping * torch.diag(shared.diagonal())
    local = local + damping * torch.diag_embed(local.diagonal(dim1=-2, dim2=-1))
    gs = linear.gradient.shared / sigma**2 + (at.shared - problem.prior_mean.shared) / problem.prior_width.shared**2
    gl = linear.gradient.local / sigma**2 + (at.local - problem.prior_mean.local) / problem.prior_width.local**2
    if at.local.numel() == 0:
        return replace(at, shared=at.shared - torch.linalg.solve(shared, gs))
    factor = torch.linalg.cholesky(local)
    inner_g = torch.cholesky_solve(gl.T[..., None], factor)
    inner_c = torch.cholesky_solve(cross, factor)
    schur = shared - torch.einsum("mik,mil->kl", cross, inner_c)
    step = torch.linalg.solve(schur, gs - torch.einsum("mik,mi->k", cross, inner_g[..., 0]))
    local_step = inner_g[..., 0] - torch.einsum("mik,k->mi", inner_c, step)
    return Unknowns(at.shared - step, at.local - local_step.T)


def _standard_error(problem: Problem, linear: Linearisation, sigma: float) -> Unknowns:
    shared, cross, local = _blocks(problem, linear, sigma)
    if linear.jacobian_local.shape[1] == 0:
        variance = torch.linalg.inv(shared).diagonal()
        return Unknowns(variance.clamp_min(0).sqrt(), torch.zeros_like(problem.prior_mean.local))
    inverse = torch.linalg.inv(local)
    gain = inverse @ cross
    covariance = torch.linalg.inv(shared - torch.einsum("mik,mil->kl", cross, gain))
    spread = torch.einsum("mik,kl,mil->mi", gain, covariance, gain)
    variance = inverse.diagonal(dim1=-2, dim2=-1) + spread
    return Unknowns(covariance.diagonal().clamp_min(0).sqrt(), variance.clamp_min(0).sqrt().T)
