"""Deck text: circuit, options, what to save and which analysis. What is written is what runs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PySpice.Spice.Netlist import Circuit

from netlists.circuits.stimulus import t_stop
from netlists.design import Design

Options = Mapping[str, float | str | None]
"""Simulator options by name; of value ``None``: a bare flag."""


@dataclass(frozen=True)
class Transient:
    """A transient analysis up to ``t_stop`` s with steps of at most ``t_max_step`` s."""

    t_stop: float
    t_max_step: float

    def card(self) -> str:
        """The analysis line."""
        return f".tran {self.t_max_step!r} {self.t_stop!r} 0 {self.t_max_step!r}"


def transient_for(design: Design, steps: int = 10) -> Transient:
    """The transient of one VMM of ``design``: at least ``steps`` steps."""
    stop = t_stop(design)
    return Transient(t_stop=stop, t_max_step=stop / steps)


def options_card(options: Options, temperature_k: float) -> str:
    """The line of ``options`` and temperature."""
    words = [name if value is None else f"{name}={value}" for name, value in options.items()]
    return f".options temp={temperature_k - 273.15:.6g} " + " ".join(words)


def deck_text(
    circuit: Circuit | str,
    analysis: Transient,
    options: Options,
    save: Sequence[str],
    temperature_k: float,
    measure: Sequence[str] = (),
) -> str:
    """A complete deck. ``save`` names vectors as the raw file will.

    ``measure`` are the bodies of ``.meas tran`` lines, what ngspice prints where the deck is run by hand.
    """
    lines = [str(circuit).rstrip()]
    lines.append(options_card(options, temperature_k))
    saved = [re.sub(r"^i\((@.*)\)$", r"\1", name) for name in save]
    lines.extend(f".save {' '.join(saved[k : k + 8])}" for k in range(0, len(saved), 8))
    lines.extend(f".meas tran {body}" for body in measure)
    lines.extend([analysis.card(), ".end", ""])
    return "\n".join(lines)
