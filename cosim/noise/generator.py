"""What ngspice's generator of 1/f noise delivers of the noise it stands for.

``trnoise`` filters white samples by (1 − z⁻¹)^(−α/2) through one Fourier transform of the whole record, so that the
filter wraps around: the record is periodic, and its slowest noise is too small by some per cent (seen in transients and
in ngspice's ``src/frontend/trannoise/1-f-code.c``).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from surrogate.noise.flicker import contrast_variance

Array = NDArray[np.float64]

FINE = 16
"""Points between two samples where a charge's weights are integrated."""


def record_samples(stop: float, about: float) -> int:
    """Number of samples in a record of ``stop`` s, ``about`` s apart: a power of two, which every build of ngspice
    makes of it once it has added ten."""
    return int(2 ** round(math.log2(stop / about)))


def sample_time(stop: float, about: float) -> float:
    """Time between samples, s, that fills such a record."""
    return stop / (record_samples(stop, about) - 10.5)


def delivered_share(times: Array, weights: Array, width: float, slope: float, stop: float, about: float) -> float:
    """Variance of Σ w_a·q_a of readings of ``width`` s from ``times`` [a] s on by the generator, over that of noise
    with the spectrum 1/f^``slope``; ``weights`` [a] add up to zero."""
    count, step = record_samples(stop, about), sample_time(stop, about)
    filtered = np.concatenate([[1.0], np.cumprod((slope / 2 + np.arange(count - 1)) / np.arange(1, count))])
    charge = _sample_weights(times, weights, width, step, count)
    power = np.abs(np.fft.fft(charge)) ** 2 * np.abs(np.fft.fft(filtered)) ** 2
    amplitude = (2 * math.pi * step) ** slope / (2 * step)
    exact = contrast_variance(torch.from_numpy(times), torch.from_numpy(weights), width, slope)
    return float(amplitude * power.mean() / exact)


def _sample_weights(times: Array, weights: Array, width: float, step: float, count: int) -> Array:
    """[count] what a sample adds to Σ w_a·q_a, samples joined linearly."""
    points = max(int(FINE * width / step), 1)
    at = (times[:, None] + (np.arange(points) + 0.5) / points * width) / step
    share = np.broadcast_to(weights[:, None] * width / points, at.shape)
    index = at.astype(np.int64)
    total = np.zeros(count)
    np.add.at(total, index, share * (1 - (at - index)))
    np.add.at(total, index + 1, share * (at - index))
    return total
