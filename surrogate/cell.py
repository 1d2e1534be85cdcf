"""The cell: current of a floating-gate transistor against its state, from weak to strong inversion.

EKV interpolation I = I_S·[F(x) − F(x − v_d)], F(x) = ln²(1 + e^(x/2)) (Enz, Krummenacher, Vittoz 1995), times a
smooth correction exp(Σ c_k p^k) in the squashed state p. The state is a *charge* (the stored charge plus what the
coupling capacitors bring), in which shifts by neighbours simply add: stored charge = C_T·V − Σ C_k·V_k − gate charge,
and the curve absorbs the transistor's own gate charge.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

from surrogate.parameters import Parameters

SQUASH = 8.0
"""State at which the curve's correction begins to saturate; a few times beyond it is constant."""


def log_correction(p: Parameters, x: Tensor) -> Tensor:
    """ln of the correction of the EKV current at state ``x``. It starts with the square: the constant is the specific
    current, the linear term the unit of the state."""
    t = x / SQUASH
    t = t * torch.rsqrt(1 + t * t)
    total = torch.zeros_like(t)
    for c in reversed(p.curve.unbind(0)):
        total = (total + c) * t
    return total * t


def cell_current(p: Parameters, x: Tensor, drop: Tensor) -> Tensor:
    """Current of an active cell at effective state ``x`` [P, N, M] under a bit-line drop ``drop`` [P, N, M]."""
    forward = softplus(0.5 * x).square()
    reverse = softplus(0.5 * (x - p.drain_limit + drop)).square()
    scale = torch.exp(p.log_specific_current + log_correction(p, x))
    return scale * (forward - reverse) * (1 - p.output_conductance * drop)


def idle_current(p: Parameters, x: Tensor, drop: Tensor) -> Tensor:
    """Current that an idle cell, of state ``x`` where it were active, feeds from its word line into its bit line under
    a drop: the same transistor with its source at the bit line, ``drop`` its drain voltage. It lies so deep in the
    off-state that only strong weights on far dropped bit lines let it conduct."""
    return cell_current(p, x - p.idle_depth + p.idle_drop * drop, p.drain_limit - drop)


def gate_fall(x: Tensor) -> Tensor:
    """How an active cell's floating gate moves with its state, up to a factor: as its inversion charge."""
    return softplus(0.5 * x)
