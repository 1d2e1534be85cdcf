"""Separable tables of the cell: current under coupling as a few products of (state) x (neighbour pattern).

A cell's state is shifted by its four neighbouring word lines, so it only ever sees 16 shifts, one for each pattern c of
active neighbours; they differ between even and odd rows and at the array's edge. The currents I(u + s_c) over all
states u and patterns c are nearly of low rank, I(u + s_c) ≈ Σ_r f_r(u)·g_r(c) (singular value decomposition, weighted
by how long random pulses spend in each pattern).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from surrogate.cell import cell_current, gate_fall
from surrogate.model import array_edge
from surrogate.parameters import OFFSETS, Parameters

PATTERNS = 2 ** len(OFFSETS)
POINTS = 1024
"""States in a table."""

MARGIN = 1.0
"""How far the tables reach beyond the states that are expected."""


@dataclass(frozen=True)
class Table:
    """Functions of the state on a uniform grid from ``low`` in steps of ``step``."""

    low: float
    step: float
    values: Tensor
    """[points, 2·Q] the functions, then their derivatives"""

    @property
    def functions(self) -> int:
        """Number of functions Q."""
        return self.values.shape[1] // 2

    def to(self, like: Tensor) -> Table:
        """The table in the precision and on the device of ``like``."""
        return Table(self.low, self.step, self.values.to(like))


@dataclass(frozen=True)
class CellTables:
    """Everything the engine needs to know of a cell, in ``terms`` products."""

    mean: Table
    """current I, its loss −dI/dy and curvature d²I/dy² under a bit-line drop y, averaged over the patterns"""
    functions: Table
    """f_1 … f_r of the current, its losses l_1 … l_r per rise of the word line beyond the mean one, and d_1 … d_d of
    its loss per bit-line drop"""
    kernel: Tensor
    """[N, 16, r] g_r of every row, as coefficients of the minima over all subsets of neighbours"""
    strength: Tensor
    """[5, r] the mean kernel, by number of neighbours"""
    fall: Table
    """fall of the cell's own floating gate"""
    mean_fall: float
    """its mean: what ``kernel`` takes all floating gates to fall by"""
    overlap: float
    """share of a cell's charge that it conducts while a given next row is active"""

    @property
    def terms(self) -> int:
        """Number of products r for the current."""
        return self.kernel.shape[-1]

    @property
    def drop_terms(self) -> int:
        """Number of products d for the drop."""
        return self.functions.functions - 2 * self.terms

    def to(self, like: Tensor) -> CellTables:
        """The tables in the precision and on the device of ``like``."""
        names = ("mean", "functions", "kernel", "strength", "fall")
        return replace(self, **{name: getattr(self, name).to(like) for name in names})


def cell_tables(
    p: Parameters, rows: int, low: float, high: float, typical: Tensor, products: tuple[int, int]
) -> CellTables:
    """Tables for an array of ``rows`` and states ``low`` … ``high``, best for states distributed as ``typical``;
    ``products`` are the terms of the current and those of the drop, not more."""
    terms, drop_terms = products
    state = torch.linspace(low - MARGIN, high + MARGIN, POINTS, dtype=torch.float64)
    mean_fall = gate_fall(typical.detach().double()).mean()
    shifts = pattern_shifts(p, rows, float(mean_fall))
    shift, kind, count = torch.unique(shifts, dim=0, return_inverse=True, return_counts=True)
    share = (pattern_share() * count[:, None] / rows).flatten()
    current, slope, loss, curvature = _responses(p, state[:, None] + shift.flatten())
    weight = _distribution(state, typical.detach().double())
    f, g = _separate(current, weight, share, terms)
    growth = weight @ current / (weight @ current @ share)
    next_rows = [k for k, offset in enumerate(OFFSETS) if abs(offset) == 1]
    next_active = torch.tensor([[float(c >> k & 1) for k in next_rows] for c in range(PATTERNS)]).double().mean(1)
    excess = ((growth - 1) * slope * share) @ g
    mean = torch.stack([current @ share, loss @ share, curvature @ share], dim=1)
    kernel = _subset_coefficients(g.reshape(len(shift), PATTERNS, terms))[kind]
    return CellTables(
        mean=_table(state, mean),
        functions=_table(state, torch.cat([f, excess, (loss * share) @ g[:, :drop_terms]], dim=1)),
        kernel=kernel,
        strength=torch.zeros(len(OFFSETS) + 1, terms, dtype=torch.float64).index_add(0, _active(), kernel.mean(0)),
        fall=_table(state, gate_fall(state)[:, None]),
        mean_fall=float(mean_fall),
        overlap=float((share * growth) @ next_active.repeat(len(shift))),
    )


