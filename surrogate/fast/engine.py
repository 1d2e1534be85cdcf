"""Charges of tiles by a handful of matrix products."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.errors import InputError
from surrogate.fast.clock import mean_clock
from surrogate.fast.crosstalk import crosstalk_features
from surrogate.fast.drop import remaining_charge
from surrogate.fast.native import Kernels, usable
from surrogate.fast.tables import cell_tables
from surrogate.fast.tiles import CellModel, TileFunctions, cell_model, tile_functions
from surrogate.parameters import Parameters

CHUNK = 4096
"""VMMs computed together."""


@dataclass(frozen=True)
class Accuracy:
    """Products of the expansion: ``terms`` for the current and ``drop_terms`` in each of ``slots`` for the drop."""

    terms: int = 3
    drop_terms: int = 2
    slots: int = 1


def suitable_accuracy(rows: int) -> Accuracy:
    """In small arrays columns deviate more from their mean, and products cost little."""
    return Accuracy(terms=4, drop_terms=2, slots=4) if rows <= 32 else Accuracy()


class Plain:
    """The engine in torch, for any precision and device."""

    def __init__(self, cell: CellModel) -> None:
        self.cell = cell

    def functions(self, state: Tensor) -> TileFunctions:
        """Functions of tiles ``state`` u [K, N, M]."""
        return tile_functions(self.cell, state)

    def charges(self, tiles: TileFunctions, duration: Tensor, slots: int) -> Tensor:
        """Charges [K, b, M] of ``duration`` [K, b, N]."""
        k, b = duration.shape[:2]
        kernel = self.cell.tables.kernel
        steady = crosstalk_features(duration, self.cell.edge_time, kernel)
        clock = mean_clock(duration, tiles.mean, tiles.strength, slots)
        seen = crosstalk_features(clock.elapsed, 0.0, kernel[..., : self.cell.tables.drop_terms])
        projection = torch.bmm(seen.reshape(k, b * slots, -1), tiles.amplitude).reshape(k, b, slots, -1)
        return remaining_charge(tiles, torch.bmm(steady.flatten(2), tiles.current), projection, clock)


class FastEngine:
    """Charges of tiles of ``rows`` whose states lie in ``low`` … ``high``, as :func:`surrogate.model.charges`; most
    exact where states are distributed as the ``typical`` ones (any shape)."""

    def __init__(
        self, p: Parameters, rows: int, low: float, high: float, typical: Tensor, accuracy: Accuracy = Accuracy()
    ) -> None:
        p = p.map(lambda v: v.detach().double())
        self.accuracy = accuracy
        self.cell = cell_model(p, cell_tables(p, rows, low, high, typical, (accuracy.terms, accuracy.drop_terms)))
        self.paths: dict[tuple[torch.dtype, torch.device], Plain | Kernels] = {}

    def functions(self, state: Tensor) -> TileFunctions:
        """Functions of tiles ``state`` u [K, N, M]; to be computed again whenever the states change."""
        self._check(state.shape[1])
        return self._path(state).functions(state)

    def charges(self, tiles: TileFunctions, duration: Tensor) -> Tensor:
        """Charges [K, b, M] (current scale × time scale) of ``duration`` [K, b, N] (time scale)."""
        self._check(duration.shape[2])
        path, slots = self._path(duration), self.accuracy.slots
        if duration.shape[1] <= CHUNK:
            return path.charges(tiles, duration, slots)
        return torch.cat([path.charges(tiles, part, slots) for part in duration.split(CHUNK, dim=1)], dim=1)

    def tile_charges(self, duration: Tensor, state: Tensor) -> Tensor:
        """Charges [b, R, C, M] of ``duration`` [b, R, N] on tiles ``state`` [R, C, N, M]."""
        c, m = state.shape[1], state.shape[3]
        tiles = self.functions(state.flatten(0, 1)).side_by_side(c)
        return self.charges(tiles, duration.transpose(0, 1)).unflatten(-1, (c, m)).transpose(0, 1)

    def _path(self, like: Tensor) -> Plain | Kernels:
        key = (like.dtype, like.device)
        if key not in self.paths:
            sizes = (self.accuracy.terms, self.accuracy.drop_terms)
            self.paths[key] = (Kernels if usable(like, sizes) else Plain)(self.cell.to(like))
        return self.paths[key]

    def _check(self, rows: int) -> None:
        if rows != len(self.cell.edge_shift):
            raise InputError(f"tiles of {rows} rows: this engine is for {len(self.cell.edge_shift)}: make another")
