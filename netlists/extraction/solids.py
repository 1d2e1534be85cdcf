"""Drawn conductors as boxes of metal above the substrate, and the faces that the boxes of a net show to the outside."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import klayout.db as kdb

from netlists.errors import InputError
from netlists.layout.conductors import Conductor
from netlists.stack import Stack

NANOMETRE = 1e-9
"""Corners are rounded to this grid."""

Point = tuple[float, float, float]
_Footprints = dict[tuple[int, int], kdb.Region]


@dataclass(frozen=True)
class Solid:
    """A box of conductor ``net`` between the corners ``low`` and ``high``, in m; the substrate is z ≤ 0."""

    net: str
    low: Point
    high: Point


@dataclass(frozen=True)
class Face:
    """A rectangle of conductor ``net``'s surface: ``low`` and ``high`` in m agree in the coordinate ``axis``.
    ``level``: z of lower and upper end of the boxes it belongs to, in nanometres."""

    net: str
    level: tuple[int, int]
    axis: int
    low: Point
    high: Point


def solids_of(conductors: Sequence[Conductor], stack: Stack) -> list[Solid]:
    """The boxes of ``conductors``; diffusions belong to the substrate's plane and are left out.

    A cut stands on that of its lower layers which has a conductor of the same net below it; one on diffusion begins
    half-way between plane and poly, since nearer to it the field is that of its own diffusion. Raises
    :class:`InputError` for a cut that stands on nothing and for unknown layers or ones that reach into the substrate.
    """
    solids = []
    cuts = {cut.name: cut for cut in stack.cuts}
    for conductor in conductors:
        x0, y0, x1, y1 = conductor.box
        if conductor.layer in cuts:
            landing = _landing(conductor, conductors, cuts[conductor.layer].lower)
            bottom, top = stack.extent(conductor.layer, landing)
            if landing == stack.diffusion.name:
                bottom = stack.poly.height / 2
        else:
            layer = stack.layer(conductor.layer)
            bottom, top = layer.height, layer.top
            if layer.kind == "diffusion":
                continue
        if bottom < 0:
            raise InputError(
                f"stack {stack.name}: {conductor.layer} reaches {-bottom:g} m into the substrate: correct its height"
            )
        solids.append(Solid(conductor.net, (x0, y0, bottom), (x1, y1, top)))
    return solids


def _landing(cut: Conductor, conductors: Iterable[Conductor], lower: Sequence[str]) -> str:
    x, y = (cut.box[0] + cut.box[2]) / 2, (cut.box[1] + cut.box[3]) / 2
    for other in conductors:
        x0, y0, x1, y1 = other.box
        if other.net == cut.net and other.layer in lower and x0 <= x <= x1 and y0 <= y <= y1:
            return other.layer
    raise InputError(
        f"{cut.net}: its {cut.layer} at {x * 1e6:g}, {y * 1e6:g} um stands on none of {', '.join(lower)}: "
        "draw what it joins"
    )


def snapped(metres: float) -> float:
    """A coordinate on the nanometre grid that all faces lie on."""
    return round(metres / NANOMETRE) * NANOMETRE


def level_of(solid: Solid) -> tuple[int, int]:
    """z of its lower and upper end, in nanometres."""
    return round(solid.low[2] / NANOMETRE), round(solid.high[2] / NANOMETRE)


def outer_faces(solids: Sequence[Solid]) -> list[Face]:
    """The rectangles that bound the union of each net's boxes.

    Boxes of one net may overlap where they have the same z, and touch where one ends at the z at which another begins.
    Raises :class:`InputError` for an empty box, boxes of one net that overlap with different z, and nets that overlap.
    """
    nets: defaultdict[str, _Footprints] = defaultdict(dict)
    for solid in solids:
        low, high = ([round(x / NANOMETRE) for x in corner] for corner in (solid.low, solid.high))
        if any(a >= b for a, b in zip(low, high, strict=True)):
            raise InputError(f"{solid.net}: has a box thinner than a nanometre: {solid.low} to {solid.high} m")
        footprint = nets[solid.net].setdefault((low[2], high[2]), kdb.Region())
        footprint.insert(kdb.Box(low[0], low[1], high[0], high[1]))
    for levels in nets.values():
        for region in levels.values():
            region.merge()
    _refuse_overlaps(nets)
    faces = []
    for net, levels in nets.items():
        for level, region in levels.items():
            bottom, top = level
            below, above = _touching(levels, 1, bottom), _touching(levels, 0, top)
            # A smaller box that stands on a larger one loses its lid, the larger one keeps its own: that is inside
            # metal and carries no charge. Of two alike the lower one loses it.
            faces += _lid(net, level, bottom, region - below.not_inside(region))
            faces += _lid(net, level, top, region - above.not_inside(region) - above.inside(region.inside(above)))
            faces += _walls(net, level, region)
    return faces


def _touching(levels: _Footprints, end: int, z: int) -> kdb.Region:
    """Footprint of the boxes that begin (``end`` 0) or end (1) at ``z``."""
    found = kdb.Region()
    for extent, region in levels.items():
        if extent[end] == z:
            found += region
    return found


def _refuse_overlaps(nets: dict[str, _Footprints]) -> None:
    everything = [(net, extent, region) for net, levels in nets.items() for extent, region in levels.items()]
    for k, (net, (bottom, top), region) in enumerate(everything):
        for other, extent, footprint in everything[:k]:
            if extent[0] >= top or extent[1] <= bottom or (region & footprint).is_empty():
                continue
            place = (region & footprint).bbox().center()
            where = f"at {place.x / 1000:g}, {place.y / 1000:g} um"
            if other == net:
                raise InputError(f"{net}: has overlapping boxes of different heights {where}: draw them in one layer")
            raise InputError(f"{net} and {other}: overlap {where}: move them apart or give them one net")


def _lid(net: str, level: tuple[int, int], z: int, region: kdb.Region) -> list[Face]:
    faces = []
    for piece in region.decompose_trapezoids_to_region(kdb.Polygon.TD_htrapezoids).each():
        box = piece.bbox()
        faces.append(_face(net, level, 2, (box.left, box.bottom, z), (box.right, box.top, z)))
    return faces


def _walls(net: str, level: tuple[int, int], region: kdb.Region) -> list[Face]:
    faces = []
    bottom, top = level
    for edge in region.edges().each():
        box = edge.bbox()
        axis = 0 if box.width() == 0 else 1
        faces.append(_face(net, level, axis, (box.left, box.bottom, bottom), (box.right, box.top, top)))
    return faces


def _face(net: str, level: tuple[int, int], axis: int, low: tuple[int, int, int], high: tuple[int, int, int]) -> Face:
    a, b = ((c[0] * NANOMETRE, c[1] * NANOMETRE, c[2] * NANOMETRE) for c in (low, high))
    return Face(net, level, axis, a, b)
