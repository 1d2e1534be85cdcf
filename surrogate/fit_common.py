"""What the two fits share: Jacobians of the reference engine from one reverse pass."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from surrogate.parameters import Parameters, unflatten

DERIVATIVE_TOLERANCE = 1e-4
"""Relative error of derivatives that a fit accepts (it decides the path, not the solution, beyond this level)."""

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
    both = torch.autograd.grad(
        predicted, (copies, states), torch.stack([torch.ones_like(predicted), weight]), is_grads_batched=True
    )
    by_copy, by_state = both
    return (
        predicted.detach(),
        by_copy[0].squeeze(-2).permute(1, 2, 0),
        by_state[0],
        by_copy[1].sum(dim=(1, 2, 3)),
        by_state[1],
    )
