"""What a tile of weights means to the engine: expansions of all its cells, and its mean column.

With D the loss of a cell's current per bit-line drop and κ = ΣD/ΣI of its column, a column's loss is
∫ Σ_ik D_i·W_ik·I_k dt (W: the resistances that rows i and k share): up to second order in the deviations of D/I from κ
the quadratic form κ∫ H·W·H dt of H = (I + D/κ)/2. Of it the part along the mean column's profile is taken exactly for
every column (Nyström's approximation), so that columns deviate from it only at second order, and the charge is
stationary in all that describes the mean column: no gradient passes through that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import pad

from surrogate.fast.lookup import look_up
from surrogate.fast.tables import CellTables
from surrogate.model import array_edge, differences_along_row
from surrogate.parameters import Parameters


@dataclass(frozen=True)
class CellModel:
    """Tables and couplings of all cells in arrays of some number of rows."""

    tables: CellTables
    edge_shift: Tensor
    """[N] shift of a row's state at the array's edge"""
    edge_fall: Tensor
    """[N] the same per fall of the cell's floating gate"""
    gate_row: float
    gate_column: float
    """share of a next row's fall that shifts a cell, on average over its pulse"""
    driver: float
    word_line: float
    switch: float
    bit_line: float
    sensitivity: float
    edge_time: float

    def to(self, like: Tensor) -> CellModel:
        """The model in the precision and on the device of ``like``."""
        shift, fall = self.edge_shift.to(like), self.edge_fall.to(like)
        return replace(self, tables=self.tables.to(like), edge_shift=shift, edge_fall=fall)

    def first(self, rows: int) -> CellModel:
        """The model of the first ``rows`` of these arrays, the ones next to the clamps, where the others stay idle."""
        tables = replace(self.tables, kernel=self.tables.kernel[:rows])
        return replace(self, tables=tables, edge_shift=self.edge_shift[:rows], edge_fall=self.edge_fall[:rows])


def cell_model(p: Parameters, tables: CellTables) -> CellModel:
    """Model of cells with shared parameters ``p``."""
    edge = array_edge(p, tables.kernel.shape[0])
    return CellModel(
        tables=tables,
        edge_shift=edge.shift.detach(),
        edge_fall=edge.fall.detach(),
        gate_row=float(p.gate_row),
        gate_column=tables.overlap * float(p.gate_column),
        driver=float(torch.exp(p.log_driver)),
        word_line=float(torch.exp(p.log_word_line)),
        switch=float(torch.exp(p.log_switch)),
        bit_line=float(torch.exp(p.log_bit_line)),
        sensitivity=float(p.sensitivity),
        edge_time=float(p.edge_time),
    )


@dataclass(frozen=True)
class TileFunctions:
    """K tiles of N rows and M columns; only ``current`` and ``amplitude`` are differentiable."""

    current: Tensor
    """[K, r·N, M] expansions of the cells' currents"""
    amplitude: Tensor
    """[K, d·N, M] expansions of their H, times the relative drop at their row"""
    mean: Tensor
    """[K, N] row currents of the mean column's H, times the relative drop"""
    strength: Tensor
    """[K, 5] their kernel, by number of neighbours"""
    response: Tensor
    """[K, M] κ times the mean resistance that a column's current meets"""
    curvature: Tensor
    """[K, M] η: a column's current under a drop y is I·(1 − κy + η·(κy)²/2)"""
    share: Tensor
    """[K, M] what remains of a loss after the drop has lowered the rise of the word lines, too"""

    def side_by_side(self, columns: int) -> TileFunctions:
        """Every ``columns`` tiles that follow each other, driven by the same pulses, as one wide tile; their mean
        columns become one."""

        def joined(values: Tensor) -> Tensor:
            apart = values.unflatten(0, (-1, columns))
            return apart.movedim(1, -2).flatten(-2)

        def shared(values: Tensor) -> Tensor:
            return values.unflatten(0, (-1, columns)).mean(1)

        if columns == 1:
            return self
        return TileFunctions(
            current=joined(self.current),
            amplitude=joined(self.amplitude),
            mean=shared(self.mean),
            strength=shared(self.strength),
            response=joined(self.response),
            curvature=joined(self.curvature),
            share=joined(self.share),
        )

    def narrow(self, columns: int) -> TileFunctions:
        """The first ``columns`` of all tiles."""
        names = ("current", "amplitude", "response", "curvature", "share")
        return replace(self, **{name: getattr(self, name)[..., :columns] for name in names})


def tile_functions(cell: CellModel, state: Tensor) -> TileFunctions:
    """Functions of tiles ``state`` u [K, N, M]."""
    tables = cell.tables
    terms, drop_terms = tables.terms, tables.drop_terms
    base = _resting_state(cell, state)
    with torch.no_grad():
        first = word_line_rise(cell, look_up(base, tables.mean)[:, 0])
    mean = look_up(base - first, tables.mean)
    rise = word_line_rise(cell, mean[:, 0])
    found = look_up(base - rise, tables.functions)
    current, excess, loss = found.split([terms, terms, drop_terms], dim=1)
    current = current - rise[:, None] * excess
    with torch.no_grad():
        total = mean.sum(-2)
        kappa = total[:, 1] / total[:, 0]
        risen = (mean[:, 0] * rise).sum(-2) / total[:, 0]
    h = 0.5 * (current[:, :drop_terms] + loss / kappa[:, None, None])
    with torch.no_grad():
        typical = h.mean((-2, -1))
        row = torch.einsum("kdnm,kd->kn", h, typical) / (h.shape[-1] * typical.square().sum(-1, keepdim=True))
        drop = cell.switch * row.sum(-1, keepdim=True) + cell.bit_line * _segments(row)
        resistance = (drop * row).sum(-1) / row.sum(-1).square()
        profile = drop / (resistance * row.sum(-1))[:, None]
    return TileFunctions(
        current=current.flatten(1, 2),
        amplitude=(h * profile[:, None, :, None]).flatten(1, 2),
        mean=row * profile,
        strength=typical @ tables.strength[:, :drop_terms].T,
        response=kappa * resistance[:, None],
        curvature=total[:, 2] * total[:, 0] / total[:, 1].square(),
        share=1 - kappa / cell.sensitivity * risen,
    )


def word_line_rise(cell: CellModel, current: Tensor) -> Tensor:
    """Rise [..., M] of word lines under the currents [..., M] of their cells."""
    return cell.driver * current.sum(-1, keepdim=True) + cell.word_line * _segments(current)


def _segments(current: Tensor) -> Tensor:
    """Sum over k of min(i, k)·current_k along the last axis: drop along a line of unit resistors."""
    beyond = current.flip(-1).cumsum(-1).flip(-1)
    return pad(beyond[..., 1:].cumsum(-1), (1, 0))


def _resting_state(cell: CellModel, state: Tensor) -> Tensor:
    """States with all that does not depend on which rows are active."""
    fall = look_up(state, cell.tables.fall)[:, 0]
    base = state + cell.edge_shift[:, None] + cell.edge_fall[:, None] * fall
    apart = pad(fall - cell.tables.mean_fall, (0, 0, 1, 1))
    base = base + cell.gate_row * differences_along_row(fall)
    return base + cell.gate_column * (apart[..., :-2, :] + apart[..., 2:, :])
