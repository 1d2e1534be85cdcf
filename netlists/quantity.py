"""Physical quantities as text with a unit: ``"24.5 aF"``, ``"1 kohm"``, ``"27 degC"`` to SI floats.

The unit's dimension is part of the type, so that a resistance given where a
capacitance is wanted is an error and not a number.
"""

from __future__ import annotations

import math
import re
import reprlib
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer

PREFIXES = {
    "": 0, "a": -18, "f": -15, "p": -12, "n": -9, "u": -6, "µ": -6, "μ": -6, "m": -3, "k": 3, "M": 6, "G": 9,
}  # fmt: skip
MAX_TEXT = 64
"""Longest text of a quantity; longer ones are not looked at."""

_TEXT = re.compile(r"^\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([^\d\s].*?)\s*$")


@dataclass(frozen=True)
class Dimension:
    """A physical dimension: its name, the accepted spellings of its SI unit, an example for error messages, and the
    smallest and largest size beside zero that a design may give, in SI units: within them no formula overflows."""

    name: str
    units: tuple[str, ...]
    example: str
    least: float
    largest: float
    offset: float = 0.0

    def parse(self, value: Any) -> float:
        """``value`` in SI units; ``value`` is text with a unit of this dimension.

        Raises ``ValueError`` on a missing or foreign unit, on text that is no number, on numbers beyond floats.
        """
        if not isinstance(value, str):
            raise ValueError(f"needs a unit: write it like '{self.example}', not {reprlib.repr(value)}")
        if len(value) > MAX_TEXT:
            raise ValueError(f"is {len(value)} characters long: write it like '{self.example}'")
        match = _TEXT.match(value)
        if not match:
            raise ValueError(f"is no {self.name}: write it like '{self.example}', not {value!r}")
        number, unit = match.groups()
        for symbol in self.units:
            prefix = unit.removesuffix(symbol)
            if unit.endswith(symbol) and prefix in PREFIXES and (prefix == "" or self.offset == 0):
                # One decimal literal, so that "24.5 aF" is exactly the float 24.5e-18.
                mantissa, _, exponent = number.lower().partition("e")
                si = float(f"{mantissa}e{int(exponent or 0) + PREFIXES[prefix]}") + self.offset
                if not math.isfinite(si) or (si == 0 and self.offset == 0 and float(mantissa) != 0):
                    raise ValueError(f"is not finite or too small: {value!r}")
                return si
        raise ValueError(f"has unit {unit!r}, which is no {self.name}: write it like '{self.example}'")

    def bounded(self, value: Any) -> float:
        """As :meth:`parse`, and raises ``ValueError`` on sizes beyond those of any array."""
        si = self.parse(value)
        if self.offset and si <= 0:
            raise ValueError(f"{value!r} is not above absolute zero, {-self.offset:g} {self.units[0]}: correct it")
        if si and not self.least <= abs(si) <= self.largest:
            least, largest = self.least - self.offset, self.largest - self.offset
            raise ValueError(f"{value!r} is no {self.name} of an array: {least:g} to {largest:g} {self.units[0]} are")
        return si

    def text(self, si: float) -> str:
        """``si`` as text that :meth:`parse` reads back to the same number (used when a design is written)."""
        return f"{si - self.offset!r} {self.units[0]}"


VOLTAGE = Dimension("voltage", ("V",), "1.2 V", 1e-6, 1e3)
CURRENT = Dimension("current", ("A",), "100 nA", 1e-21, 1e3)
CAPACITANCE = Dimension("capacitance", ("F",), "24.5 aF", 1e-24, 1e-3)
RESISTANCE = Dimension("resistance", ("ohm", "Ohm", "Ω", "Ω"), "2 kohm", 1e-9, 1e15)
TIME = Dimension("time", ("s",), "1 us", 1e-15, 1e3)
LENGTH = Dimension("length", ("m",), "0.5 um", 1e-10, 1.0)
TEMPERATURE = Dimension("temperature", ("degC", "°C"), "27 degC", 1.0, 1000.0, offset=273.15)
DECIBEL = Dimension("level", ("dB",), "45 dB", 0.0, 300.0)


def _field(dimension: Dimension, **bounds: Any) -> Any:
    return Annotated[
        float,
        Field(**bounds),
        BeforeValidator(dimension.bounded),
        PlainSerializer(dimension.text, return_type=str),
    ]


Voltage = _field(VOLTAGE)
PositiveVoltage = _field(VOLTAGE, gt=0)
PositiveCurrent = _field(CURRENT, gt=0)
Capacitance = _field(CAPACITANCE, ge=0)
PositiveCapacitance = _field(CAPACITANCE, gt=0)
Resistance = _field(RESISTANCE, ge=0)
PositiveResistance = _field(RESISTANCE, gt=0)
PositiveTime = _field(TIME, gt=0)
Coordinate = _field(LENGTH)
Length = _field(LENGTH, ge=0)
PositiveLength = _field(LENGTH, gt=0)
Temperature = _field(TEMPERATURE, gt=0)
Level = _field(DECIBEL)
