"""Charges with injected noise against the closed forms: is their scatter what they say, within what chance allows?"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from cosim.noise.generator import delivered_share
from cosim.noise.injected import Train, about, charges, flicker, period, telegraph, white
from cosim.spice.ngspice import Ngspice
from netlists.design import Design
from surrogate.noise import CellNoise, ChannelNoise, FlickerNoise, TelegraphNoise
from surrogate.noise.flicker import contrast_variance

Array = NDArray[np.float64]

BOUND = 5.0
"""Standard errors by which a mean square may miss its closed form; chance alone does so once in a million."""
DISCRETE = 0.03
"""Share by which noise drawn at a step of a fortieth of the pulse may miss continuous noise."""
RELAXED = 5.0
"""Relaxation times after which a telegraph source has forgotten its start."""


@dataclass(frozen=True)
class Agreement:
    """A mean square of charges found in a transient and its closed form, C²."""

    what: str
    found: float
    error: float
    """relative standard error of ``found``, from how it differs between columns"""
    expected: float
    share: float = 1.0
    """of the closed form's noise that ngspice's generator delivers (``cosim.noise.generator``)"""

    @property
    def ratio(self) -> float:
        """What was found over what was injected."""
        return self.found / (self.share * self.expected)

    @property
    def passed(self) -> bool:
        """Whether chance and the sources' own steps explain the difference."""
        return abs(self.ratio - 1) <= BOUND * self.error + DISCRETE


def _agreement(what: str, squares: Array, expected: float, share: float = 1.0) -> Agreement:
    """``squares`` [columns], each an estimate of ``expected`` by one column."""
    error = float(squares.std(ddof=1) / squares.mean() / np.sqrt(len(squares)))
    return Agreement(what, float(squares.mean()), error, expected, share)


def channel_agreement(design: Design, train: Train, noise: ChannelNoise, engine: Ngspice) -> Agreement:
    """White noise of every cell of a column: the variance of its charges from pulse to pulse."""
    current, width = torch.from_numpy(train.current), torch.from_numpy(train.width)
    found = charges(design, train, white(design, noise.density(current).numpy(), train), engine)
    expected = float(CellNoise(channel=noise).charge_variance(current[:, None], width))
    return _agreement("white, variance", found.var(axis=0, ddof=1), expected)


def flicker_agreement(design: Design, train: Train, noise: FlickerNoise, engine: Ngspice) -> list[Agreement]:
    """1/f noise of one cell: mean squares of the difference of readings near and far apart, and of readings against the
    mean of an eighth of them that was taken before."""
    current, width = torch.from_numpy(train.current), float(train.width[0])
    coefficient = noise.coefficient(current)
    found = charges(design, train, flicker(design, coefficient.numpy(), noise.slope, train), engine)
    strength, between = float(coefficient), period(design, train)
    results: list[Agreement] = []

    def add(what: str, squares: Array, contrast: Array) -> None:
        times = between * np.arange(len(contrast), dtype=np.float64)
        exact = contrast_variance(torch.from_numpy(times), torch.from_numpy(contrast), width, noise.slope)
        share = delivered_share(times, contrast, width, noise.slope, train.pulses * between, about(train))
        results.append(_agreement(what, squares, strength * float(exact), share))

    for lag in sorted({1, train.pulses // 16 or 1, train.pulses // 2}):
        squares = (found[lag:] - found[:-lag]) ** 2
        contrast = np.zeros(lag + 1)
        contrast[[0, -1]] = -1, 1
        add(f"1/f, {lag} periods apart", squares.mean(axis=0), contrast)
    window = max(train.pulses // 8, 1)
    start = train.pulses // 4
    squares = (found[-1] - found[start : start + window].mean(axis=0)) ** 2
    contrast = np.concatenate([np.full(window, -1 / window), np.zeros(train.pulses - start - window)])
    contrast[-1] = 1
    add(f"1/f, after a calibration by {window}", squares, contrast)
    return results


def telegraph_agreement(design: Design, train: Train, noise: TelegraphNoise, engine: Ngspice) -> Agreement:
    """Telegraph noise of one cell: the mean square of its charges' distance from their mean in the long run, once the
    trap has forgotten its start. About the mean that was found two levels scatter too little: not at all where both
    happen to be equally frequent."""
    found = charges(design, train, telegraph(design, noise, train), engine)
    settled = found[int(np.ceil(RELAXED * noise.relaxation_time / period(design, train))) :]
    silent = charges(design, replace(train, pulses=2, columns=2), [], engine).mean()
    mean = silent + noise.amplitude * noise.occupancy * float((train.current * train.width).sum())
    squares = ((settled - mean) ** 2).mean(axis=0)
    expected = noise.charge_variance(torch.from_numpy(train.current), torch.from_numpy(train.width))
    ratio = noise.relaxation_time / float(train.width[0])
    return _agreement(f"telegraph, relaxation time {ratio:.3g} pulses", squares, float(expected))
