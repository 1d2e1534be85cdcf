"""What a programmed cell's floating gate does where nothing but its charge stays: at another temperature or corner.

The charge is C·V, with all capacitances of the gate but those to other floating gates, whose voltages move alike, and
the charge of the transistor's own gate with all rows idle, as ngspice's model gives it. The latter depends on
temperature and corner, and so does the voltage.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.errors import InputError
from cosim.spice.ngspice import Ngspice, RunFailure, run_deck
from cosim.vmm.programming import ReadCurve
from netlists.circuits.deck import options_card
from netlists.design import Design, MosCell
from netlists.devices.choice import device_of

Array = NDArray[np.float64]

STEP, AROUND = 0.005, 0.4
"""Of the gate's voltage, and beyond the programmed voltages on both sides, V."""
TIMEOUT_S = 120.0
TO_LINES = ("own_word_line", "near_word_line", "far_word_line", "bit_line", "substrate")


@dataclass(frozen=True)
class GateCharge:
    """Charge of an idle cell's floating gate against its voltage, but for that of lines at constant voltages [g]."""

    gate: Array
    """V, increasing"""
    charge: Array
    """C, increasing"""

    def of(self, volts: Array) -> Array:
        """Charges, C, at ``volts`` (any shape)."""
        return np.interp(volts, self.gate, self.charge)

    def volts(self, charge: Array) -> Array:
        """Voltages, V, at ``charge`` (any shape). Raises :class:`InputError` outside the curve."""
        if not (charge.min() >= self.charge[0] and charge.max() <= self.charge[-1]):
            raise InputError(f"cell: its charge would move a floating gate by more than {AROUND:g} V: vary less")
        return np.interp(charge, self.charge, self.gate)


def kept_curve(programmed: ReadCurve, programmed_as: Design, design: Design, engine: Ngspice) -> ReadCurve:
    """The curve ``programmed`` of ``programmed_as`` with the floating-gate voltages that its cells, their charges kept,
    have in ``design``. Raises :class:`InputError` where ngspice gives no gate charge of the transistor."""
    low, high = float(programmed.state.min()), float(programmed.state.max())
    there, here = (gate_charge(d, low, high, engine) for d in (programmed_as, design))
    return ReadCurve(state=here.volts(there.of(programmed.state)), current=programmed.current)


def gate_charge(design: Design, low: float, high: float, engine: Ngspice) -> GateCharge:
    """The charge of an idle floating gate at voltages from ``low`` to ``high`` and :data:`AROUND` beyond.

    Raises :class:`InputError` where ngspice gives none that rises with the voltage.
    """
    cell = design.nominal.cell
    assert isinstance(cell, MosCell)
    device = device_of(cell)
    probe = device.parameter("qg", "t")
    options = options_card(engine.options(), design.read.temperature)
    idle, bulk = design.v_idle, design.v_bulk
    deck = [
        "* fgcosim: charge of the gate of an idle cell's transistor", device.definition(), "Vg g 0 0",
        f"Vidle idle 0 {idle!r}", f"Vbulk bulk 0 {bulk!r}", device.instance("t", "idle g idle bulk", device.fixed),
        options, f".save {probe}", f".dc Vg {low - AROUND!r} {high + AROUND!r} {STEP!r}", ".end",
    ]  # fmt: skip
    try:
        vectors = run_deck(engine, "\n".join(deck) + "\n", TIMEOUT_S)
    except RunFailure as failure:
        raise InputError(f"cell: the charge of its gate: ngspice {failure.reason}: set programming: each") from None
    gate = vectors.get("v-sweep", vectors.get("v(v-sweep)"))
    own = next((values for name, values in vectors.items() if probe in name), None)
    if gate is None or own is None:
        raise InputError(f"cell: ngspice knows no {probe}, the charge of its gate: set programming: each")
    coupling = design.coupling
    farads = sum(getattr(coupling, name) for name in TO_LINES) + 2 * coupling.second_word_line
    charge = farads * gate + (own if cell.channel == "n" else -own)  # BSIM turns p channels into n
    if not bool((np.diff(charge) > 0).all()):
        raise InputError(f"cell: {probe} does not rise with the gate's voltage: set programming: each")
    return GateCharge(gate, charge)
