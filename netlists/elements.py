"""The typed edges of an array's netlist graph."""

from __future__ import annotations

from dataclasses import dataclass

GROUND = "0"

SHORT_OHMS = 1e-6
"""Resistance that stands for a wire segment of zero resistance, small against every real one; a short in a deck."""


@dataclass(frozen=True)
class Resistor:
    """A wire segment, a driver, a switch or a resistive cell: ``ohms`` between two nets."""

    name: str
    ohms: float


@dataclass(frozen=True)
class Capacitor:
    """A parasitic capacitance of ``farads`` between two nets."""

    name: str
    farads: float


@dataclass(frozen=True)
class Transistor:
    """A floating-gate transistor as an edge from bit line (drain) to word line (source); ``gate`` is a net too."""

    name: str
    gate: str
    row: int
    column: int


@dataclass(frozen=True)
class ResistiveElement:
    """A resistive cell that is more than a resistor (nonlinear, or behind its row's access device), of ``siemens`` at
    the read voltage."""

    name: str
    siemens: float
    row: int
    column: int


@dataclass(frozen=True)
class ChargeSource:
    """What holds the stored charge of a floating gate: 1e18 ohm to its programmed voltage ``volts`` (leaks with a time
    constant of an hour, gives a regular operating point)."""

    name: str
    volts: float


@dataclass(frozen=True)
class Terminal:
    """An ideal voltage terminal to ground: a word-line driver (``role`` ``drive``) or a bit-line clamp (``clamp``)."""

    name: str
    role: str
    index: int


Element = Resistor | Capacitor | Transistor | ResistiveElement | ChargeSource | Terminal
