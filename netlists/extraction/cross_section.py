"""Capacitance per length of long lines: Laplace's equation on their cross-section, by finite elements (scikit-fem).

The mesh is a tensor product of lines that crowd at the bars' edges, where the field is singular, and thin out towards
the open borders. A capacitance is the field's energy, so its error is that of the potential squared.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skfem import Basis, BilinearForm, ElementQuad2, MeshQuad, condense, solve
from skfem.helpers import dot, grad

from netlists.errors import InputError
from netlists.stack import VACUUM_PERMITTIVITY

Floats = NDArray[np.float64]

OPEN_DISTANCE = 30.0
"""Distance of the open borders, in sizes of the structure: what lies beyond changes a capacitance by about 1e-3."""
REFINEMENTS = 5
MAX_BARS = 40


@dataclass(frozen=True)
class Bar:
    """Cross-section of a line of ``net``: corners ``low`` and ``high`` (x, z) in m above the grounded plane z = 0."""

    net: str
    low: tuple[float, float]
    high: tuple[float, float]


@dataclass(frozen=True)
class Slab:
    """Dielectric of ``relative`` permittivity from z = ``bottom`` (m) up to the next slab's."""

    bottom: float
    relative: float


@dataclass(frozen=True)
class LineCapacitances:
    """Maxwell matrix ``farad_per_m`` [net, net] of ``nets``; its row sums are the capacitances to the plane.
    ``change``: relative change in the last refinement of the mesh."""

    nets: tuple[str, ...]
    farad_per_m: Floats
    change: float

    def between(self, a: str, b: str) -> float:
        """Coupling of two nets, F/m."""
        return -float(self.farad_per_m[self.nets.index(a), self.nets.index(b)])

    def to_plane(self, net: str) -> float:
        """Capacitance of a net to the plane, F/m."""
        return float(self.farad_per_m[self.nets.index(net)].sum())


def line_capacitances(bars: Sequence[Bar], slabs: Sequence[Slab], tolerance: float = 0.003) -> LineCapacitances:
    """Capacitances per length of ``bars``, on a mesh refined until none changes by more than ``tolerance``, relative
    (of the larger of it and 0.5 % of the smaller self-capacitance).

    Raises :class:`InputError` for bars that overlap or do not lie above the plane, slabs that do not begin at 0 in
    rising order, and where the mesh does not converge.
    """
    _check(bars, slabs)
    nets = tuple(dict.fromkeys(bar.net for bar in bars))
    previous, change = None, math.inf
    for step in range(REFINEMENTS):
        matrix = _solve(bars, slabs, nets, finest=0.1 * 0.5**step, growth=2.0 ** (0.75**step))
        if previous is not None:
            change = largest_change(previous, matrix)
            if change <= tolerance:
                return LineCapacitances(nets, matrix, change)
        previous = matrix
    raise InputError(
        f"cross-section: capacitances still change by {change:.1%} after {REFINEMENTS} refinements: "
        "allow a larger tolerance or remove details far smaller than the lines"
    )


def largest_change(old: Floats, new: Floats) -> float:
    """Largest relative difference of two Maxwell matrices [n, n]; below 0.5 % of the smaller of the two terminals'
    self-capacitances a coupling is compared with that."""
    own = np.abs(np.diag(new))
    scale = np.maximum(np.abs(new), 0.005 * np.minimum.outer(own, own))
    return float((np.abs(new - old) / scale).max())


def _check(bars: Sequence[Bar], slabs: Sequence[Slab]) -> None:
    if not 0 < len(bars) <= MAX_BARS:
        raise InputError(f"cross-section: {len(bars)} bars: give 1 to {MAX_BARS}")
    heights = [slab.bottom for slab in slabs]
    if not heights or heights[0] != 0 or heights != sorted(set(heights)):
        raise InputError(f"cross-section: slabs begin at {heights} m: let them rise from 0")
    for bar in bars:
        if not (bar.low[0] < bar.high[0] and 0 < bar.low[1] < bar.high[1]):
            raise InputError(f"{bar.net}: {bar.low} to {bar.high} m is no bar above the plane z = 0: correct it")
    for a, b in itertools.combinations(bars, 2):
        if all(a.low[k] < b.high[k] and b.low[k] < a.high[k] for k in range(2)):
            raise InputError(f"{a.net} and {b.net}: overlap in the cross-section: move them apart")


