"""Arrays of linear cells are exactly one matrix: what it is, and what it makes of durations.

Layout: the driver of a word line sits at its column 0, the clamp of a bit line, behind its switch, at its row 0.
Currents of all clamps per volt on one driver are a row of the matrix; the currents of any activation pattern are sums
of its rows, and charges are products with durations. Resistive networks are reciprocal: with clamp l at one volt and
all drivers at zero, the current into driver k is the same W_kl.

Any consistent units do: siemens and ohms, or conductances times and resistances over the same ohms.
"""

from __future__ import annotations

import torch
from torch import Tensor

from surrogate import dissection

RESISTANCES = ("driver", "word_line", "bit_line", "switch")
"""Order of the four resistances in a tensor [4]; reversed it is that of the transposed array."""


def effective_matrix(conductance: Tensor, resistance: Tensor) -> Tensor:
    """W [..., N, M] S of arrays ``conductance`` [..., N, M] S ≥ 0 behind ``resistance`` [4] Ω ≥ 0: the current in
    column j per volt on row i alone; the currents of any pattern are sums of its rows.

    Solved in float64 (:mod:`surrogate.dissection`) and differentiable in both arguments.
    """
    return dissection.matrix(conductance, resistance).to(conductance.dtype)


def linear_charges(duration: Tensor, conductance: Tensor, resistance: Tensor) -> Tensor:
    """Charges [b, R, C, M] per volt of ``duration`` [b, R, N] on tiles ``conductance`` [R, C, N, M], in its dtype."""
    return tile_products(duration, effective_matrix(conductance, resistance))


def tile_products(duration: Tensor, matrix: Tensor) -> Tensor:
    """Products [b, R, C, M] of ``duration`` [b, R, N] and the tiles' matrices ``matrix`` [R, C, N, M], in its dtype."""
    tiles, columns, rows, width = matrix.shape
    wide = matrix.transpose(1, 2).reshape(tiles, rows, columns * width)
    return torch.bmm(duration.transpose(0, 1).to(wide), wide).transpose(0, 1).unflatten(-1, (columns, width))
