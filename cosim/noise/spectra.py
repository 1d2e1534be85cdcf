"""The noise of a design's cell by ngspice's ``.noise``: density of its drain current against frequency and current."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from cosim.errors import InputError, SimulationError
from cosim.spice.device_check import LEAST_CURRENT, GateCurve, gate_curve
from cosim.spice.ngspice import Ngspice, RunFailure, run_deck, without_klu
from netlists.circuits.deck import options_card
from netlists.design import Design, MosCell
from netlists.devices.choice import device_of
from netlists.devices.device import Device

Array = NDArray[np.float64]

LOWEST_HZ, HIGHEST_HZ, PER_DECADE = 1.0, 1e8, 3
PLOT = "Noise Spectral Density"
TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Spectra:
    """One-sided densities of the drain currents of single cells, all that ngspice's model of them makes, A²/Hz."""

    frequency: Array
    """[f] Hz"""
    current: Array
    """[c] currents of the active cells, A"""
    active: Array
    """[c, f] of cells that are read"""
    idle: Array
    """[c, f] of the same cells while idle, without voltage across them"""


def cell_spectra(design: Design, current: Array, engine: Ngspice, keep: Path | None = None) -> Spectra:
    """Noise of ``design``'s cell at each ``current`` [c] A of an active cell under the read voltage.

    Gates are held by ideal sources: a floating gate is one as long as a pulse lasts, and the resistor that holds it in
    arrays would add noise of its own, which no cell has. ``keep`` keeps the deck. Raises :class:`InputError` for a
    resistive cell and for currents beyond the cell's range, :class:`SimulationError` where ngspice fails.
    """
    cell = transistor_cell(design)
    gate = gate_voltages(gate_curve(cell, design.read, engine), current)
    device = device_of(cell)
    try:
        vectors = run_deck(engine, noise_deck(design, device, gate, engine), TIMEOUT_S, keep, PLOT)
        amplitude = {
            kind: np.array([vectors[_density(device, f"{kind}{k}")] for k in range(len(gate))]) for kind in "ai"
        }
    except (RunFailure, KeyError) as failure:
        raise SimulationError(f"noise of the cell: ngspice {failure}: run its model by hand") from None
    return Spectra(vectors["frequency"], np.asarray(current), amplitude["a"] ** 2, amplitude["i"] ** 2)


def transistor_cell(design: Design) -> MosCell:
    """The cell of ``design`` without mismatch. Raises :class:`InputError` where it is no transistor."""
    cell = design.nominal.cell
    if not isinstance(cell, MosCell):
        raise InputError(f"{design.name}: cell.kind {cell.kind}: its noise is that of a resistor, not of a transistor")
    return cell


def gate_voltages(curve: GateCurve, current: Array) -> Array:
    """Gate voltages at which an active cell of ``curve`` conducts ``current`` [c] A. Raises :class:`InputError` beyond
    what it reaches."""
    rising = curve.current > LEAST_CURRENT
    log_current, gate = np.log(curve.current[rising]), curve.gate[rising]
    keep = np.concatenate([[True], np.diff(np.maximum.accumulate(log_current)) > 0])
    log_current, gate = log_current[keep], gate[keep]
    wanted = np.log(current)
    if not (log_current[0] <= wanted.min() and wanted.max() <= log_current[-1]):
        raise InputError(
            f"currents {current.min():.3g} … {current.max():.3g} A: the cell conducts {np.exp(log_current[0]):.3g} … "
            f"{np.exp(log_current[-1]):.3g} A: change weights or cell"
        )
    return np.asarray(PchipInterpolator(log_current, gate)(wanted))


def noise_deck(design: Design, device: Device, gate: Array, engine: Ngspice) -> str:
    """For every ``gate`` [c] V an active and an idle cell; their drain currents, added up, are the output's voltage in
    ohms of one, and ngspice lists what each cell contributes."""
    lines = ["* fgcosim: noise of the cell's transistor", device.definition(), "Vin in 0 0 ac 1"]
    for k, volts in enumerate(gate):
        lines.append(f"Vg{k} g{k} in {float(volts)!r}")
        lines += [device.instance(f"{kind}{k}", f"bl g{k} wl{kind} bulk", device.fixed) for kind in "ai"]
    lines += [f"V{net} {net} 0 {design.v_idle!r}" for net in ("bl", "wli")]
    lines += [f"Vwla wla 0 {design.v_active!r}", f"Vbulk bulk 0 {design.v_bulk!r}"]
    lines.append("Hout out 0 Vbl 1")
    options = without_klu(engine.options())  # it does no .noise
    lines.append(options_card(options, design.read.temperature))
    lines.append(f".noise v(out) Vin dec {PER_DECADE} {LOWEST_HZ:g} {HIGHEST_HZ:g} 1")
    return "\n".join([*lines, ".end", ""])


def _density(device: Device, name: str) -> str:
    """Vector of what instance ``name`` adds to the output's density, per √Hz."""
    return "onoise." + device.parameter("", name).lstrip("@").removesuffix("[]")
