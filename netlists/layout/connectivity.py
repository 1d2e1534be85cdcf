"""What is connected in a layout by klayout's own extraction: nets, transistors, opens and shorts against labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import klayout.db as db

from netlists.errors import InputError
from netlists.layout.files import LABELS, layer_index
from netlists.stack import Stack

Place = tuple[float, float]
"""x and y, m."""


@dataclass(frozen=True)
class Cluster:
    """Shapes connected with each other, the ``labels`` on them, and the centre of one of them, m."""

    labels: frozenset[str]
    place: Place


@dataclass(frozen=True)
class Transistor:
    """A gate across diffusion: labels of its ``gate`` and of what its two ``ends`` are connected to (empty where there
    is none), width and length of its channel and the ``place`` of its centre, m."""

    gate: str
    ends: tuple[str, str]
    width: float
    length: float
    place: Place


@dataclass(frozen=True)
class Connections:
    """All that is connected in a layout, and the transistors between."""

    clusters: tuple[Cluster, ...]
    transistors: tuple[Transistor, ...]


@dataclass(frozen=True)
class Fault:
    """What is wrong with a net, in one line with the remedy."""

    kind: Literal["short", "open", "unnamed", "missing", "foreign"]
    text: str


def connections(layout: db.Layout, stack: Stack) -> Connections:
    """The connected shapes of the top cell's poly, metals, sources and drains (diffusion cut by gates)."""
    flat = db.Layout()
    flat.assign(layout)
    top = flat.top_cell()
    top.flatten(True)
    netlist = db.LayoutToNetlist(db.RecursiveShapeIterator(flat, top, []))
    shapes = {
        layer.name: netlist.make_layer(layer_index(flat, stack, layer.name), f"drawn_{layer.name}")
        for layer in stack.layers
    }
    poly, diffusion = shapes[stack.poly.name], shapes[stack.diffusion.name]
    gates, terminals = poly & diffusion, diffusion - poly
    netlist.register(gates, "gates")
    netlist.register(terminals, "terminals")
    netlist.extract_devices(db.DeviceExtractorMOS3Transistor("MOS"), {"SD": terminals, "G": gates, "P": poly})
    shapes[stack.diffusion.name] = terminals
    for layer in stack.layers:
        netlist.connect(shapes[layer.name])
        texts = netlist.make_text_layer(layer_index(flat, stack, layer.name, LABELS), f"label_{layer.name}")
        netlist.connect(shapes[layer.name], texts)
    for cut in stack.cuts:
        holes = netlist.make_layer(layer_index(flat, stack, cut.name), f"drawn_{cut.name}")
        netlist.connect(holes)
        for name in (*cut.lower, cut.upper):
            netlist.connect(holes, shapes[name])
    netlist.extract_netlist()
    circuit = netlist.netlist().circuit_by_name(top.name)
    if circuit is None:
        return Connections((), ())
    found = tuple(_cluster(netlist, net, shapes.values(), flat.dbu) for net in circuit.each_net())
    return Connections(found, tuple(_transistor(device) for device in circuit.each_device()))


def faults(clusters: Iterable[Cluster], names: Iterable[str]) -> Iterator[Fault]:
    """Why it is not so that each of ``names`` labels one cluster that no other name labels, and all shapes belong to
    one: shorts, then opens, clusters without a name, missing names and others."""
    clusters = tuple(clusters)
    for cluster in clusters:
        if len(cluster.labels) > 1:
            nets = " and ".join(sorted(cluster.labels)[:4])
            yield Fault("short", f"nets {nets} are shorted, near {at(cluster.place)}: move their shapes apart")
    count = Counter(label for cluster in clusters for label in cluster.labels)
    broken = dict.fromkeys(label for c in clusters for label in sorted(c.labels) if count[label] > 1)
    for name in broken:
        place = next(cluster.place for cluster in clusters if name in cluster.labels)
        yield Fault("open", f"net {name} is open: {count[name]} parts, one near {at(place)}: join them")
    for cluster in clusters:
        if not cluster.labels:
            yield Fault("unnamed", f"shapes near {at(cluster.place)} belong to no named net: label or join them")
    expected, remedy = set(names), f"correct its label, datatype {LABELS} of its layer"
    for name in sorted(expected - set(count)):
        yield Fault("missing", f"net {name} is missing: {remedy}")
    for name in sorted(set(count) - expected):
        yield Fault("foreign", f"net {name} is none of the design's: {remedy}")


def check_connectivity(layout: db.Layout, stack: Stack, names: Iterable[str]) -> None:
    """Raises :class:`InputError` with the first of :func:`faults`, if there is one."""
    first = next(faults(connections(layout, stack).clusters, names), None)
    if first is not None:
        raise InputError(f"layout: {first.text}")


def at(place: Place) -> str:
    """``place`` for people."""
    return f"x {place[0] * 1e6:.3f} um, y {place[1] * 1e6:.3f} um"


def _cluster(netlist: db.LayoutToNetlist, net: db.Net, regions: Iterable[db.Region], dbu: float) -> Cluster:
    box = db.Box()
    for shapes in regions:
        box = next((polygon.bbox() for polygon in netlist.shapes_of_net(net, shapes).each()), box)
        if not box.empty():
            break
    labels = frozenset(_shown(net.name).split(",")) if net.name else frozenset[str]()
    return Cluster(labels, (box.center().x * dbu * 1e-6, box.center().y * dbu * 1e-6))


def _transistor(device: db.Device) -> Transistor:
    gate, first, second = (_label(device.net_for_terminal(terminal)) for terminal in ("G", "S", "D"))
    middle = device.trans.disp
    return Transistor(
        gate, (first, second), device.parameter("W") * 1e-6, device.parameter("L") * 1e-6,
        (middle.x * 1e-6, middle.y * 1e-6),
    )  # fmt: skip


def _label(net: db.Net | None) -> str:
    return "" if net is None else _shown(net.name)


def _shown(name: str) -> str:
    """A foreign file's ``name`` as a terminal shows it."""
    return "".join(character if character.isprintable() else "?" for character in name)