def _active() -> Tensor:
    """Number [16] of active neighbours in each pattern."""
    return torch.tensor([bin(c).count("1") for c in range(PATTERNS)])


def pattern_shifts(p: Parameters, rows: int, fall: float) -> Tensor:
    """Shift [N, 16] of the state of each row by each pattern of active neighbours; bit k of a pattern is the row at
    OFFSETS[k], whose floating gates ``fall`` along."""
    bits = ((torch.arange(PATTERNS)[:, None] >> torch.arange(len(OFFSETS))) & 1).double()
    adjacent = torch.tensor([float(abs(o) == 1) for o in OFFSETS], dtype=torch.float64)
    kappa = p.kappa.detach().reshape(2, len(OFFSETS)).double()[torch.arange(rows) % 2]
    kernel = kappa * array_edge(p, rows).gain.detach()[:, None] + float(p.gate_column) * fall * adjacent
    return kernel @ bits.T


def pattern_share() -> Tensor:
    """Share [16] of an active row's time in each pattern, if all durations are uniformly random."""
    n = len(OFFSETS)
    share = [2 * math.factorial(k + 1) * math.factorial(n - k) / math.factorial(n + 2) for k in _active().tolist()]
    return torch.tensor(share, dtype=torch.float64)


def _responses(p: Parameters, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Current at states ``x`` without drop, dI/dx, −dI/dy and d²I/dy² for a drop y."""
    with torch.enable_grad():
        x = x.requires_grad_(True)
        drop = torch.zeros_like(x, requires_grad=True)
        current = cell_current(p, x - p.sensitivity.squeeze() * drop, drop).reshape(x.shape)
        slope, by_drop = torch.autograd.grad(current.sum(), (x, drop), create_graph=True)
        (curvature,) = torch.autograd.grad(by_drop.sum(), drop)
    return current.detach(), slope.detach(), -by_drop.detach(), curvature


def _distribution(state: Tensor, typical: Tensor) -> Tensor:
    """Share [U] of ``typical`` states near each of the grid, and a little everywhere."""
    step = float(state[1] - state[0])
    place = ((typical.flatten() - state[0]) / step).round().long().clamp(0, len(state) - 1)
    count = torch.zeros_like(state).index_add(0, place, torch.ones_like(place, dtype=state.dtype))
    return 0.99 * count / count.sum() + 0.01 / len(state)


def _separate(values: Tensor, weight: Tensor, share: Tensor, terms: int) -> tuple[Tensor, Tensor]:
    """Functions f [U, r] of the state and g [C, r] of the pattern with values [U, C] ≈ f·gᵀ, Σ_c share·g·gᵀ = 1, best
    where states have ``weight`` [U]."""
    root = share.sqrt()
    _, _, v = torch.linalg.svd(weight.sqrt()[:, None] * values * root, full_matrices=False)
    g = v[:terms].T / root[:, None]
    g = g * torch.where(g.mean(0) < 0, -1.0, 1.0)
    return (values * share) @ g, g


def _subset_coefficients(g: Tensor) -> Tensor:
    """Coefficients t with Σ_{S ⊆ c} t_S = g_c, for g [..., 16, r]: then the time integral of g over the patterns that a
    row goes through is Σ_S t_S·min(own duration, durations of the neighbours in S)."""
    t = g.clone()
    for k in range(len(OFFSETS)):
        having = [c for c in range(PATTERNS) if c >> k & 1]
        t[:, having] = t[:, having] - t[:, [c ^ (1 << k) for c in having]]
    return t


def _table(state: Tensor, values: Tensor) -> Table:
    step = float(state[1] - state[0])
    (derivative,) = torch.gradient(values, spacing=step, dim=0, edge_order=2)
    return Table(float(state[0]), step, torch.cat([values, derivative], dim=1))
