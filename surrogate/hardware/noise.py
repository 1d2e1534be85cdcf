"""The section ``noise`` of a hardware recipe; its first four keys are what ``fgcosim noise`` finds."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from surrogate.effects.effect import Effect
from surrogate.effects.noise import ReadNoise, SlowNoise
from surrogate.effects.read_noise import CellReadNoise
from surrogate.hardware.sections import NotNegative, Positive, Section
from surrogate.noise import Calibration, CellNoise, ChannelNoise, FlickerNoise, TelegraphNoise
from surrogate.noise.channel import LONG_CHANNEL


class Channel(Section):
    """:class:`surrogate.noise.ChannelNoise`."""

    specific_current: Positive
    gamma: Positive = LONG_CHANNEL


class Flicker(Section):
    """:class:`surrogate.noise.FlickerNoise`."""

    strength: Annotated[float, Field(ge=0)]
    exponent: float = 2.0
    bend: float = 0.0
    specific_current: Positive = 1e-6
    slope: float = 1.0


class Telegraph(Section):
    """:class:`surrogate.noise.TelegraphNoise`."""

    amplitude: Annotated[float, Field(ge=0, le=1)]
    time_low: Positive
    time_high: Positive


class Calibrated(Section):
    """:class:`surrogate.noise.Calibration`, s."""

    window: Positive
    since: Positive


class ReadNoiseSection(Section):
    """:class:`surrogate.effects.read_noise.CellReadNoise`, as a design states it for its resistive cells."""

    white: NotNegative
    at: Positive
    flicker: NotNegative = 0.0


class Noise(Section):
    """Noise of the cells; kinds that are absent are off. ``run`` is the time that the VMMs of one call take, s, over
    which slow noise is common to all; left out, every VMM has noise of its own. ``read_noise`` is the law that is
    stated for resistive cells, in place of a transistor's channel and 1/f noise."""

    channel: Channel | None = None
    flicker: Flicker | None = None
    telegraph: Telegraph | None = None
    calibration: Calibrated | None = None
    run: Positive | None = None
    read_noise: ReadNoiseSection | None = None

    @model_validator(mode="after")
    def _no_contradiction(self) -> Noise:
        twice = [name for name in ("channel", "flicker") if getattr(self, name) is not None]
        if self.read_noise is not None and twice:
            raise ValueError(
                f"read_noise: of resistive cells, beside {twice[0]} noise of transistors, counts noise twice: "
                "remove one of them"
            )
        self.effects()
        return self

    def of_cells(self) -> CellNoise:
        """The closed forms."""
        return CellNoise(
            None if self.channel is None else ChannelNoise(**self.channel.model_dump()),
            None if self.flicker is None else FlickerNoise(**self.flicker.model_dump()),
            None if self.telegraph is None else TelegraphNoise(**self.telegraph.model_dump()),
            None if self.calibration is None else Calibration(**self.calibration.model_dump()),
        )

    def effects(self) -> tuple[Effect, ...]:
        """Those that are on."""
        noise, stated = self.of_cells(), self.read_noise
        found: tuple[Effect, ...] = () if stated is None else (CellReadNoise(stated.white, stated.at, stated.flicker),)
        if noise.terms():
            found += (*(() if self.run is None else (SlowNoise(noise, self.run),)), ReadNoise(noise, self.run))
        return found
