"""Arrays of linear cells are exactly one matrix: currents of resistive cells and wires, with gradients from adjoints.

Layout: the driver of a word line sits at its column 0, the clamp of a bit line, behind its switch, at its row 0; r_d,
r_w, r_b and r_s are the resistances of a driver, of a segment of word and of bit line, and of a switch. With D the
cells of row i and R = r_d + r_w·min(j, k) its word line, the row is a Norton source for the bit lines' nodes b_i,

    c_i = S_i (1·u_i − b_i),   S_i = (I + D R)⁻¹ D,   c_i the currents of its cells, u_i the voltage of its driver.

All that lies beyond node i, row i included, is one too, h_i − Y_i b_i; segment by segment towards the clamps

    Y_i = S_i + F_{i+1} Y_{i+1},   h_i = S_i 1 u_i + F_{i+1} h_{i+1},   F_i = (I + r_b Y_i)⁻¹   (r_s for F_0).

That is block elimination of Kirchhoff's equations, exact for resistances of zero as well. Resistive networks are
reciprocal: with clamp l at one volt and all drivers at zero, the current into driver k is W_kl, that which row k alone
at one volt sends into clamp l. The same adjoint currents give all derivatives (Tellegen's theorem): −Δv·Δv′ by the
conductance of a cell, i·i′ by a resistance, with v and i of the driven array and v′ and i′ of its adjoint.

Any consistent units do: siemens and ohms, or conductances times and resistances over the same ohms.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.model import distance

RESISTANCES = ("driver", "word_line", "bit_line", "switch")
"""Order of the four resistances in a tensor [4]; reversed it is that of the transposed array."""

LEAST_CONDUCTANCE = 1e-60
"""What a cell without conductance has, so that its voltage can be told from its current."""


@dataclass(frozen=True)
class Eliminated:
    """Block elimination of arrays [..., N, M]: S_i, Y_i and F_i of the module's title, each [..., N, M, M]."""

    row: Tensor
    beyond: Tensor
    passed: Tensor


def effective_matrix(conductance: Tensor, resistance: Tensor) -> Tensor:
    """W [..., N, M] S of arrays ``conductance`` [..., N, M] S ≥ 0 behind ``resistance`` [4] Ω ≥ 0: the current in
    column j per volt on row i alone; the currents of any pattern are sums of its rows.

    Solved in float64 and differentiable in both arguments, at N·M³ operations (M the smaller side).
    """
    g, r = conductance.double(), resistance.double()
    if g.shape[-1] > g.shape[-2]:
        return effective_matrix(g.mT, r.flip(0)).mT.to(conductance.dtype)
    matrix: Tensor = _EffectiveMatrix.apply(g, r)  # type: ignore[no-untyped-call]
    return matrix.to(conductance.dtype)


def linear_charges(duration: Tensor, conductance: Tensor, resistance: Tensor) -> Tensor:
    """Charges [b, R, C, M] per volt of ``duration`` [b, R, N] on tiles ``conductance`` [R, C, N, M], in its dtype."""
    return tile_products(duration, effective_matrix(conductance, resistance))


def tile_products(duration: Tensor, matrix: Tensor) -> Tensor:
    """Products [b, R, C, M] of ``duration`` [b, R, N] and the tiles' matrices ``matrix`` [R, C, N, M], in its dtype."""
    tiles, columns, rows, width = matrix.shape
    wide = matrix.transpose(1, 2).reshape(tiles, rows, columns * width)
    return torch.bmm(duration.transpose(0, 1).to(wide), wide).transpose(0, 1).unflatten(-1, (columns, width))


def eliminate(conductance: Tensor, resistance: Tensor) -> Eliminated:
    """Eliminate arrays of cells ``conductance`` [..., N, M] behind ``resistance`` [4]; S, Y and F are symmetric."""
    rows, columns = conductance.shape[-2:]
    driver, word_line, bit_line, switch = resistance.unbind()
    one = torch.eye(columns).to(conductance)
    root = conductance.sqrt()
    outer = root[..., :, None] * root[..., None, :]
    row = outer * _inverse(one + outer * (driver + word_line * distance(columns).to(conductance)))
    beyond, passed = torch.empty_like(row), torch.empty_like(row)
    y = row[..., -1, :, :]
    for i in reversed(range(rows)):
        f = _inverse(one + (bit_line if i else switch) * y)
        beyond[..., i, :, :], passed[..., i, :, :] = y, f
        y = row[..., i - 1, :, :] + f @ y if i else y
    return Eliminated(row, beyond, passed)


