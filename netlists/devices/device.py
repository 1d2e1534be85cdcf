"""A transistor as a deck writes it, whatever its model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

DIFFUSION_LENGTH_M = 0.5e-6
"""Length of source and drain diffusions, for junction areas and perimeters."""


@dataclass(frozen=True)
class Device:
    """How one cell's transistor is defined, instantiated and probed in a deck.

    Its terminals are drain, gate, source and bulk, in this order.
    """

    kind: Literal["M", "X"]
    """A model's instance, or a subcircuit's"""
    model: str
    """Name of the model or subcircuit"""
    geometry: Mapping[str, float]
    """Parameters of every instance, by name, in the units that the model expects"""
    drain_farads: float
    """Capacitance of the drain, F: junction area, its perimeter and the gate's overlap, at zero bias"""
    overlap_farads: float
    """Capacitance between gate and drain (or source) by their overlap, F"""
    card: tuple[str, Mapping[str, float | str]] | None = None
    """SPICE type and parameters, where the deck holds the card"""
    file: Path | None = None
    """Otherwise the file that the deck includes,"""
    section: str | None = None
    """and its section"""
    inner: str = ""
    """Path of the transistor inside a subcircuit, as ngspice names it: ``mfoo`` or ``xbar.mfoo``"""
    shift: float = 0.0
    """``delvto`` of every instance, V"""
    takes_shift: bool = True
    """Whether an instance takes ``delvto`` and ``mulu0``, as BSIM3 and BSIM4 do; otherwise its threshold is shifted by
    the charge of its gate and its current scaled by its multiplicity."""

    def definition(self) -> str:
        """The card, or the line that includes the model's file."""
        if self.card is not None:
            kind, parameters = self.card
            return f".model {self.model} {kind} " + " ".join(f"{k}={v}" for k, v in parameters.items())
        return f".include {self.file}" if self.section is None else f".lib {self.file} {self.section}"

    @property
    def fixed(self) -> str:
        """Words of every instance where no cell deviates from the model."""
        return f"delvto={self.shift!r}" if self.shift else ""

    def deviation(self, shift: float | str, factor: float | str) -> str:
        """Words of an instance whose threshold lies ``shift`` V from the model's and whose current factor is
        ``factor`` times the nominal one; what :attr:`takes_shift` leaves to the gate's charge is not among them."""
        return f"delvto={shift} mulu0={factor}" if self.takes_shift else f"m={factor}"

    def instance(self, name: str, nodes: str, deviation: str) -> str:
        """The card of instance ``name`` on ``nodes`` (drain, gate, source and bulk)."""
        geometry = " ".join(f"{key}={value!r}" for key, value in self.geometry.items())
        return f"{self.kind}{name} {nodes} {self.model} {geometry} {deviation}".rstrip()

    def parameter(self, key: str, name: str, within: str = "") -> str:
        """What ngspice calls parameter ``key`` of instance ``name``'s transistor; ``within`` names the subcircuit
        instance that holds it."""
        path = [word for word in (within, f"{self.kind}{name}".lower(), *self.inner.split(".")) if word]
        return f"@{path[0]}[{key}]" if len(path) == 1 else f"@m.{'.'.join(path)}[{key}]"

    def current_probe(self, name: str, within: str = "") -> str:
        """Vector of the drain's conduction current, A, whose sign not every model gives."""
        return f"i({self.parameter('id', name, within)})"

    def voltage_probe(self, name: str, within: str = "") -> str:
        """Vector of the drain-source voltage, V, of p channels negated: positive in a cell that is read."""
        return f"v({self.parameter('vds', name, within)})"


def diffusions(width: float, length: float = DIFFUSION_LENGTH_M) -> dict[str, float]:
    """Areas and perimeters of drain and source for a transistor of ``width`` m, in m² and m."""
    area, perimeter = width * length, 2 * (width + length)
    return {"ad": area, "as": area, "pd": perimeter, "ps": perimeter}


def drain_capacitance(width: float, per_area: float, per_edge: float, overlap: float) -> float:
    """Capacitance of the drain of a transistor of ``width`` m, F, at zero bias, from its junction's capacitance per
    area (F/m²) and per perimeter (F/m) and the gate's overlap (F/m)."""
    size = diffusions(width)
    return per_area * size["ad"] + per_edge * size["pd"] + overlap * width
