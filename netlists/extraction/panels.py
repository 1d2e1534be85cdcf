"""The surfaces of conductors cut into panels: near-square ones, narrower towards the edges where charge gathers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netlists.extraction.solids import Face, Point, Solid, level_of, outer_faces, snapped

Floats = NDArray[np.float64]

GAP_SHARE = 1.5
"""Largest panels beside a narrow gap, in its width."""


@dataclass(frozen=True)
class Resolution:
    """How fine a mesh is. ``coarseness``: size of the largest panels, in the length that their surroundings ask for;
    ``edge``: width of the outermost panels of a face, in the largest panels' (1: all alike), widening by two from one
    to the next; ``far``: how much larger panels are outside the focus, where they are all alike."""

    coarseness: float
    edge: float = 0.2
    far: float = 4.0


@dataclass(frozen=True)
class Part:
    """The piece of conductor ``net``'s surface between ``low`` and ``high`` (m), a terminal of its own ``name``."""

    name: str
    net: str
    low: Point
    high: Point


@dataclass(frozen=True)
class Panels:
    """Axis-parallel rectangles ``low``, ``high`` [n, 3] in m, normal to ``axis`` [n], of the terminals ``owner`` [n],
    which counts in ``terminals``; ``nets``: the conductor that each terminal is or is a part of."""

    terminals: tuple[str, ...]
    nets: tuple[str, ...]
    owner: NDArray[np.int64]
    axis: NDArray[np.int64]
    low: Floats
    high: Floats

    def __len__(self) -> int:
        return len(self.owner)


@dataclass(frozen=True)
class Geometry:
    """What a field solver solves: boxes in a dielectric of relative ``permittivity``, ``parts`` of their surfaces that
    are terminals of their own, and whether z = 0 is a grounded plane. Panels are finest within ``focus`` (two corners,
    m), everywhere without one."""

    solids: tuple[Solid, ...]
    permittivity: float
    grounded_plane: bool
    parts: tuple[Part, ...] = ()
    focus: tuple[Point, Point] | None = None


def make_panels(geometry: Geometry, resolution: Resolution) -> Panels:
    """Panels of the boxes' outer faces. What surrounds them asks for panels as large as their conductor is thick, or
    as :data:`GAP_SHARE` of the gap to the next one. Raises :class:`~netlists.errors.InputError` on boxes that overlap
    or are empty."""
    sizes = _sizes(geometry)
    parts: dict[str, list[Part]] = {}
    for part in geometry.parts:
        parts.setdefault(part.net, []).append(part)
    names: dict[str, int] = {net: k for k, net in enumerate(dict.fromkeys(s.net for s in geometry.solids))}
    nets = list(names)
    axes, owners, lows, highs = [], [], [], []
    for face in outer_faces(geometry.solids):
        for piece, name in _pieces(face, parts.get(face.net, ()), geometry.focus):
            size, edge = resolution.coarseness * sizes[face.net, face.level], resolution.edge
            if geometry.focus and not _overlap(piece, geometry.focus):
                size, edge = size * resolution.far, 1.0
            low, high = _mesh(piece, face, size, edge)
            if name not in names:
                names[name] = len(names)
                nets.append(face.net)
            axes.append(np.full(len(low), face.axis))
            owners.append(np.full(len(low), names[name]))
            lows.append(low)
            highs.append(high)
    return Panels(
        tuple(names), tuple(nets), np.concatenate(owners), np.concatenate(axes), np.concatenate(lows),
        np.concatenate(highs),
    )  # fmt: skip


def _sizes(geometry: Geometry) -> dict[tuple[str, tuple[int, int]], float]:
    """The length in m that panels of each net's boxes of one level must resolve."""
    low = np.array([s.low for s in geometry.solids])
    high = np.array([s.high for s in geometry.solids])
    nets = np.array([s.net for s in geometry.solids])
    sizes: dict[tuple[str, tuple[int, int]], float] = {}
    for k, solid in enumerate(geometry.solids):
        apart = np.maximum(np.maximum(low[k] - high, low - high[k]), 0.0)
        gap = float(np.linalg.norm(apart, axis=1)[nets != solid.net].min(initial=math.inf))
        if geometry.grounded_plane and solid.low[2] > 0:
            gap = min(gap, solid.low[2])
        least = min(float((high[k] - low[k]).min()), GAP_SHARE * gap)
        key = solid.net, level_of(solid)
        sizes[key] = min(least, sizes.get(key, math.inf))
    return sizes


def _pieces(
    face: Face, parts: Sequence[Part], focus: tuple[Point, Point] | None
) -> list[tuple[Face, str]]:
    """``face`` cut at the borders of ``parts`` and ``focus``, each piece with its terminal: its part's or its net."""
    cuts = [{a, b} for a, b in zip(face.low, face.high, strict=True)]
    borders = [corner for part in parts for corner in (part.low, part.high)] + list(focus or ())
    for corner, k in itertools.product(borders, range(3)):
        border = snapped(corner[k])  # a sliver of a panel would make the field solver fail or hang
        if face.low[k] < border < face.high[k]:
            cuts[k].add(border)
    spans: list[list[tuple[float, float]]] = []
    for values in cuts:
        ordered = sorted(values)
        spans.append(list(itertools.pairwise(ordered)) or [(ordered[0], ordered[0])])
    pieces = []
    for x, y, z in itertools.product(*spans):
        piece = Face(face.net, face.level, face.axis, (x[0], y[0], z[0]), (x[1], y[1], z[1]))
        centre = tuple((a + b) / 2 for a, b in (x, y, z))
        name = next((p.name for p in parts if _inside(centre, p)), face.net)
        pieces.append((piece, name))
    return pieces


def _inside(point: Sequence[float], part: Part) -> bool:
    return all(a <= x <= b for a, x, b in zip(part.low, point, part.high, strict=True))


def _overlap(face: Face, box: tuple[Point, Point]) -> bool:
    return all(face.low[k] < box[1][k] and face.high[k] > box[0][k] for k in range(2))


def _mesh(piece: Face, face: Face, size: float, edge: float) -> tuple[Floats, Floats]:
    """Corners of the panels of a ``piece`` of a ``face``, [n, 3] each; narrower panels at the face's edges alone."""
    u, v = (k for k in range(3) if k != face.axis)
    across, along = (
        _graded(piece.low[k], piece.high[k], size, edge, piece.low[k] == face.low[k], piece.high[k] == face.high[k])
        for k in (u, v)
    )
    i, j = (index.ravel() for index in np.indices((len(across) - 1, len(along) - 1)))
    low, high = np.empty((len(i), 3)), np.empty((len(i), 3))
    low[:, face.axis] = high[:, face.axis] = face.low[face.axis]
    low[:, u], high[:, u] = across[i], across[i + 1]
    low[:, v], high[:, v] = along[j], along[j + 1]
    return low, high


def _graded(low: float, high: float, size: float, edge: float, fine_low: bool, fine_high: bool) -> Floats:
    """Borders of panels from ``low`` to ``high``: at most ``size`` wide, narrower by steps towards ``fine`` ends."""
    length, ends = high - low, fine_low + fine_high
    widths: list[float] = []
    width, used = edge * size, 0.0
    while width < size and ends * (used + width) < 0.8 * length:
        widths.append(width)
        used += width
        width *= 2.0
    middle = length - ends * used
    count = max(1, math.ceil(middle / min(width, size) - 1e-9))
    steps = np.array([*(widths if fine_low else ()), *[middle / count] * count, *(widths[::-1] if fine_high else ())])
    borders = low + np.concatenate([[0.0], np.cumsum(steps)])
    borders[-1] = high
    return borders
