"""One VMM of an array in ngspice: split into blocks of columns where that is fast and exact enough, whole otherwise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosim.errors import InputError
from cosim.spice.device_check import check_device
from cosim.spice.ladder import Climber
from cosim.spice.ngspice import Ngspice
from cosim.vmm.sample import Sample
from cosim.vmm.split import simulate_split
from cosim.vmm.whole import simulate_whole
from netlists.circuits.stimulus import check_durations
from netlists.design import Design, MosCell

LEAST_SPLIT_CELLS = 128
"""Arrays of fewer cells are faster as a whole."""
MAX_SPLIT_ERROR = 3e-4
"""Largest estimated error of a split array's charges (70 dB); more tightly coupled arrays are simulated as a whole."""


def simulate(
    design: Design,
    cells: NDArray[np.float64],
    duration: NDArray[np.float64],
    engine: Ngspice,
    keep_deck: Path | None = None,
    timeout_s: float | None = None,
) -> Sample:
    """Simulate one VMM of ``design`` with ``cells`` [N, M] (V, or S for resistive cells) and ``duration`` [N] s.

    ``keep_deck`` keeps what ran: the whole array under that name, blocks of columns under names that say which.
    ``timeout_s`` limits every ngspice process. Raises ``InputError`` on bad values and
    :class:`~cosim.errors.SimulationError` where no rung of the ladder gives a result that passes every check; the deck
    then lies where the message says: beside ``keep_deck``, else in a temporary folder.
    """
    duration = check_durations(design, duration)
    shape = (design.array.rows, design.array.columns)
    if np.shape(cells) != shape:
        raise InputError(f"cells: shape {np.shape(cells)} does not fit the design's array of {shape}")
    cells = np.asarray(cells, dtype=np.float64)
    check_device(design, engine)
    climber = Climber(engine, timeout_s or patience(design), keep_deck)
    if splits(design) and not engine.monolithic:
        sample = simulate_split(design, cells, duration, climber)
        if sample.split_error <= MAX_SPLIT_ERROR:
            return sample
    return simulate_whole(design, cells, duration, climber)


def splits(design: Design) -> bool:
    """Whether splitting ``design`` into blocks of columns pays."""
    array = design.array
    return isinstance(design.cell, MosCell) and array.columns > 1 and array.rows * array.columns >= LEAST_SPLIT_CELLS


def patience(design: Design) -> float:
    """Seconds after which an ngspice process of ``design`` counts as hanging: several times what a whole array takes
    on a slow machine."""
    cells, rows = design.array.rows * design.array.columns, design.array.rows
    return 600.0 * max(1.0, cells / 1024) * max(1.0, rows / 16)
