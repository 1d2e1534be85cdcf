"""Pulse widths: which durations a design accepts and when their pulses start."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from netlists.design import Design
from netlists.errors import InputError


def t_start(design: Design) -> float:
    """Time at which every pulse's leading edge begins, s: a few edges after the operating point."""
    return 2 * design.read.t_edge


def t_stop(design: Design) -> float:
    """End of a transient, s: the longest pulse, its edges and a settling time."""
    return t_start(design) + design.read.t_max + SETTLE_EDGES * design.read.t_edge


SETTLE_EDGES = 20
"""Quiet edges after the longest possible pulse before the charges are read."""


def check_durations(design: Design, duration: NDArray[np.float64]) -> NDArray[np.float64]:
    """``duration`` [..., N] in s as float64. Raises :class:`InputError` unless each is 0 or in [t_edge, t_max]."""
    duration = np.asarray(duration, dtype=np.float64)
    if duration.shape[-1:] != (design.array.rows,):
        raise InputError(f"duration: {duration.shape[-1:]} values for {design.array.rows} word lines")
    read = design.read
    tolerance = 1e-9 * read.t_max
    wrong = ~((duration == 0) | ((duration >= read.t_edge - tolerance) & (duration <= read.t_max + tolerance)))
    if wrong.any():
        where = tuple(int(k) for k in np.argwhere(wrong)[0])
        raise InputError(
            f"duration{list(where)}: {duration[where]:g} s is neither 0 nor between t_edge = {read.t_edge:g} s "
            f"and t_max = {read.t_max:g} s"
        )
    return duration
