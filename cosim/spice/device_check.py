"""The cell's transistor alone in ngspice, before an array of it is simulated: can it be a floating-gate cell at all?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cosim.errors import InputError
from cosim.spice.ngspice import Ngspice, RunFailure, run_deck
from netlists.circuits.deck import options_card
from netlists.design import Design, MosCell, Read
from netlists.devices.choice import device_of
from netlists.devices.device import Device

Array = NDArray[np.float64]

STEP = 0.01
"""Of the gate's voltage, V."""
BOLTZMANN_OVER_CHARGE = 8.617333e-5
"""V/K"""
MAX_GATE_CURRENT = 1e-21
"""Largest current into a gate, A: it would move a floating gate's operating point by a millivolt."""
LEAST_CURRENT = 1e-12
"""Currents above it must follow the gate as a transistor's do, A; below it leakage of junctions may hide them."""
CONDUCTING = 1e-9
"""Current that an active cell must reach, A."""
STEEPER = 1.15
"""Allowed steepness of the current over the largest that diffusion allows, one decade each 60 mV at 27 °C."""
SIZE_FACTOR = 10.0
"""Between the cell's size and that of the transistor in its model."""
TIMEOUT_S = 120.0


@dataclass(frozen=True)
class GateCurve:
    """Current of one active cell with ideal lines against the voltage of its gate [g]."""

    gate: Array
    """V, from the cell's off state to its on state"""
    current: Array
    """A, in the direction of the cell current"""


@lru_cache(maxsize=64)
def gate_curve(cell: MosCell, read: Read, engine: Ngspice) -> GateCurve:
    """Sweep the gate of ``cell`` from half the read voltage below an off state to twice above it.

    Raises :class:`InputError` with the remedy where ngspice cannot simulate the transistor, where its gate leaks, where
    it has no subthreshold current or conducts nothing, and where two equal ones differ.
    """
    device = device_of(cell)
    try:
        vectors = run_deck(engine, _deck(device, cell, read, engine), TIMEOUT_S)
    except RunFailure as failure:
        raise InputError(
            f"{_what(cell)}: ngspice {failure.reason}: check width, length and units, and run its model by hand"
        ) from None
    return _checked(cell, device, read, vectors)


def check_device(design: Design, engine: Ngspice) -> None:
    """Raise :class:`InputError` with the remedy where ``design``'s transistor is the designer's own and cannot be a
    cell, or its files have changed since the design was read."""
    cell = design.nominal.cell
    if isinstance(cell, MosCell) and cell.model is not None:
        device_of(cell)  # its files again
        gate_curve(cell, design.read, engine)


def _what(cell: MosCell) -> str:
    if cell.model is None:
        return f"cell.device {cell.device}"
    return f"{cell.model.file}: {cell.model.name or cell.model.subckt}"


def _deck(device: Device, cell: MosCell, read: Read, engine: Ngspice) -> str:
    """Two equal active transistors and an idle one, their gates swept together."""
    low, high = (0.0, read.voltage) if cell.channel == "n" else (read.voltage, 0.0)
    begin, end = low - (high - low) / 2, low + 2 * (high - low)
    step = STEP if end > begin else -STEP
    sources = {"g": begin, "bulk": min(low, high) if cell.channel == "n" else max(low, high)}
    lines = ["* fgcosim: the cell's transistor alone", device.definition()]
    for name, source in (("a", low), ("b", low), ("c", high)):
        sources |= {f"d{name}": high, f"s{name}": source}
        lines += [f"Vg{name} g{name} g 0", device.instance(f"t{name}", f"d{name} g{name} s{name} bulk", device.fixed)]
    lines += [f"V{name} {name} 0 {value!r}" for name, value in sources.items()]
    options = options_card({**engine.options(), "reltol": 1e-6, "abstol": 1e-18, "vntol": 1e-9}, read.temperature)
    saved = ["i(vda)", "i(vdb)", *(f"i(vg{name})" for name in "abc"), *_probes(device), *_sizes(device)]
    saved = [re.sub(r"^[iv]\((@.*)\)$", r"\1", name) for name in saved]
    lines += [options, ".save " + " ".join(saved), f".dc Vg {begin!r} {end!r} {step!r}", ".end"]
    return "\n".join(lines) + "\n"


def _probes(device: Device) -> list[str]:
    """Vectors that tell the transistor's current, A, and its direction."""
    return [device.current_probe("ta"), device.voltage_probe("ta")]


def _sizes(device: Device) -> list[str]:
    """Vectors of the transistor's own width and length, m."""
    return [f"v({device.parameter(key, 'ta')})" for key in "wl"]


def _checked(cell: MosCell, device: Device, read: Read, vectors: Mapping[str, Array]) -> GateCurve:
    what = _what(cell)
    probe, _ = _probes(device)
    for name in _probes(device):
        if name not in vectors:
            raise InputError(f"{what}: ngspice knows no {name}: name a subcircuit with one BSIM transistor in it")
    for vector, metres in zip(_sizes(device), (cell.width, cell.length), strict=True):
        found = float(vectors.get(vector, np.array([metres]))[0])
        if not metres / SIZE_FACTOR < found < metres * SIZE_FACTOR:
            raise InputError(
                f"{what}: its transistor's {vector[-3]} is {found:.3g} m, the cell's {metres:.3g} m: change "
                "cell.model.units or the subcircuit's parameters"
            )
    forward = 1.0 if cell.channel == "n" else -1.0
    current, twin = -forward * vectors["i(vda)"], -forward * vectors["i(vdb)"]
    gate = vectors.get("v-sweep", vectors.get("v(v-sweep)"))
    assert gate is not None
    leak = max(float(np.abs(vectors[f"i(vg{name})"]).max()) for name in "abc")
    if leak > MAX_GATE_CURRENT:
        raise InputError(
            f"{what}: {leak:.2g} A flow into its gate: a floating gate would discharge: use a copy of the model "
            "without gate leakage (igcmod=0, igbmod=0, no diode or resistor at the gate)"
        )
    if current.max() < CONDUCTING:
        raise InputError(
            f"{what}: at most {current.max():.2g} A flow in an active {cell.channel}-channel cell: check channel, "
            "order of nodes (drain, gate, source, bulk), width, length and units"
        )
    if not np.allclose(current, twin, rtol=1e-9, atol=LEAST_CURRENT * 1e-3):
        raise InputError(
            f"{what}: two equal ones conduct differently: its file draws random numbers: use a section without "
            "mismatch; cell.mismatch draws repeatable ones"
        )
    seen = current > LEAST_CURRENT
    steepness = np.abs(np.diff(np.log(current[seen]))).max() / STEP
    most = 1 / (BOLTZMANN_OVER_CHARGE * read.temperature)
    if steepness > STEEPER * most:
        raise InputError(
            f"{what}: its current rises by {steepness / np.log(10):.0f} decades per volt, diffusion allows "
            f"{most / np.log(10):.0f}: it has no subthreshold current: use a BSIM3 or BSIM4 model"
        )
    wrong = np.abs(np.abs(vectors[probe]) / np.maximum(current, LEAST_CURRENT) - 1)[current > 1e3 * LEAST_CURRENT].max()
    if wrong > 1e-2:
        raise InputError(
            f"{what}: {wrong:.0%} of its drain current do not flow through {probe}: name a subcircuit of one transistor"
        )
    return GateCurve(gate, current)
