"""What is connected in a layout: nets by klayout's own extraction, opens and shorts against the labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import klayout.db as db

from netlists.errors import InputError
from netlists.layout.files import LABELS, layer_index
from netlists.stack import Stack


@dataclass(frozen=True)
class Cluster:
    """Shapes connected with each other, the ``labels`` on them, and the centre of one of them, m."""

    labels: frozenset[str]
    place: tuple[float, float]


def clusters(layout: db.Layout, stack: Stack) -> list[Cluster]:
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
    poly, diffusion = stack.poly.name, stack.diffusion.name
    terminals = shapes[diffusion] - shapes[poly]
    netlist.register(terminals, "terminals")
    shapes[diffusion] = terminals
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
    return [] if circuit is None else [_cluster(netlist, net, shapes.values(), flat.dbu) for net in circuit.each_net()]


def check_connectivity(layout: db.Layout, stack: Stack, names: Iterable[str]) -> None:
    """Raises :class:`InputError` unless each of ``names`` labels one cluster that no other name labels, and all
    shapes belong to one: naming the nets of the first short, open or unnamed cluster and its place."""
    found = clusters(layout, stack)
    for cluster in found:
        if len(cluster.labels) > 1:
            nets = " and ".join(sorted(cluster.labels)[:4])
            raise InputError(f"layout: nets {nets} are shorted, near {_at(cluster)}: move their shapes apart")
    count = Counter(label for cluster in found for label in cluster.labels)
    for cluster in found:
        if any(count[label] > 1 for label in cluster.labels):
            name = next(iter(cluster.labels))
            raise InputError(f"layout: net {name} is open: {count[name]} parts, one near {_at(cluster)}: join them")
    for cluster in found:
        if not cluster.labels:
            raise InputError(f"layout: shapes near {_at(cluster)} belong to no named net: label or join them")
    expected = set(names)
    missing, extra = sorted(expected - set(count)), sorted(set(count) - expected)
    if missing or extra:
        problem = f"net {missing[0]} is missing" if missing else f"net {extra[0]} is none of the design's"
        raise InputError(f"layout: {problem}: correct its label, datatype {LABELS} of its layer")


def _cluster(netlist: db.LayoutToNetlist, net: db.Net, regions: Iterable[db.Region], dbu: float) -> Cluster:
    labels = frozenset(net.name.split(",")) if net.name else frozenset()
    box = db.Box()
    for shapes in regions:
        box = next((polygon.bbox() for polygon in netlist.shapes_of_net(net, shapes).each()), box)
        if not box.empty():
            break
    return Cluster(labels, (box.center().x * dbu * 1e-6, box.center().y * dbu * 1e-6))


def _at(cluster: Cluster) -> str:
    return f"x {cluster.place[0] * 1e6:.3f} um, y {cluster.place[1] * 1e6:.3f} um"
