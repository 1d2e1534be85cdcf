"""The reference of arrays of resistive cells whose idle rows leak or are open: every slot's currents, in float64.

All pulses start together, so between two successive pulse ends the connected cells stay the same and conduct

    i_kl = s_kl f(a_k − y_kl − z_kl − r_a i_kl),   y = r_s Σ_k i_kl + r_b Σ_n min(k, n) i_nl,   z likewise along rows,

with a the active rows, s the states (of idle rows times their leak: 0 disconnected, 1 clamped) and f the cells'
current against voltage. The equations of a slot are iterated to
convergence. A pulse is as long as between the middles of its edges; in an edge voltage and access device rise together,
the current as their square, and a third instead of half of each edge's charge is what flows: an edge costs a sixth.
"""

from __future__ import annotations

import torch
from torch import Tensor

from surrogate.model import EXACT, Precision, converge
from surrogate.slots import adaptive_slots
from surrogate.switched.cell import Shared, along, relative_current, row_currents


def cell_currents(shared: Shared, state: Tensor, active: Tensor, precision: Precision = EXACT) -> Tensor:
    """Currents [P, N, M] of cells ``state`` [1 or P, N, M] in patterns ``active`` [P, N]; not for gradients.

    Raises ``ArithmeticError`` where they do not converge."""
    driven = active[..., None]
    conducting = (driven + shared.leak * (1 - driven)) * state

    def step(current: Tensor) -> Tensor:
        drop = shared.switch * current.sum(-2, keepdim=True) + shared.bit_line * along(current, -2)
        rise = shared.driver * current.sum(-1, keepdim=True) + shared.word_line * along(current, -1)
        return conducting * relative_current(shared.bend, driven - drop - rise - shared.access * current)

    with torch.no_grad():
        return converge(step, torch.zeros_like(conducting), precision.currents)[0]


def pattern_currents(shared: Shared, state: Tensor, active: Tensor, precision: Precision = EXACT) -> Tensor:
    """Bit-line currents [P, M] of patterns ``active`` [P, N] on cells ``state`` [1 or P, N, M]."""
    return cell_currents(shared, state, active, precision).sum(-2)


def charge_parts(
    shared: Shared, state: Tensor, duration: Tensor, precision: Precision = EXACT
) -> tuple[Tensor, Tensor]:
    """Charges [n, M] of ``duration`` [n, N] on cells ``state`` [1 or n, N, M] without edges, and the currents [n, M]
    that each edge cuts, one after the other: of all rows at the start, of each row at its end."""
    charge, cut = [], []
    for k, time in enumerate(duration):
        slots = adaptive_slots(time[None])
        open_ = slots.length[0] > 0
        current = cell_currents(shared, state[k if len(state) > 1 else 0][None], slots.active[0, open_], precision)
        charge.append(torch.einsum("s,snm->m", slots.length[0, open_], current))
        ends = torch.einsum("sn,snm->m", slots.closing[0, open_], current)
        cut.append(ends + current[:1].sum((0, 1)))
    return torch.stack(charge), torch.stack(cut)


def charges(shared: Shared, state: Tensor, duration: Tensor, precision: Precision = EXACT) -> Tensor:
    """Charges [n, M] of ``duration`` [n, N] (over the time scale) on cells ``state`` [1 or n, N, M]."""
    charge, cut = charge_parts(shared, state, duration, precision)
    return charge - shared.edge_time * cut


def one_hot_currents(shared: Shared, state: Tensor) -> Tensor:
    """Currents [b, N, M] that reading arrays of ``state`` [b, N, M] one row at a time shows."""
    if shared.leak:
        alone = torch.eye(state.shape[-2]).to(state)
        return torch.stack([pattern_currents(shared, array[None], alone) for array in state])
    line = shared.switch + shared.bit_line * torch.arange(state.shape[-2]).to(state)
    return row_currents(shared, state, line.expand(state.shape[:-1]), EXACT.currents)
