"""What fits share: Jacobians of the reference engine from one reverse pass, and the weights of residuals."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from surrogate.model import Precision, charges
from surrogate.parameters import Parameters, unflatten
from surrogate.threads import in_parallel

FIT_PRECISION = Precision(currents=1e-6, derivatives=2e-2)
"""Enough for a fit: an error of a derivative's feedback part decides the path, not the solution."""

RELATIVE_FLOOR = 0.3
"""Currents well below this share of the mean weigh as if they were that large."""

CHUNK_ELEMENTS = 150_000
"""Cell evaluations (observations × slots × rows × columns) of one piece of work: small enough for a core's cache."""

Evaluate = Callable[[Parameters, Tensor], Tensor]
"""Predictions [n, M] from parameters with a copy per observation and states [n, N, M]."""


def jacobians(
    shared: Tensor, state: Tensor, evaluate: Evaluate, columns: int, weigh: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Predictions y [n, M], dy/dshared [n, M, K], dy/dstate [n, N, M], and the exact gradients of c(y) = ½|r(y)|²
    with respect to ``shared`` [K] and to ``state`` [n, N, M], where ``weigh(y)`` gives ∂c/∂y.

    Every observation gets its own copy of the parameters, so that one reverse pass of Σ y holds all derivatives.
    """
    n = state.shape[0]
    copies = shared[:, None, None, None].expand(-1, n, 1, columns).clone().requires_grad_(True)
    states = state.detach().clone().requires_grad_(True)
    predicted = evaluate(unflatten(copies), states)
    weight = weigh(predicted.detach())
    by_copy, by_state = torch.autograd.grad(predicted.sum(), (copies, states), retain_graph=True)
    cost_by_copy, cost_by_state = torch.autograd.grad(predicted, (copies, states), weight)
    return (
        predicted.detach(),
        by_copy.squeeze(-2).permute(1, 2, 0),
        by_state,
        cost_by_copy.sum(dim=(1, 2, 3)),
        cost_by_state,
    )


def relative_weight(measured: Tensor) -> Tensor:
    """Weights of residuals that make them relative to ``measured``, but for small values."""
    return 1 / (RELATIVE_FLOOR * measured.mean() + measured.abs())


def charge_parts(count: int, rows: int, columns: int) -> list[slice]:
    """Pieces of work of ``count`` VMMs on an array."""
    chunk = max(1, CHUNK_ELEMENTS // (rows * rows * columns))
    return [slice(k, min(k + chunk, count)) for k in range(0, count, chunk)]


def charge_jacobians(
    shared: Tensor, state: Tensor, time: Tensor, measured: Tensor, error: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Charges [n, M] of ``time`` [n, N] on one array ``state`` [N, M], their derivatives by the shared parameters
    [n, M, K] and by the states of their column [n, N, M], and the exact gradients of half the squared residuals
    (charges − ``measured``) / ``error``, both [n, M], by the shared parameters [K] and by the states [N, M]."""

    def piece(part: slice) -> tuple[Tensor, ...]:
        return jacobians(
            shared,
            state.expand(len(time[part]), *state.shape),
            lambda p, u: charges(p, u, time[part], FIT_PRECISION),
            state.shape[1],
            lambda y: (y - measured[part]) / error[part] ** 2,
        )

    pieces = in_parallel(piece, charge_parts(len(time), *state.shape))
    predicted, by_shared, by_state, g_shared, g_state = (list(x) for x in zip(*pieces, strict=True))
    gradients = torch.stack(g_shared).sum(0), torch.cat(g_state).sum(0)
    return torch.cat(predicted), torch.cat(by_shared), torch.cat(by_state), *gradients
