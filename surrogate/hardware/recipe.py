"""A hardware recipe: the settings of all layers and every effect, on or off, validated."""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from typing import Annotated, Any

from pydantic import Field, model_validator

from surrogate.analog.mapping import WHOLE_CHARGE, LayerSettings, Mapping, Override
from surrogate.hardware.noise import Noise
from surrogate.hardware.sections import ChargeConverter, Inputs, Programming, Section, StoredWeights, Tiles, Wires
from surrogate.mapping import CurrentRange
from surrogate.stated import StatedArrays, ideal_arrays, resistive_arrays
from surrogate.validation import first_error


class LayerHardware(Section):
    """How a layer sits on arrays, and what is wrong with them."""

    tiles: Tiles
    weights: StoredWeights = StoredWeights()
    programming: Programming = Programming()
    inputs: Inputs = Inputs()
    converter: ChargeConverter | None = None
    """None: ideal"""
    noise: Noise | None = None

    @model_validator(mode="after")
    def _no_contradiction(self) -> LayerHardware:
        self.settings()
        return self

    def settings(self) -> LayerSettings:
        """Of a layer."""
        t, converter = self.tiles, self.converter
        return LayerSettings(
            rows=t.rows, columns=t.columns, bits=self.inputs.bits,
            currents=CurrentRange(t.current_min, t.current_max),
            signed=self.inputs.signed is not None, signed_as=self.inputs.signed or "phases",
            converter_bits=None if converter is None else converter.bits,
            span=self.weights.shared_by, weights=self.weights.alone, inputs=self.inputs.range,
            converter=WHOLE_CHARGE if converter is None else converter.alone,
            verified=self.programming.in_place,
            effects=(
                *self.programming.effects(), *self.inputs.effects(),
                *(() if self.noise is None else self.noise.effects()),
                *(() if converter is None else converter.effects()),
            ),
        )  # fmt: skip


class Hardware(LayerHardware):
    """A recipe. ``layers`` changes keys of the other sections for layers by name or pattern; ``excluded`` ones stay
    digital. Without a fitted surrogate, arrays are linear ones with ``wires`` at a read of ``voltage`` V."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
    layers: dict[str, dict[str, Any]] = Field(default_factory=dict)
    excluded: list[str] = Field(default_factory=list)
    wires: Wires = Wires()
    voltage: Annotated[float, Field(ge=1e-3, le=1e3)] = 0.2
    t_max: Annotated[float, Field(ge=1e-15, le=1e3)] = 1e-6
    """longest pulse of arrays without a fitted surrogate, s"""

    @model_validator(mode="after")
    def _layers_fit(self) -> Hardware:
        self.mapping()
        return self

    def mapping(self) -> Mapping:
        """Of all layers."""
        own = self.model_dump(exclude_defaults=True, include=set(LayerHardware.model_fields))
        overrides = []
        for pattern, changes in self.layers.items():
            changed = _merged(own, changes)
            with first_error(f"layers.{pattern}", changed):
                overrides.append(Override(pattern, LayerHardware.model_validate(changed).settings()))
        return Mapping(self.settings(), tuple(overrides), tuple(self.excluded))

    def arrays(self) -> StatedArrays:
        """Linear arrays of the recipe's size, currents and wires: one exact matrix each."""
        wires = self.wires
        resistance = (wires.driver, wires.word_line, wires.bit_line, wires.switch)
        if any(resistance):
            return resistive_arrays(self.settings(), self.voltage, resistance, self.t_max)
        return ideal_arrays(self.settings(), self.t_max)


def _merged(base: Dictionary[str, Any], changes: Dictionary[str, Any]) -> dict[str, Any]:
    """``base`` with ``changes`` of single keys at any depth."""
    merged = dict(base)
    for key, value in changes.items():
        deeper = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if deeper else value
    return merged
