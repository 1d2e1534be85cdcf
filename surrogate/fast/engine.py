"""Charges of tiles by a handful of matrix products."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.fast_engine.clock import mean_clock
from surrogate.fast_engine.crosstalk import crosstalk_features
from surrogate.fast_engine.drop import remaining_charge
from surrogate.fast_engine.native import Kernels, usable
from surrogate.fast_engine.tables import cell_tables
from surrogate.fast_engine.tiles import CellModel, TileFunctions, cell_model, tile_functions
from surrogate.parameters import Parameters


@dataclass(frozen=True)
class Accuracy:
    """Products of the expansion: ``terms`` for the current and ``drop_terms`` in each of ``slots`` for the drop."""

    terms: int = 3
    drop_terms: int = 2
    slots: int = 1


class Plain:
    """The engine in torch, for any precision and device."""

    def __init__(self, cell: CellModel) -> None:
        self.cell = cell

    def functions(self, state: Tensor) -> TileFunctions:
        """Functions of tiles ``state`` u [K, N, M]."""
        return tile_functions(self.cell, state)

    def charges(self, tiles: TileFunctions, duration: Tensor, slots: int) -> Tensor:
        """Charges [K, b, M] of ``duration`` [K, b, N]."""
        k, b, rows = duration.shape
        kernel = self.cell.tables.kernel
        steady = crosstalk_features(duration, self.cell.edge_time, kernel)
        clock = mean_clock(duration, tiles.mean, tiles.strength, slots)
        seen = crosstalk_features(clock.elapsed, 0.0, kernel[..., : self.cell.tables.drop_terms])
        projection = torch.bmm(seen.reshape(k, b * slots, -1), tiles.amplitude).reshape(k, b, slots, -1)
        return remaining_charge(tiles, torch.bmm(steady.flatten(2), tiles.current), projection, clock)


class FastEngine:
    """Charges of tiles of ``rows`` whose states lie in ``low`` … ``high``, as :func:`surrogate.model.charges`."""

    def __init__(self, p: Parameters, rows: int, low: float, high: float, accuracy: Accuracy = Accuracy()) -> None:
        p = p.map(lambda v: v.detach().double())
        self.accuracy = accuracy
        self.cell = cell_model(p, cell_tables(p, rows, low, high, accuracy.terms, accuracy.drop_terms), low, high)
        self.paths: dict[torch.dtype, Plain | Kernels] = {}

    def path(self, like: Tensor) -> Plain | Kernels:
        """What computes with tensors ``like`` this one."""
        if like.dtype not in self.paths:
            self.paths[like.dtype] = (Kernels if usable(like) else Plain)(self.cell.to(like.dtype))
        return self.paths[like.dtype]

    def functions(self, state: Tensor) -> TileFunctions:
        """Functions of tiles ``state`` u [K, N, M]; to be computed again whenever the states change."""
        return self.path(state).functions(state)

    def charges(self, tiles: TileFunctions, duration: Tensor) -> Tensor:
        """Charges [K, b, M] (current scale × time scale) of ``duration`` [K, b, N] (time scale)."""
        return self.path(duration).charges(tiles, duration, self.accuracy.slots)
