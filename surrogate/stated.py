"""Arrays that are stated by a few numbers instead of fitted: ideal ones, and linear cells between resistive wires."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.analog.mapping import LayerSettings
from surrogate.engine import LinearEngine, LinearTiles
from surrogate.errors import InputError
from surrogate.fast.engine import Accuracy
from surrogate.linear import RESISTANCES
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
class StatedArrays(Surrogate):
    """A surrogate that is exact by definition and needs no cross-validation."""

    @property
    def engine(self) -> LinearEngine:
        """See :class:`Surrogate`."""
        return IdealEngine(self.shared) if self.kind == IdealEngine.kind else LinearEngine(self.shared)

    def require_passed(self) -> None:
        """It has nothing to be validated against."""


def ideal_arrays(settings: LayerSettings, t_max: float = 1.0) -> StatedArrays:
    """Arrays of the size and the currents of ``settings`` that are nothing but their matrix of currents, for pulses of
    up to ``t_max`` s."""
    return _stated(settings, t_max, torch.zeros(0, dtype=torch.float64), IdealEngine.kind)


def resistive_arrays(
    settings: LayerSettings, voltage: float, resistance: tuple[float, float, float, float], t_max: float = 1.0
) -> StatedArrays:
    """Arrays of the size of ``settings`` of linear cells that conduct its currents at ``voltage`` V, between wires of
    ``resistance`` Ω (:data:`surrogate.linear.RESISTANCES`), for pulses of up to ``t_max`` s; idle rows are clamped.

    Raises :class:`InputError` for a negative resistance or a voltage that is not positive.
    """
    if not voltage > 0:
        raise InputError(f"voltage {voltage:g} V: give a positive one")
    for name, value in zip(RESISTANCES, resistance, strict=True):
        if not 0 <= value < float("inf"):
            raise InputError(f"wires.{name} {value:g} ohm: give a resistance from 0 on")
    shared = torch.log(torch.tensor(resistance, dtype=torch.float64) * settings.currents.high / voltage)
    return _stated(settings, t_max, shared, LinearEngine.kind)


def _stated(settings: LayerSettings, t_max: float, shared: Tensor, kind: str) -> StatedArrays:
    domain = Domain(0.0, t_max, 0.0, float("inf"), settings.rows, settings.columns)
    return StatedArrays(shared, torch.zeros_like(shared), settings.currents.high, t_max, domain, kind=kind)
