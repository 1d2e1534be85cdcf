"""Networks on cells that were programmed elsewhere: at another temperature, say, than they are read at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from surrogate.analog import LayerSettings, Mapping, analog_layers, calibrate, convert
from surrogate.mapping import CurrentRange
from surrogate.surrogate import Surrogate

Floats = NDArray[np.float64]
VoltsFor = Callable[[Floats], Floats]
"""Floating-gate voltages that gave the target currents (any shape, A) where the cells were programmed."""


def programmed_elsewhere(
    software: nn.Module, surrogate: Surrogate, settings: LayerSettings, volts_for: VoltsFor, inputs: Tensor
) -> nn.Module:
    """The twin of ``software`` whose cells hold the voltages ``volts_for`` the target currents of ``settings``, read by
    ``surrogate``, and whose read-out is calibrated on ``inputs`` there. Raises :class:`InputError` where states leave
    the surrogate's domain."""
    low, high = settings.currents.low, settings.currents.high
    there = _one_hot_range(surrogate, volts_for(np.array([low, high])), settings.rows)
    twin = convert(software, surrogate, Mapping(replace(settings, currents=there)))
    for layer in analog_layers(twin).values():
        share = (layer.target_currents().detach().double() - there.low) / (there.high - there.low)
        target = (low + share * (high - low)).clamp(low, high)
        cells = surrogate.states(volts_for(target.numpy()))
        surrogate.domain.check_state(cells)
        layer.cells = cells.to(layer.weight.dtype)
    calibrate(twin, inputs, software)
    return twin


def _one_hot_range(surrogate: Surrogate, volts: Floats, rows: int) -> CurrentRange:
    """One-hot currents, A, of cells at the least and the largest of ``volts`` [2] in the middle of ``rows`` rows, the
    others at the least. Raises :class:`InputError` where they leave the surrogate's domain."""
    state = surrogate.states(volts)
    surrogate.domain.check_state(state)
    arrays = state[0].expand(2, rows, 1).clone()
    arrays[1, rows // 2] = state[1]
    least, largest = surrogate.one_hot_current(arrays)[:, rows // 2, 0].tolist()
    return CurrentRange(least, largest)
