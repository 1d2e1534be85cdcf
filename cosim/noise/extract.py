"""Parameters of the closed forms from a cell's spectra and its read curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import least_squares

from cosim.noise.spectra import Spectra
from cosim.spice.device_check import LEAST_CURRENT, GateCurve
from surrogate.noise import ChannelNoise, FlickerNoise
from surrogate.noise.channel import ELEMENTARY_CHARGE, LONG_CHANNEL
from surrogate.noise.inversion import inversion_charge

Array = NDArray[np.float64]

INVERTED = 0.5
"""Inversion charge from which on a current tells γ."""
GAMMAS = (0.5, 3.0)
NO_FLICKER = 1e-6
"""Rise of the density towards low frequencies below which there is no 1/f noise."""


@dataclass(frozen=True)
class Separated:
    """The spectrum of every current as white and 1/f noise: S = ``white`` + ``flicker``/f^``slope``."""

    white: Array
    """[c] A²/Hz"""
    flicker: Array
    """[c] density at 1 Hz, A²/Hz"""
    slope: float
    """α, the same for all currents"""
    worst: float
    """Largest relative deviation of the sum from a spectrum"""


@dataclass(frozen=True)
class Extraction:
    """What ``.noise`` says of the cell, and the closed forms with parameters taken from it."""

    separated: Separated
    channel: ChannelNoise
    flicker: FlickerNoise | None
    """None where the model makes no 1/f noise"""
    channel_ratio: Array
    """[c] white noise of ``.noise`` over the closed form's"""
    flicker_ratio: Array
    """[c] K of ``.noise`` over the closed form's"""


def extracted(spectra: Spectra, curve: GateCurve) -> Extraction:
    """Closed forms of ``spectra``; ``curve`` of the same cell tells how far each current inverts it.

    The white noise's limit in weak inversion, 2qI, is not fitted: physics fixes it, while compact models miss it by up
    to a half and more either way. Only γ is, where the cell is inverted.
    """
    separated, specific = separate(spectra), specific_current(curve)
    current = torch.from_numpy(spectra.current)
    channel = ChannelNoise(specific, _gamma(spectra.current, separated.white, specific))
    flicker = _flicker(spectra.current, separated, specific)
    shown = np.zeros_like(separated.flicker) if flicker is None else flicker.coefficient(current).numpy()
    return Extraction(
        separated, channel, flicker, separated.white / channel.density(current).numpy(),
        np.divide(separated.flicker, shown, out=np.ones_like(shown), where=shown > 0),
    )  # fmt: skip


def separate(spectra: Spectra) -> Separated:
    """White and 1/f noise of every current, one slope for all, in least squares of relative deviations."""
    density, frequency = spectra.active, spectra.frequency
    low, high = density[:, 0], density[:, -1]
    if bool((low < high * (1 + NO_FLICKER)).all()):
        return Separated(high, np.zeros_like(high), 1.0, float(np.abs(density / high[:, None] - 1).max()))

    def parts(slope: float) -> tuple[Array, Array, Array]:
        basis = np.stack([np.ones_like(frequency), frequency**-slope], axis=1)
        found = np.array([np.linalg.lstsq(basis / s[:, None], np.ones_like(s), rcond=None)[0] for s in density])
        return found[:, 0], found[:, 1], (found @ basis.T) / density - 1

    fitted = least_squares(lambda x: parts(float(x[0]))[2].ravel(), [1.0], bounds=(0.5, 1.5))
    white, flicker, deviation = parts(float(fitted.x[0]))
    return Separated(white, flicker, float(fitted.x[0]), float(np.abs(deviation).max()))


def specific_current(curve: GateCurve) -> float:
    """Current at which the cell goes from weak to strong inversion, A, from how g_m/I = (g_m/I)_weak/(1 + q) falls."""
    seen = curve.current > 10 * LEAST_CURRENT
    log_current = np.log(curve.current[seen])
    efficiency = np.abs(np.gradient(log_current, curve.gate[seen]))
    current = torch.from_numpy(curve.current[seen])

    def deviation(x: Array) -> Array:
        q = inversion_charge(current, float(np.exp(x[1]))).numpy()
        return np.asarray(efficiency / (np.exp(x[0]) / (1 + q)) - 1)

    start = [np.log(efficiency.max()), np.log(1e-7)]
    return float(np.exp(least_squares(deviation, start, loss="soft_l1", f_scale=0.05).x[1]))


def _gamma(current: Array, white: Array, specific: float) -> float:
    """γ from S/(2qI)·(1 + q)² = 1 + 2γq where the cell is inverted; that of a long channel where none is."""
    q = inversion_charge(torch.from_numpy(current), specific).numpy()
    told = q > INVERTED
    if not told.any():
        return LONG_CHANNEL
    found = (white / (2 * ELEMENTARY_CHARGE * current) * (1 + q) ** 2 - 1)[told] / (2 * q[told])
    return float(np.clip(np.exp(np.log(np.maximum(found, 1e-3)).mean()), *GAMMAS))


def _flicker(current: Array, separated: Separated, specific: float) -> FlickerNoise | None:
    if not (separated.flicker > 0).all():
        return None
    q = inversion_charge(torch.from_numpy(current), specific).numpy()
    basis = np.stack([np.ones_like(q), np.log(current), -np.log1p(q)], axis=1)
    strength, exponent, bend = np.linalg.lstsq(basis, np.log(separated.flicker), rcond=None)[0]
    return FlickerNoise(float(np.exp(strength)), float(exponent), float(bend), specific, separated.slope)
