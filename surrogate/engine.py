"""What computes a surrogate's charges from its shared parameters: one engine for each kind of cell.

All is in units of the surrogate's scales: states, currents over the current scale, durations over the time scale.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from surrogate.fast.engine import Accuracy, FastEngine, suitable_accuracy
from surrogate.fast.pairs import PART, columns_apart, recomputed
from surrogate.fast.windows import Windows
from surrogate.linear import RESISTANCES, effective_matrix, tile_products
from surrogate.model import charges, one_hot_currents
from surrogate.parameters import EFFECTS, SPECS, unflatten
from surrogate.switched import cell as switched
from surrogate.switched import reference
from surrogate.switched.tiles import SwitchedTiles


class TileEngine(Protocol):
    """Charges of many tiles in the precision and on the device of what it is given."""

    whole_arrays: bool
    """Whether :meth:`pair_sums` must know the cells of idle rows, too: they conduct."""

    def tile_charges(self, duration: Tensor, state: Tensor) -> Tensor:
        """Charges [b, R, C, M] of ``duration`` [b, R, N] on tiles of ``state`` [R, C, N, M], differentiable in both."""

    def pair_sums(self, image: Tensor, windows: Windows, state: Tensor, pairs: int) -> Tensor:
        """Differences [v, pairs] of the charges of the first ``pairs`` column pairs (2k less 2k + 1), summed over the
        row tiles, of all ``windows`` of ``image`` [B, H, W, ch] on the first n rows, at ``state`` [R, C, n, M], of
        tiles whose other rows stay idle (``whole_arrays``: [R, C, N, M]); differentiable in both."""


class Engine(ABC):
    """Charges and currents of arrays of one kind of cell."""

    kind: ClassVar[str]
    names: ClassVar[tuple[tuple[str, tuple[int, ...]], ...]]
    """Name and shape of each shared parameter, in the order of the flat vector."""
    effects: ClassVar[tuple[str, ...]]
    """What ``without`` can switch off."""

    def __init__(self, shared: Tensor) -> None:
        self.shared = shared

    @abstractmethod
    def charges(self, duration: Tensor, state: Tensor, without: tuple[str, ...] = ()) -> Tensor:
        """Charges [n, M] of ``duration`` [n, N] on arrays of ``state`` [1 or n, N, M], in float64: the reference, not
        for gradients."""

    @abstractmethod
    def one_hot_currents(self, state: Tensor) -> Tensor:
        """Currents [b, N, M] that reading arrays of ``state`` [b, N, M] one row at a time shows."""

    @abstractmethod
    def tile_engine(
        self, rows: int, low: float, high: float, typical: Tensor, accuracy: Accuracy | None = None
    ) -> TileEngine:
        """What layers on arrays of ``rows`` compute with, for states ``low`` … ``high``, distributed as ``typical``;
        at what is suitable for that size unless ``accuracy`` says otherwise."""


class MosEngine(Engine):
    """Floating-gate transistors: the time-slot model (:mod:`surrogate.model`) and its fast form."""

    kind = "mos"
    names = tuple((spec.name, spec.shape) for spec in SPECS)
    effects = EFFECTS

    def charges(self, duration: Tensor, state: Tensor, without: tuple[str, ...] = ()) -> Tensor:
        """See :class:`Engine`."""
        return charges(unflatten(self.shared).without(*without), state, duration)

    def one_hot_currents(self, state: Tensor) -> Tensor:
        """See :class:`Engine`."""
        return one_hot_currents(unflatten(self.shared), state)

    def tile_engine(
        self, rows: int, low: float, high: float, typical: Tensor, accuracy: Accuracy | None = None
    ) -> TileEngine:
        """See :class:`Engine`."""
        return FastEngine(unflatten(self.shared), rows, low, high, typical, accuracy or suitable_accuracy(rows))


class LinearEngine(Engine):
    """Resistive cells: one exact matrix per array (:mod:`surrogate.linear`). States are conductances over the best
    cell's, shared parameters the ln of the resistances times that conductance. Edges cost a linear array nothing."""

    kind = "linear"
    names = tuple((f"log_{name}", ()) for name in RESISTANCES)
    effects = ("bit_line_drop", "word_line_drop")

    def charges(self, duration: Tensor, state: Tensor, without: tuple[str, ...] = ()) -> Tensor:
        """See :class:`Engine`."""
        counts = ["word_line_drop" not in without] * 2 + ["bit_line_drop" not in without] * 2
        resistance = torch.exp(self.shared) * torch.tensor(counts)
        arrays, which = torch.unique(state, dim=0, return_inverse=True)
        matrix = torch.stack([effective_matrix(array, resistance) for array in arrays])
        return torch.einsum("bn,bnm->bm", duration, matrix[which.expand(len(duration))])

    def one_hot_currents(self, state: Tensor) -> Tensor:
        """See :class:`Engine`."""
        return effective_matrix(state, torch.exp(self.shared))

    def tile_engine(
        self, rows: int, low: float, high: float, typical: Tensor, accuracy: Accuracy | None = None
    ) -> TileEngine:
        """See :class:`Engine`; any size, any conductance."""
        return LinearTiles(torch.exp(self.shared))


