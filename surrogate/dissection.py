"""The exact matrix of large linear arrays by nested dissection: halves of an array are joined, level by level.

A block of cells is known by what it shows at the ends of its lines. Of every line the voltage at its near end (towards
driver or clamp) is given, and the current that is drawn at its far end; the block answers with the current that it
takes at the near end and the voltage at the far end. With the voltages of bit lines counted negatively, both kinds of
line obey the same rules, and answers = H · givens has a symmetric H (reciprocity) that exists for resistances and
conductances of zero, too.

A small block is solved at once: with ρ the resistances from the near ends to the cells of a line, D its conductances
and R_kl the resistance that cells k and l share, the currents c of its cells answer to givens x by

    c = S Pᵀ x,   S = (1 + D R)⁻¹ D,   H = J + P S Pᵀ,   P = (1 at near ends, −ρ at far ends),

with J the bare lines, [[0, 1], [1, −ρ_last]] each. Where the far ends of block A meet the near ends of block B, with
Z = −H_A and Y = H_B there, both positive semidefinite, T = (1 + Z Y)⁻¹, and F and h what H_A and H_B show there of all
other ends,

    [[H_A + Fᵀ Y T F,  Fᵀ Tᵀ h], [hᵀ T F,  H_B − hᵀ T Z h]]

is the joined block (Redheffer's star product). The eigenvalues of 1 + Z Y are 1 or more: nothing is ever divided by
something small. An array of N² cells takes some 100 N³ operations; eliminated row by row it takes 8 N⁴.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, product

import torch
from torch import Tensor
from torch.nn.functional import pad

from surrogate.fast.pairs import recomputed

MOST_LINES = 5
"""Rows and columns of the blocks that are solved at once, at most; arrays are padded to a power of two of them, with
cells of no conductance beyond their far ends."""

Ends = tuple[int, int, int, int]
"""Numbers of a block's ends in their order: of word lines near and far, of bit lines near and far."""


@dataclass(frozen=True)
class _Grid:
    """Equal blocks side by side, [tiles, R, C, K, K], and their ends."""

    blocks: Tensor
    ends: Ends


def matrix(conductance: Tensor, resistance: Tensor) -> Tensor:
    """W [..., N, M] S of arrays ``conductance`` [..., N, M] S ≥ 0 behind ``resistance`` [4] Ω ≥ 0 (driver, segment of
    word line, segment of bit line, switch), in float64: the current in column j per volt on row i alone.

    Differentiable in both; only the blocks of every level are kept for that.
    """
    rows, columns = conductance.shape[-2:]
    (high, tall), (wide, broad) = _block_of(rows), _block_of(columns)
    padded = pad(conductance.double(), (0, wide - columns, 0, high - rows)).reshape(-1, high, wide)
    grid = _blocks(padded, resistance.double(), tall, broad)
    while max(grid.blocks.shape[1:3]) > 1:
        down, across = (count > 1 for count in grid.blocks.shape[1:3])
        grid = _joined(grid, along_rows=across and (not down or grid.ends[2] <= grid.ends[0]))
    near_bits = sum(grid.ends[:2])
    return grid.blocks[:, 0, 0, :rows, near_bits : near_bits + columns].reshape(conductance.shape)


