"""Resistive cells (PCM, RRAM) of a design: what they conduct, what opens them, how far they go and how they fluctuate.

A cell is known by its conductance at the read voltage, current over voltage. At other voltages it conducts

    I(v) = g · v_read · sinh(v / v_0) / sinh(v_read / v_0),

the hopping and tunnelling form of filamentary RRAM (Guan, Yu, Wong, IEEE Electron Device Letters 33, 1405, 2012) and of
phase-change cells below threshold (Ielmini, Zhang, Journal of Applied Physics 102, 054517, 2007); without ``v_0`` it is
linear. An access device in series is an ideal switch of a given on resistance that follows its row's pulse.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from netlists.errors import InputError
from netlists.quantity import PositiveResistance, PositiveTime, PositiveVoltage
from netlists.section import Section

MOST_BENT = 20.0
"""Largest read voltage over ``sinh_voltage``: the current then changes by a factor e every twentieth of the voltage."""


class ReadNoise(Section):
    """Relative standard deviation σ of a cell's mean current over a pulse of duration T, σ² = white² · at / T +
    flicker²: white noise averages out with the pulse, 1/f noise (but for a logarithm) does not."""

    white: Annotated[float, Field(ge=0, le=1, strict=True)]
    flicker: Annotated[float, Field(ge=0, le=1, strict=True)] = 0.0
    at: PositiveTime

    def sigma(self, duration: NDArray[np.float64]) -> NDArray[np.float64]:
        """σ of pulses of ``duration`` > 0 s, any shape."""
        return np.sqrt(self.white**2 * self.at / duration + self.flicker**2)


class ResistiveCell(Section):
    """A two-terminal cell between word line and bit line: a conductance ``current / read.voltage`` per cell.

    ``access_resistance`` is that of the closed access device, where idle cells are disconnected; ``sinh_voltage`` the
    v_0 of its nonlinearity; ``on_off_ratio`` how far currents may lie apart; ``read_noise`` decides no simulation.
    """

    kind: Literal["resistive"]
    access_resistance: PositiveResistance | None = None
    sinh_voltage: PositiveVoltage | None = None
    on_off_ratio: Annotated[float, Field(gt=1, le=1e9, strict=True)] | None = None
    read_noise: ReadNoise | None = None

    @model_serializer(mode="wrap")
    def _without_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        """What is left out stays left out, so that choices added later change no design's hash."""
        return {key: value for key, value in handler(self).items() if value is not None}

    @property
    def is_resistor(self) -> bool:
        """Whether the cell is a linear resistor that is always connected."""
        return self.access_resistance is None and self.sinh_voltage is None

    def relative_current(self, volts: NDArray[np.float64], read_voltage: float) -> NDArray[np.float64]:
        """Current per conductance, V, of a cell with ``volts`` across it, any shape."""
        if self.sinh_voltage is None:
            return volts
        return read_voltage * np.sinh(volts / self.sinh_voltage) / np.sinh(read_voltage / self.sinh_voltage)

    def conductance(self, current: NDArray[np.float64], read_voltage: float) -> NDArray[np.float64]:
        """Conductance in S of cells that show ``current`` A at ``read_voltage`` V behind their access device.

        Raises :class:`InputError` where the access device alone lets less through."""
        left = read_voltage - (self.access_resistance or 0.0) * current
        if not left.min() > 0:
            raise InputError(
                f"cell.access_resistance: {self.access_resistance:g} ohm takes more than the read voltage of "
                f"{read_voltage:g} V at {current.max():g} A: lower it or weights.current_max"
            )
        return np.asarray(current / self.relative_current(left, read_voltage))
