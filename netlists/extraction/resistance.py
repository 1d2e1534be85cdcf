"""Resistance of drawn wires with their contacts and vias, by KLayout's extractor and Kirchhoff's equations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import klayout.db as kdb
import klayout.pex as untyped_pex
import numpy as np

from netlists.errors import InputError
from netlists.extraction.solids import NANOMETRE
from netlists.layout.conductors import Conductor
from netlists.stack import Stack

pex: Any = untyped_pex  # its stubs lack the resistance extractor
_UNITS_PER_MICROMETRE = 1000
_MICROMETRE = 1e-6


def resistance(
    conductors: Sequence[Conductor], stack: Stack, start: tuple[str, float, float], end: tuple[str, float, float]
) -> float:
    """Resistance in ohm of one net's ``conductors`` between two points: each a layer and x, y in m on a shape of it.

    Layers count squares along the wire, cuts their resistance per area. Raises :class:`InputError` for shapes of
    several nets, a point on no shape, and points that nothing joins.
    """
    net = _one_net(conductors)
    index = {layer.name: k for k, layer in enumerate((*stack.layers, *stack.cuts))}
    geometry = {k: kdb.Region() for k in index.values()}
    for conductor in conductors:
        if conductor.layer not in index:
            stack.layer(conductor.layer)
        geometry[index[conductor.layer]].insert(kdb.Box(*(round(x / NANOMETRE) for x in conductor.box)))
    ports: dict[int, list[kdb.Point]] = {}
    for layer, x, y in (start, end):
        point = kdb.Point(round(x / NANOMETRE), round(y / NANOMETRE))
        if layer not in index or not _covers(geometry[index[layer]], point):
            raise InputError(f"{net}: no shape on {layer} at {x * 1e6:g}, {y * 1e6:g} um: choose a point on the wire")
        ports.setdefault(index[layer], []).append(point)
    extractor = pex.RNetExtractor(1.0 / _UNITS_PER_MICROMETRE)
    network = extractor.extract(_technology(stack, index), geometry, ports, {})
    first, last = (index[start[0]], 0), (index[end[0]], 1 if start[0] == end[0] else 0)
    return _between(network, first, last, net)


def _one_net(conductors: Sequence[Conductor]) -> str:
    nets = sorted({c.net for c in conductors})
    if len(nets) != 1:
        raise InputError(f"resistance: shapes of {len(nets)} nets ({', '.join(nets[:3])}): give those of one net")
    return nets[0]


def _covers(region: kdb.Region, point: kdb.Point) -> bool:
    return any(box.bbox().contains(point) for box in region.each())


def _technology(stack: Stack, index: dict[str, int]) -> Any:
    technology = pex.RExtractorTech()
    technology.skip_simplify = False
    for layer in stack.layers:
        conductor = pex.RExtractorTechConductor()
        conductor.layer, conductor.resistance = index[layer.name], layer.sheet_resistance
        technology.add_conductor(conductor)
    for cut in stack.cuts:
        for lower in cut.lower:
            via = pex.RExtractorTechVia()
            via.cut_layer, via.bottom_conductor, via.top_conductor = index[cut.name], index[lower], index[cut.upper]
            via.resistance = cut.resistance * (cut.size / _MICROMETRE) ** 2
            technology.add_via(via)
    return technology


def _between(network: Any, first: tuple[int, int], last: tuple[int, int], net: str) -> float:
    """Resistance between two ports, each a layer and its place among the layer's ports."""
    nodes = {node.object_id(): k for k, node in enumerate(network.each_node())}
    places = {}
    for node in network.each_node():
        if node.type() == pex.RNodeType.VertexPort:
            places[node.layer(), node.port_index()] = nodes[node.object_id()]
    a, b = places[first], places[last]
    laplacian = np.zeros((len(nodes), len(nodes)))
    for element in network.each_element():
        i, j = nodes[element.a().object_id()], nodes[element.b().object_id()]
        siemens = 1.0 / max(element.resistance(), 1e-9)
        laplacian[[i, j, i, j], [i, j, j, i]] += [siemens, siemens, -siemens, -siemens]
    current = np.zeros(len(nodes))
    current[a], current[b] = 1.0, -1.0
    # Grounded at b; what does not hang together with it stays at the least-squares voltage 0.
    keep = np.arange(len(nodes)) != b
    voltage = np.zeros(len(nodes))
    voltage[keep] = np.linalg.lstsq(laplacian[np.ix_(keep, keep)], current[keep], rcond=None)[0]
    if not np.allclose(laplacian @ voltage, current, atol=1e-6):
        raise InputError(f"{net}: nothing joins the two points: draw the missing wire or via")
    return float(voltage[a])
