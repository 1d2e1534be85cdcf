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

from surrogate.cell import cell_current, gate_fall, idle_current
from surrogate.parameters import OFFSETS, Parameters
from surrogate.slots import adaptive_slots


@dataclass(frozen=True)
class Precision:
    """Relative change at which currents count as converged, and relative error accepted in derivatives."""

    currents: float = 1e-10
    derivatives: float = 1e-9


EXACT = Precision()

MAX_ITERATIONS = 100

LEAST_DAMPING = 0.01
SETTLING = 1e-3
"""Relative change from which on the damping stays as it is, unless errors fall by less than :data:`GOOD_RATE`."""
GOOD_RATE = 0.7
LEAST_RATE, MOST_RATE = 0.05, 0.95
"""Limits of the factor by which the errors of derivatives are taken to fall per iteration."""


def distance(n: int) -> Tensor:
    """Wire matrix min(i, k) [n, n]: segments that positions i and k share on their way to the end of the line."""
    i = torch.arange(n, dtype=torch.float64)
    return torch.minimum(i[:, None], i[None, :])


def _by_row(even_odd: Tensor, rows: int) -> Tensor:
    """[2, P, 1, M] values of even and odd rows as [P, N, M]."""
    chosen = even_odd[torch.arange(rows) % 2]
    return chosen.squeeze(-2).movedim(0, -2)


def shifted_state(p: Parameters, state: Tensor, active: Tensor) -> Tensor:
    """State [P, N, M] of every cell in pattern ``active`` [P, N] before drops; ``state`` u is [1 or P, N, M].

    A floating gate at the array's edge misses neighbours that would hold it while it falls with its word line: it falls
    further, in proportion to their κ, to its own inversion charge and to what its other neighbours do.
    """
    rows = active.shape[-1]
    i = torch.arange(rows)
    fall = gate_fall(state)
    coupled = torch.zeros((), dtype=state.dtype)
    pulled = torch.zeros((), dtype=state.dtype)
    for c, offset in enumerate(OFFSETS):
        neighbour = (active[:, (i + offset).clamp(0, rows - 1)] * _inside(rows, offset))[..., None]
        coupled = coupled + _by_row(p.kappa[:, c], rows) * neighbour
        if abs(offset) == 1:
            pulled = pulled + neighbour * torch.roll(fall, -offset, dims=-2)
    missing = _missing_kernel(p, rows)
    at_edge = missing * (p.array_edge + p.edge_fall * fall + p.edge_shift * coupled)
    at_edge = at_edge + p.edge_gate * _missing_gates(rows)[:, None]
    return state + coupled + at_edge + p.gate_row * differences_along_row(fall) + p.gate_column * pulled


def _inside(rows: int, offset: int) -> Tensor:
    """Whether each row [N] has a neighbour at ``offset``."""
    i = torch.arange(rows)
    return (i + offset >= 0) & (i + offset < rows)


def _missing_kernel(p: Parameters, rows: int) -> Tensor:
    """Sum [P, N, M] of κ over the neighbours that each row misses."""
    by_offset = [_by_row(p.kappa[:, c], rows) * ~_inside(rows, o)[:, None] for c, o in enumerate(OFFSETS)]
    return torch.stack(by_offset).sum(0)


def _missing_gates(rows: int) -> Tensor:
    """Number [N] of next rows that each row misses, whose floating gates would hold its own."""
    return torch.stack([~_inside(rows, offset) for offset in (-1, 1)]).sum(0)


@dataclass(frozen=True)
class ArrayEdge:
    """What is special about rows at the array's edge, each [N]: the shift of a cell's state in any pattern is
    ``shift`` + ``fall`` · its :func:`~surrogate.cell.gate_fall`, and its κ are ``gain`` times those inside."""

    shift: Tensor
    fall: Tensor
    gain: Tensor


def array_edge(p: Parameters, rows: int) -> ArrayEdge:
    """The edge of an array of ``rows`` under shared parameters."""
    missing = _missing_kernel(p, rows).reshape(rows)
    gates = p.edge_gate.squeeze() * _missing_gates(rows)
    return ArrayEdge(
        shift=p.array_edge.squeeze() * missing + gates,
        fall=p.edge_fall.squeeze() * missing,
        gain=1 + p.edge_shift.squeeze() * missing,
    )


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
        held = before - p.sensitivity * drop
        return gate * cell_current(p, held - rise, drop) - (1 - gate) * idle_current(p, held, drop)

    with torch.no_grad():
        current, rate, damping = converge(step, torch.zeros_like(before), precision.currents)
    if not torch.is_grad_enabled() or current.numel() == 0:
        return current
    for _ in range(math.ceil(math.log(precision.derivatives) / math.log(rate))):
        current = current + damping * (step(current) - current)
    return current


