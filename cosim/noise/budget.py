"""A design's noise in charge: per cell and per column, against the signal and in steps of the converter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cosim.noise.extract import Extraction, extracted
from cosim.noise.spectra import Spectra, cell_spectra, transistor_cell
from cosim.spice.device_check import gate_curve
from cosim.spice.ngspice import Ngspice
from netlists.design import Design
from surrogate.noise import Calibration, CellNoise, TelegraphNoise

Array = NDArray[np.float64]

CURRENTS = 13
"""Currents between the design's least and largest at which spectra are taken."""
WIDTHS = (1.0, 0.1, 0.01)
"""Pulse widths of the budget over t_max."""


@dataclass(frozen=True)
class Conditions:
    """What noise is compared with and when: time of calibration, the converter's bits, its full range as a share of
    what a column gives at most, and the traps (None: left out, for no model of a transistor tells of them)."""

    calibration: Calibration
    bits: int
    full_scale: float
    telegraph: TelegraphNoise | None = None


@dataclass(frozen=True)
class Budget:
    """Noise of a design's cells, as :attr:`noise`, and where it comes from."""

    design: Design
    conditions: Conditions
    spectra: Spectra
    extraction: Extraction
    noise: CellNoise

    @property
    def lsb(self) -> float:
        """Step of the converter, C."""
        read, rows = self.design.read, self.design.array.rows
        full = self.conditions.full_scale * rows * self.design.weights.current_max * read.t_max
        return full / (2**self.conditions.bits - 1)

    def deviations(self, current: Array, width: Array) -> dict[str, Array]:
        """Standard deviations by kind and in all, C, of the charges of columns [..., M] whose cells conduct ``current``
        [N, M] A for ``width`` [..., N] s."""
        given = torch.from_numpy(current), torch.from_numpy(width)
        parts = {"white": _only(self.noise, "channel"), "1/f": _only(self.noise, "flicker"),
                 "telegraph": _only(self.noise, "telegraph"), "total": self.noise}  # fmt: skip
        return {name: noise.charge_variance(*given).sqrt().numpy() for name, noise in parts.items()}

    def cells(self) -> list[dict[str, float]]:
        """Of each current, a pulse of t_max: what ``.noise`` says, closed forms, deviations of charge."""
        found, width = self.extraction, np.array([self.design.read.t_max])
        rows = []
        for k, current in enumerate(self.spectra.current):
            deviation = {name: float(v[0]) for name, v in self.deviations(np.array([[current]]), width).items()}
            white, corner = float(found.separated.white[k]), 0.0
            if found.flicker is not None:
                corner = float((found.separated.flicker[k] / white) ** (1 / found.separated.slope))
            rows.append({
                "current_a": float(current), "white_density_a2_per_hz": white,
                "white_over_closed_form": float(found.channel_ratio[k]),
                "flicker_density_1hz_a2_per_hz": float(found.separated.flicker[k]),
                "flicker_over_closed_form": float(found.flicker_ratio[k]), "corner_hz": corner,
                "idle_density_1mhz_a2_per_hz": _at(self.spectra.frequency, self.spectra.idle[k], 1e6),
                "signal_c": float(current) * float(width[0]), **{f"{n}_c": v for n, v in deviation.items()},
            })  # fmt: skip
        return rows

    def columns(self) -> list[dict[str, float]]:
        """Of columns with currents spread evenly in the logarithm, all rows active for each of :data:`WIDTHS`."""
        weights, rows = self.design.weights, self.design.array.rows
        current = np.geomspace(weights.current_min, weights.current_max, rows)[:, None]
        result = []
        for share in WIDTHS:
            width = np.full(rows, share * self.design.read.t_max)
            deviation = {name: float(v[0]) for name, v in self.deviations(current, width).items()}
            signal = float(current.sum() * width[0])
            result.append({
                "width_s": float(width[0]), "signal_c": signal, **{f"{n}_c": v for n, v in deviation.items()},
                "total_lsb": deviation["total"] / self.lsb,
                "signal_over_noise_db": float(20 * np.log10(signal / deviation["total"])),
            })  # fmt: skip
        return result

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        separated = self.extraction.separated
        return {
            "design": self.design.name, "design_hash": self.design.hash, "rows": self.design.array.rows,
            "noise": self.noise.as_dict(), "converter_bits": self.conditions.bits, "lsb_c": self.lsb,
            "spectrum_misfit": separated.worst, "cells": self.cells(), "columns": self.columns(),
        }  # fmt: skip


def budget(design: Design, conditions: Conditions, engine: Ngspice) -> Budget:
    """The noise of ``design``'s cell by ngspice's ``.noise``, and what it comes to."""
    weights = design.weights
    current = np.geomspace(weights.current_min, weights.current_max, CURRENTS)
    spectra = cell_spectra(design, current, engine)
    found = extracted(spectra, gate_curve(transistor_cell(design), design.read, engine))
    noise = CellNoise(found.channel, found.flicker, conditions.telegraph, conditions.calibration)
    return Budget(design, conditions, spectra, found, noise)


def _only(noise: CellNoise, kind: str) -> CellNoise:
    others: Callable[[str], bool] = {"channel", "flicker", "telegraph"}.difference({kind}).__contains__
    return replace(noise, **{name: None for name in ("channel", "flicker", "telegraph") if others(name)})


def _at(frequency: Array, density: Array, wanted: float) -> float:
    return float(np.exp(np.interp(np.log(wanted), np.log(frequency), np.log(np.maximum(density, 1e-300)))))
