"""What all layers on arrays of one kind share."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.analog.mapping import LayerSettings
from surrogate.analog.weights import Encoding, encoding_of
from surrogate.engine import TileEngine
from surrogate.errors import InputError
from surrogate.fast.engine import Accuracy
from surrogate.mapping import Inverse, inverse_curve, level_currents
from surrogate.surrogate import Surrogate


@dataclass(frozen=True)
class Cells:
    """Cells of a layer's arrays."""

    state: Tensor
    """stored states [G, R, C, N, M]; where arrays need not know their idle rows, [G, R, C, n, M] of the used ones"""
    current: Tensor | None
    """one-hot read currents [G, R, C, n, u] A of the used cells; None where nothing asks for them"""


class Arrays:
    """The engine, how weights are held, and the map from target currents to states."""

    def __init__(self, surrogate: Surrogate, settings: LayerSettings) -> None:
        surrogate.require_passed()
        rows, columns, domain = settings.rows, settings.columns, surrogate.domain
        if rows > domain.rows or columns > domain.columns:
            raise InputError(
                f"tile {rows}x{columns} leaves the surrogate's domain {domain.rows}x{domain.columns}: "
                "use smaller tiles or fit a larger array"
            )
        self.surrogate = surrogate
        self.encoding: Encoding = encoding_of(settings.weights)
        self.inverse: Inverse = inverse_curve(surrogate, settings.currents, rows)
        typical = level_currents(self.encoding.levels(_typical_weights(rows)), settings.currents)
        self.tiles: TileEngine = surrogate.tile_engine(
            rows, self.inverse(typical), Accuracy(*settings.products) if settings.products else None
        )
        self.read_back = self.encoding.read_back(settings.currents, surrogate.current_scale)
        self.idle = self.inverse(torch.full((rows, 1), settings.currents.low, dtype=torch.float64))
        """[N, 1] states of cells at the minimum current"""


def _typical_weights(rows: int) -> Tensor:
    """Normally distributed weights [N, 100] clipped at three standard deviations."""
    quantile = torch.linspace(0.005, 0.995, 100, dtype=torch.float64)
    return (torch.special.ndtri(quantile) / 3).expand(rows, -1)
