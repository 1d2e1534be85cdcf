"""The fast engine: charges of many tiles at once, by matrix products over slots.

A cell's current under a shift s of its state is expanded in powers of s, I(u + s) = Σ_m c_m(u)·t(s)^m (interpolation
at Chebyshev nodes of the shift's range), so that the sum over rows is one matrix product per slot. The bit-line drop
enters through the first two derivatives, which are the same powers with other coefficients, and one scalar equation
per column and slot. Agrees with the reference engine of :mod:`surrogate.model`; the tests hold it to that.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.cell import cell_current, gate_fall
from surrogate.model import array_edge_state, differences_along_row, distance
from surrogate.parameters import OFFSETS, Parameters
from surrogate.slots import adaptive_slots

NODES = 5
"""Interpolation nodes of the shift."""

DROP_ITERATIONS = 4
"""Fixed-point iterations of the drop equation; each gains a factor of about ten."""

DROP_MARGIN = 1.0
"""How far beyond the coupling's own range the shift may go by bit-line drop and word-line rise."""


@dataclass(frozen=True)
class TileWeights:
    """Expansion of a layer's tiles (R row tiles, C column tiles) of states [R, C, N, M], differentiable."""

    coefficients: Tensor
    """[R, C, N·NODES, 5·M]: current, its first and half second derivative, and both weighed by the wire's mode"""
    row_sums: Tensor
    """[R, C, N, NODES] coefficients summed over the columns: the current of a word line"""
    gate_pull: Tensor
    """[R, C, N] mean shift by which an active row's floating gates pull those of its neighbours"""
    columns: int


def expand(p: Parameters, state: Tensor) -> TileWeights:
    """Expansion of ``state`` u [R, C, N, M]; recomputed whenever weights change, it keeps no copy of them."""
    rows, columns = state.shape[-2:]
    low, high = shift_range(p)
    p = p.map(lambda v: v.to(state.dtype))
    in_row = (p.gate_row * differences_along_row(gate_fall(state))).reshape(state.shape)
    base = state + in_row + array_edge_state(p, rows)[:, None]
    t = torch.cos(torch.pi * (torch.arange(NODES, dtype=state.dtype) + 0.5) / NODES)
    shifts = 0.5 * (low + high) + 0.5 * (high - low) * t
    x = base[..., None, :] + shifts[:, None]
    values = cell_current(p, x, torch.zeros((), dtype=state.dtype))
    inverse = torch.linalg.inv(t.double()[:, None] ** torch.arange(NODES)).to(state.dtype)
    c = inverse @ values
    scale = 2 / (high - low)
    first = scale * _derivative(c)
    second = 0.5 * scale * _derivative(first)
    mode = _wire_mode(rows).to(state.dtype)[:, None, None]
    blocks = torch.cat([c, first, second, mode * c, mode * first], dim=-1)
    return TileWeights(
        coefficients=blocks.reshape(*state.shape[:-2], rows * NODES, 5 * columns),
        row_sums=c.sum(-1),
        gate_pull=p.gate_column.squeeze() * gate_fall(state).mean(-1),
        columns=columns,
    )


def fast_charges(p: Parameters, weights: TileWeights, duration: Tensor) -> Tensor:
    """Charges [b, R, C, M] of ``duration`` [b, R, N] (time-scale units) on tiles ``weights``."""
    b, r, n = duration.shape
    dtype = duration.dtype
    slots = adaptive_slots(duration.reshape(b * r, n))
    active = slots.active.reshape(b, r, 1, n, n)
    length, closing = slots.length.reshape(b, r, 1, n, 1), slots.closing.reshape(b, r, 1, n, n)
    low, high = shift_range(p)
    p = p.map(lambda v: v.to(dtype))

    def normalised(shift: Tensor) -> Tensor:
        return (2 * shift - (low + high)) / (high - low)

    t = normalised(_shift(p, active, weights.gate_pull))
    row_current = _horner(weights.row_sums[:, :, None], t) * active
    rise = (torch.exp(p.log_driver) + torch.exp(p.log_word_line) * _mean_distance(weights.columns)).squeeze()
    t = t - (2 / (high - low)) * rise * row_current
    powers = [active.expand_as(t)]
    for _ in range(NODES - 1):
        powers.append(powers[-1] * t)
    features = torch.stack(powers, dim=-1)
    flat = features.reshape(*t.shape[:-1], n * NODES)
    current = _solve_drop(p, flat.movedim(0, 2).flatten(2, 3) @ weights.coefficients, n, weights.columns)
    current = current.unflatten(2, (b, n)).movedim(2, 0)
    lost = (closing[..., None] * features).sum(dim=3).reshape(b, r, -1, n * NODES)
    plain = weights.coefficients[..., : weights.columns]
    lost_charge = torch.einsum("brcf,rcfm->brcm", lost, plain)
    return (length * current).sum(dim=3) - p.edge_time.squeeze() * lost_charge


def shift_range(p: Parameters) -> tuple[float, float]:
    """Range of shifts that the expansion covers: all coupling, and drops of up to :data:`DROP_MARGIN`."""
    kappa = p.kappa.detach().reshape(2, len(OFFSETS))
    low = float(kappa.clamp(max=0).sum(-1).min()) - DROP_MARGIN
    return low, float(kappa.clamp(min=0).sum(-1).max()) + 0.1


def _solve_drop(p: Parameters, products: Tensor, rows: int, columns: int) -> Tensor:
    """Currents [..., M] under bit-line drop, from the products [..., 5·M] of features and coefficients."""
    plain, first, second, moded, moded_first = products.split(columns, dim=-1)
    sensitivity, conductance = p.sensitivity.squeeze(), p.output_conductance.squeeze()
    switch, wire = torch.exp(p.log_switch).squeeze(), torch.exp(p.log_bit_line).squeeze()
    wired = plain - sensitivity * wire * moded * moded_first
    current = wired
    for _ in range(DROP_ITERATIONS):
        drop = switch * current
        shift = sensitivity * drop
        current = (wired - shift * (first - shift * second)) * (1 - conductance * drop)
    return current


def _shift(p: Parameters, active: Tensor, gate_pull: Tensor) -> Tensor:
    """Shift [b, R, C, S, N] of every row's cells by the active word lines around it."""
    rows = active.shape[-1]
    i = torch.arange(rows)
    total = torch.zeros((), dtype=active.dtype)
    for c, offset in enumerate(OFFSETS):
        inside = ((i + offset >= 0) & (i + offset < rows)).to(active.dtype)
        index = (i + offset).clamp(0, rows - 1)
        strength = p.kappa[:, c].reshape(2)[i % 2] * inside
        if abs(offset) == 1:
            strength = strength + gate_pull[:, :, None, index] * inside
        total = total + strength * active[..., index]
    return total


def _derivative(c: Tensor) -> Tensor:
    """Coefficients of the derivative with respect to t (powers on axis −2)."""
    m = torch.arange(1, NODES, dtype=c.dtype)[:, None]
    return torch.cat([m * c[..., 1:, :], torch.zeros_like(c[..., :1, :])], dim=-2)


def _horner(c: Tensor, t: Tensor) -> Tensor:
    total = torch.zeros_like(t)
    for m in reversed(range(NODES)):
        total = total * t + c[..., m]
    return total


def _wire_mode(rows: int) -> Tensor:
    """Dominant mode e of the wire matrix, scaled so that min(i, k) ≈ e_i·e_k."""
    values, vectors = torch.linalg.eigh(distance(rows))
    return vectors[:, -1].abs() * values[-1].clamp_min(0).sqrt()


def _mean_distance(columns: int) -> float:
    return float(distance(columns).mean())
