"""The sections of a hardware recipe. Every effect is off unless its key is there; sections list those that are on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from surrogate.analog.converter import Converter
from surrogate.analog.pulses import WHOLE_WIDTH
from surrogate.analog.weights import RangeRule, Weights
from surrogate.effects.converters import ConverterOffset, GainError
from surrogate.effects.effect import Effect
from surrogate.effects.mismatch import ThresholdMismatch
from surrogate.effects.programming import (
    IndependentError,
    MeasuredError,
    ProgrammingError,
    ProportionalError,
    WriteVerify,
)
from surrogate.effects.pulses import PulseJitter, PulseOffset
from surrogate.effects.retention import ChargeLoss, Drift
from surrogate.strict import Strict

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Ohms = Annotated[float, Field(ge=0, le=1e12)]
Share = Annotated[float, Field(ge=0, lt=1)]
Signed = Annotated[float, Field(gt=-1, lt=1)]


class Section(Strict):
    """A section of a recipe: unknown keys are errors, and values of other types than asked for."""


class Wires(Section):
    """Resistances of linear arrays, Ω: of a row's driver, a segment of word and of bit line, a column's switch."""

    driver: Ohms = 0.0
    word_line: Ohms = 0.0
    bit_line: Ohms = 0.0
    switch: Ohms = 0.0


class Tiles(Section):
    """Size of the arrays, and the lowest and highest one-hot read current of their cells, A."""

    rows: Annotated[int, Field(ge=1, le=4096)]
    columns: Annotated[int, Field(ge=2, le=4096)]
    current_max: Annotated[float, Field(ge=1e-18, le=1e3)]
    on_off_ratio: Annotated[float, Field(ge=1.001, le=1e9)]

    @property
    def current_min(self) -> float:
        """Current of a cell at level 0, A."""
        return self.current_max / self.on_off_ratio


class StoredWeights(Weights):
    """How cells hold weights (:class:`surrogate.analog.weights.Weights`), and what shares one range of them."""

    shared_by: Literal["layer", "column", "tile"] = "layer"

    @property
    def alone(self) -> Weights:
        """Without what shares a range."""
        return Weights(**self.model_dump(exclude={"shared_by"}))


class Independent(Section):
    """:class:`surrogate.effects.programming.IndependentError`."""

    kind: Literal["independent"]
    sigma: Share

    def effect(self) -> ProgrammingError:
        """The error."""
        return IndependentError(self.sigma)


class Proportional(Section):
    """:class:`surrogate.effects.programming.ProportionalError`."""

    kind: Literal["proportional"]
    sigma: Share

    def effect(self) -> ProgrammingError:
        """The error."""
        return ProportionalError(self.sigma)


class Measured(Section):
    """:class:`surrogate.effects.programming.MeasuredError`: standard deviations ``sigmas`` A at ``currents`` A. In
    files, ``table`` may name a CSV file that holds both (:mod:`surrogate.hardware.error_table`)."""

    kind: Literal["measured"]
    currents: Annotated[list[NotNegative], Field(min_length=2, max_length=1000)]
    sigmas: Annotated[list[NotNegative], Field(min_length=2, max_length=1000)]

    @model_validator(mode="after")
    def _checked(self) -> Measured:
        self.effect()
        return self

    def effect(self) -> ProgrammingError:
        """The error."""
        return MeasuredError(tuple(self.currents), tuple(self.sigmas))


class Verify(Section):
    """:class:`surrogate.effects.programming.WriteVerify`."""

    tolerance: Annotated[float, Field(gt=0, lt=1)]
    attempts: Annotated[int, Field(ge=1, le=1000)] = 20


class ChargeLossSection(Section):
    """:class:`surrogate.effects.retention.ChargeLoss`."""

    time: NotNegative
    lifetime: Positive
    neutral: float
    temperature: Positive = 300.0
    reference: Positive = 300.0
    activation: NotNegative = 1.1
    stretch: Annotated[float, Field(gt=0, le=1)] = 1.0


class DriftSection(Section):
    """:class:`surrogate.effects.retention.Drift`."""

    time: NotNegative
    exponent: NotNegative
    sigma: NotNegative = 0.0
    first: Positive = 1.0


class Programming(Section):
    """What programming and time leave of the currents that cells are told."""

    error: Annotated[Independent | Proportional | Measured, Field(discriminator="kind")] | None = None
    verify: Verify | None = None
    in_place: bool = True
    """whether cells are programmed until they show their current within their array, or each as if it were alone"""
    threshold_mismatch: NotNegative = 0.0
    """V"""
    charge_loss: ChargeLossSection | None = None
    drift: DriftSection | None = None

    @model_validator(mode="after")
    def _no_contradiction(self) -> Programming:
        if self.verify is not None and self.error is None:
            raise ValueError("verify: without an error there is nothing to verify: add the key error or remove it")
        if self.charge_loss is not None and self.drift is not None:
            raise ValueError("drift: for resistive cells, charge_loss for floating gates: remove one of them")
        self.effects()
        return self

    def effects(self) -> tuple[Effect, ...]:
        """Those that are on, in the order in which they happen."""
        found: list[Effect] = []
        if self.error is not None and self.verify is not None:
            found.append(WriteVerify(self.error.effect(), self.verify.tolerance, self.verify.attempts))
        elif self.error is not None:
            found.append(self.error.effect())
        if self.threshold_mismatch:
            found.append(ThresholdMismatch(self.threshold_mismatch))
        if self.charge_loss is not None:
            found.append(ChargeLoss(**self.charge_loss.model_dump()))
        if self.drift is not None:
            found.append(Drift(**self.drift.model_dump()))
        return tuple(found)


class Inputs(Section):
    """How inputs become pulses of ``bits``; jitter (standard deviation) and offset in s."""

    bits: Annotated[int, Field(ge=1, le=16)] = 8
    signed: Literal["phases", "offset"] | None = None
    """how negative inputs are shown: in two phases, or with zero at half the width; None: there are none"""
    range: RangeRule = WHOLE_WIDTH
    jitter: NotNegative = 0.0
    offset: float = 0.0

    @model_validator(mode="after")
    def _no_contradiction(self) -> Inputs:
        if self.signed == "offset" and self.bits < 2:
            raise ValueError("signed offset: one bit cannot show zero: give bits of at least 2 or use phases")
        return self

    def effects(self) -> tuple[Effect, ...]:
        """Those that are on."""
        offset = (PulseOffset(self.offset),) if self.offset else ()
        return (*offset, *((PulseJitter(self.jitter),) if self.jitter else ()))


class ChargeConverter(Converter):
    """What converters see (:class:`surrogate.analog.converter.Converter`), and how exactly: offsets and gain errors are
    shares of the range, their sigma the scatter from one converter to the next."""

    bits: Annotated[int, Field(ge=1, le=16)]
    offset: Signed = 0.0
    offset_sigma: Share = 0.0
    gain_error: Signed = 0.0
    gain_sigma: Share = 0.0

    @property
    def alone(self) -> Converter:
        """What it sees."""
        return Converter(of=self.of, range=self.range, margin=self.margin)

    def effects(self) -> tuple[Effect, ...]:
        """Those that are on."""
        gain = (GainError(self.gain_error, self.gain_sigma),) if self.gain_error or self.gain_sigma else ()
        offset = (ConverterOffset(self.offset, self.offset_sigma),) if self.offset or self.offset_sigma else ()
        return (*gain, *offset)
