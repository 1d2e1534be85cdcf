"""Mismatch: how far every cell's transistor lies from the model, by Pelgrom's law, drawn once for an array."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from netlists.design import Design, MosCell
from netlists.devices.choice import device_of
from netlists.errors import InputError

THRESHOLD_MV_UM = {
    ("generic", "n"): 5.0, ("generic", "p"): 5.0,
    ("sky130_1v8", "n"): 3.356, ("sky130_1v8", "p"): 5.856, ("sky130_5v", "n"): 8.2, ("sky130_5v", "p"): 12.0,
}  # fmt: skip
"""Standard deviation of one transistor's threshold times √(W·L), mV·µm. sky130: its library's own constants
(``sw_mm_vth0_…``). Generic: 1 mV·µm per nm of oxide for a pair's difference (Pelgrom et al., IEDM 1998), so 7/√2."""

CURRENT_FACTOR_PERCENT_UM = 0.7
"""Standard deviation of one transistor's current factor times √(W·L), %·µm: 1 %·µm for a pair's difference in 0.18 µm
(Kinget, IEEE JSSC 40, 2005, table I)."""

MAX_SIGMA = 0.25
"""Largest standard deviation, of the threshold in V and of the current factor relative to 1."""

LEAST_FACTOR = 0.01
"""Smallest current factor."""


@dataclass(frozen=True)
class Deviations:
    """Deviations of an array's N·M transistors from the model."""

    threshold: NDArray[np.float64]
    """[N, M] added to the threshold voltage, V (with its sign, which is negative for p-channel cells)"""
    factor: NDArray[np.float64]
    """[N, M] current factor over the nominal one"""


@lru_cache(maxsize=16)
def deviations(design: Design) -> Deviations | None:
    """The deviations of ``design``'s cells, the same for the same array and seed; None where it has no mismatch."""
    cell = design.cell
    if not isinstance(cell, MosCell) or cell.mismatch is None:
        return None
    threshold, factor = sigmas(cell)
    shape = (2, design.array.rows, design.array.columns)
    drawn = np.random.default_rng(cell.mismatch.seed).standard_normal(shape)
    # a factor four standard deviations of the largest kind below 1 would be negative
    found = Deviations(threshold * drawn[0], np.maximum(1 + factor * drawn[1], LEAST_FACTOR))
    for array in (found.threshold, found.factor):
        array.flags.writeable = False
    return found


def charge_shift(design: Design) -> NDArray[np.float64] | float:
    """What the charges of the floating gates make of the threshold's deviations, V to be taken from their stored
    voltages ([N, M]): all of them where the transistor's instance takes none, otherwise nothing."""
    spread = deviations(design)
    if spread is None or not isinstance(design.cell, MosCell) or device_of(design.cell).takes_shift:
        return 0.0
    return spread.threshold


def sigmas(cell: MosCell) -> tuple[float, float]:
    """Standard deviations of the threshold, V, and of the relative current factor of ``cell`` with mismatch.

    Raises :class:`InputError` where they are so large that the law means nothing.
    """
    assert cell.mismatch is not None
    root_area = math.sqrt(cell.width * cell.length) * 1e6
    kind = "generic" if cell.model is not None else cell.device
    given = cell.mismatch.threshold_mv_um
    percent = cell.mismatch.current_factor_percent_um
    threshold = (THRESHOLD_MV_UM[kind, cell.channel] if given is None else given) * 1e-3 / root_area
    factor = (CURRENT_FACTOR_PERCENT_UM if percent is None else percent) * 1e-2 / root_area
    for key, value in (("threshold_mv_um", threshold), ("current_factor_percent_um", factor)):
        if value > MAX_SIGMA:
            raise InputError(
                f"cell.mismatch.{key}: gives a standard deviation of {value:.2g} for {cell.width * 1e6:g} um x "
                f"{cell.length * 1e6:g} um, more than {MAX_SIGMA:g}: lower it or enlarge the cell"
            )
    return threshold, factor