def _block_of(n: int) -> tuple[int, int]:
    """Lines of an array of ``n`` with its padding, and of the blocks that are solved at once."""
    power = 1
    while n > MOST_LINES * power:
        power *= 2
    lines = -(-n // power)
    return lines * power, lines


def _blocks(g: Tensor, resistance: Tensor, n: int, m: int) -> _Grid:
    """Blocks of n × m cells of ``g`` [tiles, N, M]; the first segments of lines are drivers and switches."""
    driver, word_line, bit_line, switch = resistance.unbind()
    d = g.unflatten(2, (-1, m)).unflatten(1, (-1, n)).transpose(2, 3).flatten(-2)
    to_word, to_bit = _from_near(driver, word_line, g.shape[2], m), _from_near(switch, bit_line, g.shape[1], n)
    blocks = (len(to_bit), len(to_word))
    in_row, in_column = torch.eye(n).to(g).repeat_interleave(m, 1), torch.eye(m).to(g).repeat(1, n)
    word, bit = to_word.repeat(1, n)[None, :, None], to_bit.repeat_interleave(m, 1)[:, None, None]
    parts = (in_row, -in_row * word, in_column, -in_column * bit)
    p = torch.cat([part.expand(*blocks, -1, -1) for part in parts], -2)
    same_row, same_column = in_row.mT @ in_row, in_column.mT @ in_column
    r = same_row * torch.minimum(word, word.mT) + same_column * torch.minimum(bit, bit.mT)
    s = torch.linalg.solve(torch.eye(n * m).to(g) + d[..., :, None] * r, torch.diag_embed(d))
    bare = p.new_zeros(*blocks, 2 * (n + m), 2 * (n + m))
    for at, lines, last in ((0, n, to_word[None, :, -1]), (2 * n, m, to_bit[:, None, -1])):
        near, far = torch.arange(at, at + lines), torch.arange(at + lines, at + 2 * lines)
        bare[..., near, far] = bare[..., far, near] = torch.ones_like(last)[..., None]
        bare[..., far, far] = -last[..., None]
    return _Grid(bare + p @ s @ p.mT, (n, n, m, m))


def _from_near(first: Tensor, segment: Tensor, length: int, lines: int) -> Tensor:
    """Resistances [blocks, lines] from the near end of a line's part in every block to its cells."""
    return torch.cat([first[None], segment.expand(length - 1)]).reshape(-1, lines).cumsum(-1)


def _joined(grid: _Grid, along_rows: bool) -> _Grid:
    """Pairs of neighbours of ``grid``, along its word lines or along its bit lines, as one block each.

    Far ends where the array ends carry no current, and nobody asks for their voltages: they are left out."""
    dim = 2 if along_rows else 1
    near, far = (0, 1) if along_rows else (2, 3)
    a, b = grid.blocks.unflatten(dim, (-1, 2)).unbind(dim + 1)
    kept_a = [k for k in range(4) if k != far]
    kept_b = [k for k in range(4) if k != near and not (k == far and a.shape[dim] == 1)]
    ends, of = grid.ends, _places(grid.ends)
    sizes = [ends[k] * ((k in kept_a) + (k in kept_b)) for k in range(4)]
    new = _places(sizes)
    to_a = {k: slice(new[k].start, new[k].start + ends[k]) for k in kept_a}
    to_b = {k: slice(new[k].stop - ends[k], new[k].stop) for k in kept_b}
    in_a, in_b = (dict(zip(kept, _places([ends[k] for k in kept]), strict=True)) for kept in (kept_a, kept_b))

    def star(a: Tensor, b: Tensor) -> Tensor:
        z, y = -a[..., of[far], of[far]], b[..., of[near], of[near]]
        f = torch.cat([a[..., of[far], of[k]] for k in kept_a], -1)
        h = torch.cat([b[..., of[near], of[k]] for k in kept_b], -1)
        t = torch.linalg.inv(torch.eye(ends[far]).to(z) + z @ y)
        own_a, own_b, cross = f.mT @ ((y @ t) @ f), h.mT @ ((t @ z) @ h), f.mT @ (t.mT @ h)
        whole = own_a.new_empty(*own_a.shape[:-2], sum(sizes), sum(sizes))
        for i, k in product(kept_a, kept_a):
            whole[..., to_a[i], to_a[k]] = a[..., of[i], of[k]] + own_a[..., in_a[i], in_a[k]]
        for i, k in product(kept_b, kept_b):
            whole[..., to_b[i], to_b[k]] = b[..., of[i], of[k]] - own_b[..., in_b[i], in_b[k]]
        for i, k in product(kept_a, kept_b):
            whole[..., to_a[i], to_b[k]] = cross[..., in_a[i], in_b[k]]
            whole[..., to_b[k], to_a[i]] = cross[..., in_a[i], in_b[k]].mT
        return whole

    return _Grid(recomputed(star, a, b), (sizes[0], sizes[1], sizes[2], sizes[3]))


def _places(sizes: Sequence[int]) -> list[slice]:
    """Where parts of these ``sizes`` lie one after the other."""
    return [slice(stop - n, stop) for n, stop in zip(sizes, accumulate(sizes), strict=True)]
