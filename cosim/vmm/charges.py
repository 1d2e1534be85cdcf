"""Charges from the cells' own currents, which hold no displacement: what flows onto a capacitor flows back again.

The integral of a bit line's whole current errs at every corner of a ramp, where the displacement currents jump; that
error is large against the charge of a small cell. A cell's conduction is smooth between the corners, so a rule of
fourth order integrates it far better than the simulator's own at the same time points (``scripts/bench_spice``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def quadrature(time: Array, begin: Array, t_edge: float) -> Array:
    """Weights [t] in s that integrate a current over ``time`` [t] s which is smooth but for the corners of ramps that
    begin at ``begin`` [E] s.

    On each step h the trapezoidal rule less h³/12 times the second derivative, which is the mean of those of the
    parabolas through the step and its neighbour on either side, as far as no corner lies between.
    """
    step = np.diff(time)
    corners = np.concatenate([begin, begin + t_edge])
    bends = np.zeros(len(time), bool)
    bends[np.searchsorted(time, corners - 1e-6 * t_edge).clip(max=len(time) - 1)] = True
    weights = np.zeros(len(time))
    weights[:-1] += step / 2
    weights[1:] += step / 2
    left, right = step[:-1], step[1:]
    smooth = ~bends[1:-1]  # point k + 1 joins steps k and k + 1 to a parabola
    # the second derivative of that parabola, by its three points
    parabola = np.stack([2 / (left * (left + right)), -2 / (left * right), 2 / (right * (left + right))])
    count = np.zeros(len(step))
    count[:-1] += smooth
    count[1:] += smooth
    share = step**3 / 12 / np.maximum(count, 1)
    pull = np.where(smooth, share[:-1] + share[1:], 0.0) * parabola
    for offset in range(3):
        weights[offset : offset + len(left)] -= pull[offset]
    return weights


def cell_currents(saved: Array, cells: int) -> tuple[Array, Array]:
    """Currents of cells, A, and floating-gate voltages, V, both [cells, t], from what a deck saves of its cells:
    resistors [cells, t] their currents; transistors [3 cells, t] drain currents, gates and drain-source voltages.

    Currents count from bit line to word line, of p channels the other way. ngspice's ``@m[id]`` has no sign in BSIM
    models, where source and drain may change places; ``@m[vds]`` has, and is negated for p channels in all models.
    """
    if len(saved) == cells:
        return saved, saved[:0]
    current, gate, drain_source = saved.reshape(3, cells, -1)
    return np.copysign(current, drain_source), gate
