"""What the two fits share: Jacobians of the reference engine from one reverse pass."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from surrogate.model import Precision
from surrogate.parameters import Parameters, unflatten

FIT_PRECISION = Precision(currents=1e-6, derivatives=2e-2)
"""Enough for a fit: an error of a derivative's feedback part decides the path, not the solution."""

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