def _inverse(positive: Tensor) -> Tensor:
    return torch.cholesky_inverse(torch.linalg.cholesky(positive))


def driven_nodes(e: Eliminated, resistance: Tensor, drive: Tensor) -> Tensor:
    """Bit-line voltages [..., N, M, K] with drivers at ``drive`` [..., N, K] and all clamps at zero."""
    rows = e.row.shape[-3]
    short = e.row.sum(-1)[..., None] * drive[..., None, :]
    sources = [short[..., -1, :, :]]
    for i in reversed(range(1, rows)):
        sources.append(short[..., i - 1, :, :] + e.passed[..., i, :, :] @ sources[-1])
    node, nodes = torch.zeros_like(sources[-1]), []
    for i in range(rows):
        flow = e.passed[..., i, :, :] @ (sources[-1 - i] - e.beyond[..., i, :, :] @ node)
        node = node + (resistance[2] if i else resistance[3]) * flow
        nodes.append(node)
    return torch.stack(nodes, dim=-3)


def adjoint_nodes(e: Eliminated) -> Tensor:
    """Bit-line voltages [..., N, M, M] with all drivers at zero and, along the last axis, one clamp after the other at
    one volt."""
    nodes = [e.passed[..., 0, :, :]]
    for i in range(1, e.row.shape[-3]):
        nodes.append(e.passed[..., i, :, :] @ nodes[-1])
    return torch.stack(nodes, dim=-3)


@dataclass(frozen=True)
class Currents:
    """Currents of all cells, from word line to bit line, [..., N, M, K] for K right-hand sides."""

    cell: Tensor

    @property
    def word_line(self) -> Tensor:
        """Currents of word lines into column j, [..., N, M, K]; j = 0: out of the driver."""
        return self.cell.flip(-2).cumsum(-2).flip(-2)

    @property
    def bit_line(self) -> Tensor:
        """Currents of bit lines out of row i, [..., N, M, K]; i = 0: into the switch."""
        return self.cell.flip(-3).cumsum(-3).flip(-3)


def currents(e: Eliminated, node: Tensor, drive: Tensor | None = None) -> Currents:
    """Currents of arrays with bit lines at ``node`` [..., N, M, K] and drivers at ``drive`` [..., N, K] or zero."""
    return Currents(e.row @ (-node if drive is None else drive[..., None, :] - node))


def slopes(driven: Currents, adjoint: Currents) -> Tensor:
    """Derivatives [4, P, L] by the four resistances of the L clamp currents of one array in P patterns."""

    def product(x: Tensor, a: Tensor) -> Tensor:
        return torch.einsum("np,nl->pl", x.flatten(0, -2), a.flatten(0, -2))

    wx, wa, bx, ba = driven.word_line, adjoint.word_line, driven.bit_line, adjoint.bit_line
    return torch.stack(
        [product(wx[:, 0], wa[:, 0]), product(wx[:, 1:], wa[:, 1:]), product(bx[1:], ba[1:]), product(bx[0], ba[0])]
    )


class _EffectiveMatrix(torch.autograd.Function):
    """W by M adjoint solutions; backward drives the same elimination with the M columns of W's gradient."""

    @staticmethod
    def forward(ctx, conductance: Tensor, resistance: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        conductance = conductance.clamp_min(LEAST_CONDUCTANCE)
        e = eliminate(conductance, resistance)
        node = adjoint_nodes(e)
        ctx.save_for_backward(conductance, resistance, e.row, e.beyond, e.passed, node)
        return (e.row.sum(-1)[..., None, :] @ node).squeeze(-2)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor | None]:  # type: ignore[no-untyped-def]
        conductance, resistance, row, beyond, passed, adjoint_node = ctx.saved_tensors
        e = Eliminated(row, beyond, passed)
        driven = currents(e, driven_nodes(e, resistance, gradient), gradient)
        adjoint = currents(e, adjoint_node)
        by_cell = -(driven.cell * adjoint.cell).sum(-1) / conductance.square()
        return by_cell, _summed_slopes(driven, adjoint) if ctx.needs_input_grad[1] else None


def _summed_slopes(driven: Currents, adjoint: Currents) -> Tensor:
    """Derivatives [4] of the sum over all arrays of right-hand side k's current in clamp k."""
    word, bit = (driven.word_line * adjoint.word_line).sum(-1), (driven.bit_line * adjoint.bit_line).sum(-1)
    parts = (word[..., 0], word[..., 1:], bit[..., 1:, :], bit[..., 0, :])
    return torch.stack([part.sum() for part in parts])
