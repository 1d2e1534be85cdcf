"""The drawn array as named rectangles: what is extracted, written to files and checked."""

from __future__ import annotations

from dataclasses import dataclass

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in m, with x0 < x1 and y0 < y1. Columns go along x, rows along y."""


@dataclass(frozen=True)
class Conductor:
    """One rectangle of net ``net`` on layer or cut ``layer`` of the stack, which gives its z.

    Rectangles of one net may touch or overlap. Nets: ``WL_i``, ``BL_j``, ``FG_i_j`` of the array (i, j from 0);
    ``SHIELD_k`` of grounded shield lines; ``DWL_p``, ``DBL_q``, ``DFG_p_q`` of dummy rows and columns, counted with
    the real ones (p = 0 is the lowest row drawn), whose lines are held at their idle voltage.
    """

    net: str
    layer: str
    box: Box
