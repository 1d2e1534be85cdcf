"""Columns in transients with noise injected into every cell: charges of many pulses, whose scatter tests closed forms.

ngspice puts no device noise into transients. Here a source beside each transistor, open while its row is idle, carries
white, 1/f or telegraph noise of ngspice's ``trnoise``, whose amplitudes follow from a density:

- white: Gaussian samples of deviation NA every NT, joined linearly, have the density 2·NA²·NT up to about 1/(4·NT);
- 1/f: white samples of deviation NAMP through the filter (1 − z⁻¹)^(−α/2) (Kasdin, Proc. IEEE 83, 802, 1995) have, well
  below 1/NT, 2·NAMP²·NT/(2πf·NT)^α: at α = 1 NAMP²/(πf);
- telegraph: an amplitude and the mean times before capture and emission.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosim.errors import InputError, SimulationError
from cosim.noise.generator import sample_time
from cosim.noise.spectra import gate_voltages, transistor_cell
from cosim.spice.device_check import gate_curve
from cosim.spice.ngspice import Ngspice, RunFailure, run_deck
from netlists.circuits.circuit import INTEGRATOR_FARADS, INTEGRATOR_OHMS
from netlists.circuits.deck import options_card
from netlists.circuits.stimulus import SETTLE_EDGES
from netlists.design import Design
from netlists.devices.choice import device_of
from surrogate.noise import TelegraphNoise

Array = NDArray[np.float64]

SAMPLES_A_PULSE = 40
"""Noise samples in the longest pulse, about: never whole, since ngspice stumbles where samples and edges of pulses
coincide but for rounding errors."""
TIMEOUT_S = 600.0
_MOST_SOURCES = 20_000


@dataclass(frozen=True)
class Train:
    """Pulses that repeat: row i of every column conducts ``current`` [N] A for ``width`` [N] s, ``pulses`` times.

    ``columns`` copies are simulated at once, each with noise of its own. Raises :class:`InputError` where there are too
    few or too many to tell anything.
    """

    current: Array
    width: Array
    pulses: int
    columns: int

    def __post_init__(self) -> None:
        if self.current.ndim != 1 or self.current.shape != self.width.shape or not (self.width > 0).all():
            raise InputError("train: give one current and one positive width for each row")
        if self.pulses < 2 or self.columns < 2 or self.columns * len(self.current) > _MOST_SOURCES:
            raise InputError(f"train: {self.pulses} pulses of {self.columns} columns: give at least 2 of each")


def white(design: Design, density: Array, train: Train) -> list[str]:
    """Sources of white noise of ``density`` [N] A²/Hz for each row, in A."""
    step = step_of(design, train)
    return [f"trnoise({math.sqrt(s / (2 * step))!r} {step!r} 0 0)" for s in density]


def flicker(design: Design, coefficient: Array, slope: float, train: Train) -> list[str]:
    """Sources of noise of density ``coefficient`` [N]/f^``slope`` A²/Hz."""
    step = step_of(design, train)
    return [
        f"trnoise(0 {step!r} {slope!r} {math.sqrt(k * (2 * math.pi * step) ** slope / (2 * step))!r})"
        for k in coefficient
    ]


def telegraph(design: Design, noise: TelegraphNoise, train: Train) -> list[str]:
    """Sources that jump by the share of the current that ``noise`` says."""
    step, times = step_of(design, train), f"{noise.time_low!r} {noise.time_high!r}"
    return [f"trnoise(0 {step!r} 0 0 {noise.amplitude * float(i)!r} {times})" for i in train.current]


def period(design: Design, train: Train) -> float:
    """Time from one pulse to the next, s: the longest pulse and what lines need to settle."""
    return float(train.width.max()) + (SETTLE_EDGES + 4) * design.read.t_edge


def step_of(design: Design, train: Train) -> float:
    """Time between two noise samples, s."""
    return sample_time(train.pulses * period(design, train), about(train))


def about(train: Train) -> float:
    """What :func:`step_of` is near to, s."""
    return float(train.width.max()) / SAMPLES_A_PULSE


def charges(
    design: Design, train: Train, sources: list[str], engine: Ngspice, keep: Path | None = None
) -> Array:
    """Charges [pulses, columns] C of columns of ``design``'s cell behind its column switch.

    ``sources`` is what the noise of each row's cell follows, in A, and empty for none; ngspice draws ``trnoise`` anew
    in every run, whatever its seed. ``keep`` keeps the deck. Raises :class:`InputError` on currents that the cell does
    not reach, :class:`SimulationError` where ngspice fails.
    """
    try:
        vectors = run_deck(engine, injected_deck(design, train, sources, engine), TIMEOUT_S, keep)
    except RunFailure as failure:
        raise SimulationError(f"noise in transients: ngspice {failure.reason}") from None
    at = np.arange(train.pulses + 1) * period(design, train)
    volts = np.stack([np.interp(at, vectors["time"], vectors[f"v(q_{c})"]) for c in range(train.columns)], axis=1)
    sign = 1.0 if design.v_idle > design.v_active else -1.0
    return sign * INTEGRATOR_FARADS * np.diff(volts, axis=0)


def injected_deck(design: Design, train: Train, sources: list[str], engine: Ngspice) -> str:
    """The deck of :func:`charges`; gates are ideal sources, word lines too."""
    cell = transistor_cell(design)
    device, gate = device_of(cell), gate_voltages(gate_curve(cell, design.read, engine), train.current)
    edge, swing = design.read.t_edge, design.v_active - design.v_idle
    between = period(design, train)
    lines = ["* fgcosim: columns with injected noise", device.definition(), f"Vbulk bulk 0 {design.v_bulk!r}"]
    for i, (volts, width) in enumerate(zip(gate, train.width, strict=True)):
        times = f"{2 * edge!r} {edge!r} {edge!r} {float(width) - edge!r} {between!r}"
        lines.append(f"Vg{i} g{i} 0 {float(volts)!r}")
        lines.append(f"Vwl{i} wl{i} 0 PULSE({design.v_idle!r} {design.v_active!r} {times})")
    for c in range(train.columns):
        lines += [
            f"Vclamp_{c} clamp_{c} 0 {design.v_idle!r}",
            f"Rswitch_{c} clamp_{c} bl_{c} {design.wires.switch_resistance!r}",
            f"Fq_{c} q_{c} 0 Vclamp_{c} 1", f"Cq_{c} q_{c} 0 {INTEGRATOR_FARADS!r}",
            f"Rq_{c} q_{c} 0 {INTEGRATOR_OHMS!r}",
        ]  # fmt: skip
        for i in range(len(gate)):
            lines.append(device.instance(f"{c}_{i}", f"bl_{c} g{i} wl{i} bulk", device.fixed))
            if sources:
                lines.append(f"Vn{c}_{i} n{c}_{i} 0 dc 0 {sources[i]}")
                lines.append(f"Bn{c}_{i} bl_{c} wl{i} i=v(n{c}_{i})*(v(wl{i})-({design.v_idle!r}))/({swing!r})")
    lines.append(options_card(engine.options(), design.read.temperature))
    lines += [f".save v(q_{c})" for c in range(train.columns)]
    stop, step = train.pulses * between, step_of(design, train)
    return "\n".join([*lines, f".tran {step!r} {stop!r} 0 {step!r}", ".end", ""])