def _solve(bars: Sequence[Bar], slabs: Sequence[Slab], nets: tuple[str, ...], finest: float, growth: float) -> Floats:
    """The Maxwell matrix in F/m; ``finest``: the smallest elements, in the least distance of two edges."""
    low, high = np.array([b.low for b in bars]), np.array([b.high for b in bars])
    far = OPEN_DISTANCE * max(float(np.ptp([low[:, 0], high[:, 0]])), float(high[:, 1].max()))
    xs = _lines({*low[:, 0], *high[:, 0]}, low[:, 0].min() - far, high[:, 0].max() + far, finest, growth)
    edges = {0.0, *low[:, 1], *high[:, 1], *(s.bottom for s in slabs if s.bottom < far)}
    zs = _lines(edges, 0.0, far, finest, growth)
    mesh = MeshQuad.init_tensor(xs, zs)
    centre = mesh.p[:, mesh.t].mean(axis=1)
    metal = [_within(centre, a, b) for a, b in zip(low, high, strict=True)]
    mesh = mesh.remove_elements(np.flatnonzero(np.any(metal, axis=0)))
    basis = Basis(mesh, ElementQuad2())
    bottoms = np.array([s.bottom for s in slabs])
    relative = np.array([s.relative for s in slabs])

    @BilinearForm
    def energy(u, v, w):
        return relative[np.searchsorted(bottoms, w.x[1], side="right") - 1] * dot(grad(u), grad(v))

    stiffness = energy.assemble(basis)
    place, slack = basis.doflocs, 1e-6 * min(np.diff(xs).min(), np.diff(zs).min())
    fixed = {net: np.zeros(place.shape[1], dtype=bool) for net in nets}
    for k, bar in enumerate(bars):
        fixed[bar.net] |= _within(place, low[k] - slack, high[k] + slack)
    dirichlet = np.flatnonzero(np.any(list(fixed.values()), axis=0) | (place[1] <= slack))
    fields = np.column_stack([
        solve(*condense(stiffness, x=fixed[net].astype(np.float64), D=dirichlet)) for net in nets
    ])  # fmt: skip
    return VACUUM_PERMITTIVITY * (fields.T @ (stiffness @ fields))


def _within(points: Floats, low: Floats, high: Floats) -> NDArray[np.bool_]:
    """Which ``points`` [2, n] lie between two corners."""
    return np.all((low[:, None] <= points) & (points <= high[:, None]), axis=0)


def _lines(edges: set[float], low: float, high: float, finest: float, growth: float) -> Floats:
    """Mesh lines from ``low`` to ``high`` through ``edges``, crowding at each of them."""
    inner = sorted(edges)
    smallest = finest * min(b - a for a, b in itertools.pairwise(inner))
    borders = sorted({low, *inner, high})
    lines = [np.array(borders[:1])]
    for a, b in itertools.pairwise(borders):
        lines.append(a + (b - a) * _crowded((b - a) / smallest, a in edges, b in edges, growth))
    return np.concatenate(lines)


def _crowded(length: float, at_low: bool, at_high: bool, growth: float) -> Floats:
    """Ends of intervals that fill (0, 1], from about 1/``length`` at crowded ends, widening by ``growth``."""
    half = length / 2 if at_low and at_high else length
    count = max(1, math.ceil(math.log1p(half * (growth - 1)) / math.log(growth)))
    widths = growth ** np.arange(count)
    if at_low and at_high:
        widths = np.concatenate([widths, widths[::-1]])
    elif at_high:
        widths = widths[::-1]
    ends = np.cumsum(widths) / widths.sum()
    ends[-1] = 1.0
    return ends