def converge(step, current: Tensor, tolerance: float) -> tuple[Tensor, float, Tensor]:  # type: ignore[no-untyped-def]
    """Fixed point of ``step`` from ``current`` [P, N, M], the damping [P, 1, M] of the last iterations and the factor
    by which errors fall under it.

    A column's currents lower themselves through its drop: with a loop gain L the plain iteration's error turns by −L.
    A damping of 1 / (1 + L) takes that away; every column's gain is measured along its last move while moves are
    large or do not shrink well.
    """
    rate, damping, change = LEAST_RATE, torch.ones_like(current[:, :1]), math.inf
    if current.numel() == 0:
        return current, rate, damping
    following = step(current)
    residual = following - current
    for _ in range(MAX_ITERATIONS):
        last, change, scale = change, float(residual.abs().max()), float(following.abs().max())
        if not math.isfinite(change):
            raise ArithmeticError("the model's currents are not finite")
        rate = min(max(change / last, LEAST_RATE), MOST_RATE) if change > 0 else LEAST_RATE
        if change <= tolerance * scale:
            return following, rate, damping
        current = current + damping * residual
        following = step(current)
        left = following - current
        if change > SETTLING * scale or rate > GOOD_RATE:
            size = residual.square().sum(-2, keepdim=True)
            kept = ((left * residual).sum(-2, keepdim=True) / size).clamp(max=0.5)
            measured = (damping / (1 - kept)).clamp(LEAST_DAMPING, 1.0)
            damping = torch.where(size.sqrt() > tolerance * scale, measured, damping)
        residual = left
    raise ArithmeticError("the model's bit-line drop does not converge: currents times resistances are too large")


def pattern_currents(p: Parameters, state: Tensor, active: Tensor, precision: Precision = EXACT) -> Tensor:
    """Bit-line currents [P, M] of patterns ``active`` [P, N]."""
    return cell_currents(p, state, active, precision).sum(dim=-2)


def one_hot_currents(p: Parameters, state: Tensor, precision: Precision = EXACT) -> Tensor:
    """Currents [b, N, M] that arrays of ``state`` [b, N, M] show when one row after the other is active alone.

    As :func:`pattern_currents` of one-hot patterns, at a fraction 1/N of the work: idle cells are left out, which would
    conduct under a deep drop alone."""
    arrays, rows, columns = state.shape
    alone = shifted_state(p, state, torch.zeros(arrays, rows, dtype=state.dtype)).reshape(arrays * rows, 1, columns)
    line = torch.exp(p.log_switch) + torch.exp(p.log_bit_line) * torch.arange(rows).repeat(arrays)[:, None, None]
    wires = distance(columns)

    def step(current: Tensor) -> Tensor:
        drop = line * current
        rise = torch.exp(p.log_driver) * current.sum(-1, keepdim=True) + torch.exp(p.log_word_line) * (current @ wires)
        return cell_current(p, alone - p.sensitivity * drop - rise, drop)

    with torch.no_grad():
        current, _, _ = converge(step, torch.zeros_like(alone), precision.currents)
    return current.reshape(state.shape)


def charges(p: Parameters, state: Tensor, duration: Tensor, precision: Precision = EXACT) -> Tensor:
    """Bit-line charges [n, M] of ``duration`` [n, N] (in units of the time scale); ``state`` u is [1 or n, N, M].

    The sum over all adaptive slots of length times current, less the charge that edges lose: at each row's end in the
    pattern that it ends, and at the start in the pattern of all pulses, which rise together.
    """
    slots = adaptive_slots(duration)
    n, s, rows = slots.active.shape

    def per_slot(values: Tensor) -> Tensor:
        return values if values.shape[-3] == 1 else values.repeat_interleave(s, dim=-3)

    current = cell_currents(p.map(per_slot), per_slot(state), slots.active.reshape(n * s, rows), precision)
    current = current.reshape(n, s, rows, -1)
    steady = torch.einsum("ns,nsij->nj", slots.length, current)
    lost = torch.einsum("nsi,nsij->nj", slots.closing, current)
    return steady - p.edge_time.squeeze(-2) * (lost + current[:, 0].sum(-2))
