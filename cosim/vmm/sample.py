"""The result of one simulated VMM, and which of its slots give a usable current."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netlists.design import Design, MosCell

SETTLED_EDGES = 3
"""A slot gives a usable current when it lasts this many edges beyond the edge that opened it."""


@dataclass(frozen=True)
class Sample:
    """Result of one transient (M columns, N rows, S slots)."""

    charge: NDArray[np.float64]
    """[M] charge of every bit line, C; positive for the direction of the cell current."""
    slot_active: NDArray[np.bool_]
    """[S, N] active rows of every usable slot."""
    slot_current: NDArray[np.float64]
    """[S, M] bit-line currents at the end of every usable slot, A."""
    energy: float
    """Energy delivered by all line drivers and clamps, J."""
    attempt: int
    """Rung of :data:`cosim.spice.ladder.LADDER` that converged, 0 as a rule; the highest of all blocks."""
    floating_gate_return: float
    """Largest difference of a floating gate's voltage between end and start, V."""
    passes: int
    """Passes over the blocks of a split array, 0 where the array was simulated as a whole."""
    split_error: float
    """Estimated relative error of the charges by splitting the array, 0 where it was simulated as a whole."""


def usable_slots(duration: NDArray[np.float64], t_edge: float) -> NDArray[np.bool_]:
    """[distinct pulse ends] whether the slot that each of them closes is long enough to settle."""
    ends = np.unique(duration[duration > 0])
    return np.diff(ends, prepend=0.0) >= (1 + SETTLED_EDGES) * t_edge


def current_sign(design: Design) -> float:
    """Turns a clamp current into the direction of the cell current."""
    return -1.0 if isinstance(design.cell, MosCell) and design.cell.channel == "p" else 1.0