class SwitchedEngine(Engine):
    """Resistive cells behind access devices that disconnect idle rows (:mod:`surrogate.switched`)."""

    kind = "switched"
    names = tuple((name, ()) for name in switched.NAMES)
    effects: ClassVar[tuple[str, ...]] = switched.EFFECTS

    @property
    def cells(self) -> switched.Shared:
        """The parameters by name."""
        return switched.shared_of(self.shared)

    def charges(self, duration: Tensor, state: Tensor, without: tuple[str, ...] = ()) -> Tensor:
        """See :class:`Engine`."""
        return reference.charges(switched.without(self.cells, *without), state, duration)

    def one_hot_currents(self, state: Tensor) -> Tensor:
        """See :class:`Engine`."""
        return reference.one_hot_currents(self.cells, state)

    def tile_engine(
        self, rows: int, low: float, high: float, typical: Tensor, accuracy: Accuracy | None = None
    ) -> TileEngine:
        """See :class:`Engine`; any size, any conductance, at one accuracy."""
        return SwitchedTiles(self.cells)


class ClampedEngine(SwitchedEngine):
    """Nonlinear resistive cells whose idle rows are clamped: they stay connected."""

    kind = "clamped"
    names = tuple((name, ()) for name in switched.CLAMPED_NAMES)
    effects = tuple(effect for effect in switched.EFFECTS if effect != "access")

    @property
    def cells(self) -> switched.Shared:
        """See :class:`SwitchedEngine`."""
        return switched.clamped_of(self.shared)


class LinearTiles:
    """Tiles of linear cells between wires of ``resistance`` [4]."""

    whole_arrays = True

    def __init__(self, resistance: Tensor) -> None:
        self.resistance = resistance

    def matrix(self, state: Tensor) -> Tensor:
        """What tiles of ``state`` [R, C, N, M] multiply durations by, [R, C, N, M]."""
        return effective_matrix(state, self.resistance.to(state.device))

    def tile_charges(self, duration: Tensor, state: Tensor) -> Tensor:
        """See :class:`TileEngine`."""
        return tile_products(duration, self.matrix(state))

    def pair_sums(self, image: Tensor, windows: Windows, state: Tensor, pairs: int) -> Tensor:
        """See :class:`TileEngine`."""
        matrix = self.matrix(state).transpose(1, 2).flatten(2)
        weight = columns_apart(matrix[:, : windows.used_rows, : 2 * pairs]).flatten(0, 1)

        def of_part(part: Tensor, weight: Tensor) -> Tensor:
            return windows.pulses(part).flatten(1) @ weight

        each = max(1, PART // (windows.vmms(image[:1]) * len(weight)))
        return torch.cat([recomputed(of_part, part, weight) for part in image.split(each)])


ENGINES: dict[str, type[Engine]] = {
    engine.kind: engine for engine in (MosEngine, LinearEngine, SwitchedEngine, ClampedEngine)
}
"""Engines by the kind that a surrogate's file names."""
