"""Noise of the cells as closed forms: the variance of a column's charge from pulse widths and cell currents.

One file for each kind: :mod:`channel` (white), :mod:`flicker` (1/f), :mod:`telegraph` (one two-state trap a cell);
:mod:`cell` puts them together. Spectral densities are one-sided, A²/Hz, throughout.
"""

from surrogate.noise.cell import CellNoise
from surrogate.noise.channel import ChannelNoise
from surrogate.noise.flicker import Calibration, FlickerNoise
from surrogate.noise.telegraph import TelegraphNoise

__all__ = ["Calibration", "CellNoise", "ChannelNoise", "FlickerNoise", "TelegraphNoise"]
