"""Arrays that are nothing but their matrix of cell currents: the quantised model of a network, by the same layers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.analog.mapping import LayerSettings
from surrogate.engine import LinearEngine, LinearTiles
from surrogate.fast.engine import Accuracy
from surrogate.surrogate import Domain, Surrogate


class IdealTiles(LinearTiles):
    """Tiles that multiply by the currents of their cells."""

    def __init__(self) -> None:
        super().__init__(torch.zeros(4, dtype=torch.float64))

    def matrix(self, state: Tensor) -> Tensor:
        """See :class:`LinearTiles`."""
        return state


class IdealEngine(LinearEngine):
    """The ideal VMM Q = T·W (:mod:`surrogate.ideal`): a state is the cell's current over the current scale."""

    kind = "ideal"

    def charges(self, duration: Tensor, state: Tensor, without: tuple[str, ...] = ()) -> Tensor:
        """See :class:`surrogate.engine.Engine`."""
        return torch.einsum("bn,bnm->bm", duration, state.expand(len(duration), -1, -1))

    def one_hot_currents(self, state: Tensor) -> Tensor:
        """See :class:`surrogate.engine.Engine`."""
        return state

    def tile_engine(
        self, rows: int, low: float, high: float, typical: Tensor, accuracy: Accuracy | None = None
    ) -> IdealTiles:
        """See :class:`surrogate.engine.Engine`."""
        return IdealTiles()


@dataclass(frozen=True)
class IdealArrays(Surrogate):
    """A surrogate without any effect of a layout, which needs no cross-validation."""

    @property
    def engine(self) -> IdealEngine:
        """See :class:`Surrogate`."""
        return IdealEngine(self.shared)

    def require_passed(self) -> None:
        """It is exact by definition."""


def ideal_arrays(settings: LayerSettings) -> IdealArrays:
    """Ideal arrays of the size and the currents of ``settings``."""
    domain = Domain(0.0, 1.0, 0.0, 1.0, settings.rows, settings.columns)
    nothing = torch.zeros(0, dtype=torch.float64)
    return IdealArrays(nothing, nothing, settings.currents.high, 1.0, domain, kind=IdealEngine.kind)
