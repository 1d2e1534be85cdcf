"""Capacitances of panels in closed form: each panel's charge is uniform, and the potential of a uniformly charged
rectangle is known exactly. A dense system: for a few thousand panels, without another program.

∫ dA / R over a rectangle in the plane w = 0 is, summed over its corners with alternating sign,
u·ln(v + R) + v·ln(u + R) − w·atan(uv / (wR)), by integrating 1/R over v, then over u.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from netlists.errors import InputError
from netlists.extraction.panels import Panels
from netlists.stack import VACUUM_PERMITTIVITY

Floats = NDArray[np.float64]

MAX_PANELS = 6000
"""Panels of a dense system at most: 300 MB."""
FAR = 3.0
"""Distance, in sides of a panel, beyond which its quadrupole moments stand for it: 3e-4 of its potential."""
_BLOCK = 256


def panel_charges(panels: Panels, driven: Sequence[str], permittivity: float, grounded_plane: bool) -> Floats:
    """Charge of every panel per volt on each of the ``driven`` terminals, F [panels, driven].

    Raises :class:`InputError` for more than :data:`MAX_PANELS` panels.
    """
    if len(panels) > MAX_PANELS:
        raise InputError(f"analytic mode: {len(panels)} panels are more than {MAX_PANELS}: solve fewer cells")
    potentials = _potentials(panels, grounded_plane)
    columns = [panels.terminals.index(name) for name in driven]
    voltages = (panels.owner[:, None] == np.array(columns)[None, :]).astype(np.float64)
    density = scipy.linalg.solve(potentials, voltages, overwrite_a=True, check_finite=False)
    extent = panels.high - panels.low
    area = np.where(extent > 0, extent, 1.0).prod(axis=1)
    return density * (4 * np.pi * VACUUM_PERMITTIVITY * permittivity * area)[:, None]


def terminal_charges(panels: Panels, charges: Floats) -> Floats:
    """Charges [terminals, driven] of terminals from ``charges`` [panels, driven] of their panels."""
    totals = np.zeros((len(panels.terminals), charges.shape[1]))
    np.add.at(totals, panels.owner, charges)
    return totals


def plane_charge(panels: Panels, charges: Floats, low: tuple[float, float], high: tuple[float, float]) -> float:
    """Charge in C (or F, per volt) that the panels' ``charges`` induce on the rectangle ``low`` to ``high`` (x, y in
    m) of the grounded plane z = 0: a charge's share is the solid angle, over 2π, under which it sees the rectangle."""
    centre = (panels.low + panels.high) / 2
    z = centre[:, 2]
    angle = np.zeros(len(panels))
    for sign_x, x in ((1.0, high[0]), (-1.0, low[0])):
        for sign_y, y in ((1.0, high[1]), (-1.0, low[1])):
            u, v = x - centre[:, 0], y - centre[:, 1]
            angle += sign_x * sign_y * np.arctan2(u * v, z * np.sqrt(u * u + v * v + z * z))
    return -float(angle @ charges) / (2 * np.pi)


def _potentials(panels: Panels, grounded_plane: bool) -> Floats:
    """4πε times the potential at each panel's centre per charge density on each panel, [n, n]."""
    centre = (panels.low + panels.high) / 2
    matrix = _seen_from(panels, centre)
    if grounded_plane:
        matrix -= _seen_from(panels, centre * [1.0, 1.0, -1.0])
    return matrix


def _seen_from(panels: Panels, points: Floats) -> Floats:
    """∫ dA / R [points, panels], in closed form where a panel is near, by its quadrupole moments where it is far."""
    size = panels.high - panels.low
    centre = (panels.low + panels.high) / 2
    area = np.where(size > 0, size, 1.0).prod(axis=1)
    second = size * size / 24
    reach = FAR * size.max(axis=1)
    matrix = np.empty((len(points), len(panels)))
    for start in range(0, len(points), _BLOCK):
        block = points[start : start + _BLOCK]
        square = (block[:, None, :] - centre) ** 2
        r2 = square.sum(axis=2)
        near = r2 < reach * reach
        r2[near] = 1.0
        moment = 3 * np.einsum("pqk,qk->pq", square, second) / r2 - second.sum(axis=1)
        matrix[start : start + _BLOCK] = area * (1.0 + moment / r2) / np.sqrt(r2)
        point, panel = np.nonzero(near)
        matrix[start + point, panel] = _rectangles(block[point], panels, panel)
    return matrix


def _rectangles(points: Floats, panels: Panels, chosen: NDArray[np.int64]) -> Floats:
    """∫ dA / R seen from ``points`` [n, 3], of the ``chosen`` [n] panels."""
    rows = np.arange(len(points))
    axis = panels.axis[chosen]
    a, b = np.where(axis == 0, 1, 0), np.where(axis == 2, 1, 2)
    w = np.abs(points - panels.low[chosen])[rows, axis]
    total = np.zeros(len(points))
    for sign_u, corner_u in ((1.0, panels.high), (-1.0, panels.low)):
        u = (corner_u[chosen] - points)[rows, a]
        for sign_v, corner_v in ((1.0, panels.high), (-1.0, panels.low)):
            v = (corner_v[chosen] - points)[rows, b]
            r = np.sqrt(u * u + v * v + w * w)
            term = u * _inverse_sinh(v, u, w) + v * _inverse_sinh(u, v, w) - w * np.arctan2(u * v, w * r)
            total += sign_u * sign_v * term
    return total


def _inverse_sinh(x: Floats, y: Floats, w: Floats) -> Floats:
    """ln(x + R) less its value at x = 0, which the sum over corners cancels: without loss of digits for negative x."""
    distance = np.sqrt(y * y + w * w)
    return np.arcsinh(x / np.maximum(distance, np.finfo(np.float64).tiny))
