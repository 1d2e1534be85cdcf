"""Charges of tiles by a handful of matrix products."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.errors import InputError
from surrogate.fast import native_pairs
from surrogate.fast.clock import grid_of, mean_clock
from surrogate.fast.crosstalk import crosstalk_features
from surrogate.fast.drop import remaining_charge
from surrogate.fast.native import Kernels, usable
from surrogate.fast.pairs import PART, columns_apart, recomputed
from surrogate.fast.tables import cell_tables
from surrogate.fast.tiles import CellModel, TileFunctions, cell_model, tile_functions
from surrogate.fast.windows import Windows
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
        kernel, drop_terms = self.cell.tables.kernel, self.cell.tables.drop_terms
        steady = crosstalk_features(duration, self.cell.edge_time, kernel)
        clock = mean_clock(duration, tiles.mean, tiles.strength, slots, grid_of(slots, drop_terms))
        seen = crosstalk_features(clock.elapsed, 0.0, kernel[..., :drop_terms])
        projection = torch.bmm(seen.reshape(k, b * slots, -1), tiles.amplitude).reshape(k, b, slots, -1)
        return remaining_charge(tiles, torch.bmm(steady.flatten(2), tiles.current), projection, clock)


class FastEngine:
    """Charges of tiles of ``rows`` whose states lie in ``low`` … ``high``, as :func:`surrogate.model.charges`; most
    exact where states are distributed as the ``typical`` ones (any shape)."""

    whole_arrays = False

    def __init__(
        self, p: Parameters, rows: int, low: float, high: float, typical: Tensor, accuracy: Accuracy = Accuracy()
    ) -> None:
        p = p.map(lambda v: v.detach().double())
        self.accuracy = accuracy
        self.cell = cell_model(p, cell_tables(p, rows, low, high, typical, (accuracy.terms, accuracy.drop_terms)))
        self.paths: dict[tuple[torch.dtype, torch.device, int], Plain | Kernels] = {}

    def functions(self, state: Tensor) -> TileFunctions:
        """Functions of tiles ``state`` u [K, N, M]; to be computed again whenever the states change. Fewer rows are the
        first ones of arrays whose others stay idle."""
        return self._path(state, state.shape[1]).functions(state)

    def charges(self, tiles: TileFunctions, duration: Tensor) -> Tensor:
        """Charges [K, b, M] (current scale × time scale) of ``duration`` [K, b, N] (time scale)."""
        path, slots = self._path(duration, duration.shape[2]), self.accuracy.slots
        if duration.shape[1] <= CHUNK:
            return path.charges(tiles, duration, slots)
        return torch.cat([path.charges(tiles, part, slots) for part in duration.split(CHUNK, dim=1)], dim=1)

    def tile_charges(self, duration: Tensor, state: Tensor) -> Tensor:
        """Charges [b, R, C, M] of ``duration`` [b, R, N] on tiles ``state`` [R, C, N, M]."""
        c, m = state.shape[1], state.shape[3]
        tiles = self.functions(state.flatten(0, 1)).side_by_side(c)
        return self.charges(tiles, duration.transpose(0, 1)).unflatten(-1, (c, m)).transpose(0, 1)

    def pair_sums(self, image: Tensor, windows: Windows, state: Tensor, pairs: int) -> Tensor:
        """Differences [v, pairs] of the charges of the first ``pairs`` column pairs (2k less 2k + 1), summed over the
        row tiles, of all ``windows`` of ``image`` [B, H, W, ch] on tiles ``state`` [R, C, n, M].

        As of :meth:`tile_charges`, at a fraction of its time and memory."""
        rows, path = state.shape[2], self._path(image, state.shape[2])
        if isinstance(path, Kernels):
            functions = native_pairs.pair_functions(path, state, pairs)
            return native_pairs.pair_sums(path, functions, image, windows, self.accuracy.slots)
        tiles = path.functions(state.flatten(0, 1)).side_by_side(state.shape[1]).narrow(2 * pairs)

        def of_part(part: Tensor) -> Tensor:
            pulses = windows.pulses(part).transpose(0, 1)
            return columns_apart(path.charges(tiles, pulses, self.accuracy.slots).sum(0))

        each = max(1, PART // (windows.vmms(image[:1]) * windows.row_tiles * rows))
        return torch.cat([recomputed(of_part, part) for part in image.split(each)])

    def _path(self, like: Tensor, rows: int) -> Plain | Kernels:
        if rows > len(self.cell.edge_shift):
            raise InputError(f"tiles of {rows} rows: this engine is for {len(self.cell.edge_shift)}: make another")
        key = (like.dtype, like.device, rows)
        if key not in self.paths:
            sizes = (self.accuracy.terms, self.accuracy.drop_terms)
            with torch.inference_mode(False):  # a training may follow
                self.paths[key] = (Kernels if usable(like, sizes) else Plain)(self.cell.first(rows).to(like))
        return self.paths[key]
