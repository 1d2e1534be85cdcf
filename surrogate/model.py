"""The reference engine: bit-line currents of activation patterns, small, explicit and in float64.

Everything fast is tested against it. In pattern a the cell (i, j) has state
x = u_ij + Σ_k κ(i,k)·a_k + … − sensitivity·y_ij − z_ij, with y the drop of its bit line and z the rise of its word
line. Both are caused by all currents of the pattern, so the equations are iterated to convergence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from surrogate.cell import cell_current, gate_fall
from surrogate.parameters import OFFSETS, Parameters
from surrogate.slots import adaptive_slots


@dataclass(frozen=True)
class Precision:
    """Relative change at which currents count as converged, and relative error accepted in derivatives."""

    currents: float = 1e-10
    derivatives: float = 1e-9


EXACT = Precision()

MAX_ITERATIONS = 200


def distance(n: int) -> Tensor:
    """Wire matrix min(i, k) [n, n]: segments that positions i and k share on their way to the end of the line."""
    i = torch.arange(n, dtype=torch.float64)
    return torch.minimum(i[:, None], i[None, :])


def _by_row(even_odd: Tensor, rows: int) -> Tensor:
    """[2, P, 1, M] values of even and odd rows as [P, N, M]."""
    chosen = even_odd[torch.arange(rows) % 2]
    return chosen.squeeze(-2).movedim(0, -2)


def shifted_state(p: Parameters, state: Tensor, active: Tensor) -> Tensor:
    """State [P, N, M] of every cell in pattern ``active`` [P, N] before drops; ``state`` u is [1 or P, N, M]."""
    rows = active.shape[-1]
    i = torch.arange(rows)
    fall = gate_fall(state)
    shifted = state + p.gate_row * differences_along_row(fall)
    for c, offset in enumerate(OFFSETS):
        inside = (i + offset >= 0) & (i + offset < rows)
        neighbour = active[:, (i + offset).clamp(0, rows - 1)] * inside
        kernel = _by_row(p.kappa[:, c], rows)
        shifted = shifted + kernel * (neighbour[..., None] + p.array_edge * (~inside)[:, None])
        if abs(offset) == 1:
            pulled = torch.roll(fall, -offset, dims=-2)
            shifted = shifted + p.gate_column * (neighbour[..., None] * pulled)
    return shifted


def array_edge_state(p: Parameters, rows: int) -> Tensor:
    """Static shift [N] of the states of rows at the array's edge, whose floating gates miss neighbours to hold them."""
    i = torch.arange(rows)
    missing = torch.stack([(i + o < 0) | (i + o >= rows) for o in OFFSETS], dim=-1).to(p.kappa.dtype)
    return p.array_edge.squeeze() * (p.kappa.reshape(2, len(OFFSETS))[i % 2] * missing).sum(-1)


def differences_along_row(fall: Tensor) -> Tensor:
    """Sum over the two neighbours in the row of (their fall − own fall)."""
    step = fall[..., 1:] - fall[..., :-1]
    return pad(step, (0, 1)) - pad(step, (1, 0))


def cell_currents(p: Parameters, state: Tensor, active: Tensor, precision: Precision = EXACT) -> Tensor:
    """Steady currents [P, N, M] of all cells, in units of the current scale.

    ``state`` u is [1 or P, N, M], ``active`` [P, N]. Derivatives come from the last iterations after convergence; as
    many are kept as ``precision`` asks for. Raises ``ArithmeticError`` where the currents do not converge.
    """
    before = shifted_state(p, state, active)
    gate = active[..., None]
    wires_b, wires_w = distance(active.shape[-1]), distance(state.shape[-1])

    def step(current: Tensor) -> Tensor:
        drop = torch.exp(p.log_switch) * current.sum(-2, keepdim=True) + torch.exp(p.log_bit_line) * (wires_b @ current)
        rise = torch.exp(p.log_driver) * current.sum(-1, keepdim=True)
        rise = rise + torch.exp(p.log_word_line) * (current @ wires_w)
        return gate * cell_current(p, before - p.sensitivity * drop - rise, drop)

    with torch.no_grad():
        current, rate, damping = _converge(step, torch.zeros_like(before), precision.currents)
    if not torch.is_grad_enabled():
        return current
    tail = 1 if rate <= 0 else math.ceil(math.log(precision.derivatives) / math.log(min(max(rate, 1e-3), 0.95)))
    for _ in range(tail):
        current = _damped(current, step(current), damping)
    return current


def _converge(step, current: Tensor, tolerance: float) -> tuple[Tensor, float, float]:  # type: ignore[no-untyped-def]
    """Fixed point of ``step`` from ``current``, the factor by which its error falls per iteration, and the damping
    that the iterations needed: without it those that follow would leave the fixed point again."""
    change, rate, damping = math.inf, 0.0, 1.0
    if current.numel() == 0:
        return current, rate, damping
    for _ in range(MAX_ITERATIONS):
        following = step(current)
        scale = float(following.abs().max())
        last, change = change, float((following - current).abs().max())
        if not math.isfinite(scale):
            raise ArithmeticError("the model's currents are not finite")
        if change <= tolerance * scale:
            return following, rate, damping
        rate = change / last if math.isfinite(last) else 0.0
        if rate > 0.9:
            damping = max(0.5 * damping, 0.05)
        current = _damped(current, following, damping)
    raise ArithmeticError("the model's bit-line drop does not converge: currents times resistances are too large")


def _damped(current: Tensor, following: Tensor, damping: float) -> Tensor:
    return following if damping == 1.0 else current + damping * (following - current)


def pattern_currents(p: Parameters, state: Tensor, active: Tensor, precision: Precision = EXACT) -> Tensor:
    """Bit-line currents [P, M] of patterns ``active`` [P, N]."""
    return cell_currents(p, state, active, precision).sum(dim=-2)


def charges(p: Parameters, state: Tensor, duration: Tensor, precision: Precision = EXACT) -> Tensor:
    """Bit-line charges [n, M] of ``duration`` [n, N] (in units of the time scale); ``state`` u is [1 or n, N, M].

    The sum over all adaptive slots of length times current, less the charge that each row's edges lose.
    """
    slots = adaptive_slots(duration)
    n, s, rows = slots.active.shape

    def per_slot(values: Tensor) -> Tensor:
        return values if values.shape[-3] == 1 else values.repeat_interleave(s, dim=-3)

    current = cell_currents(p.map(per_slot), per_slot(state), slots.active.reshape(n * s, rows), precision)
    current = current.reshape(n, s, rows, -1)
    steady = torch.einsum("ns,nsij->nj", slots.length, current)
    lost = torch.einsum("nsi,nsij->nj", slots.closing, current)
    return steady - p.edge_time.squeeze(-2) * lost
