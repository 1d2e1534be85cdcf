"""An array's parasitics as DSPF, SPEF or SPICE, as an extractor would write them for the drawn array.

Nets are ``WL_i``, ``BL_j`` and ``FG_i_j``, cells ``M_i_j`` with pins S (word line), D (bit line) and G; drivers and
column switches are the ports' business and are left out, as are the cells. Reading the file back
(:mod:`netlists.parasitics.mapping`) gives the same elements between the same nets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

import networkx as nx

from netlists.design import Design
from netlists.elements import GROUND, SHORT_OHMS, Capacitor, Resistor
from netlists.errors import InputError
from netlists.graph import oriented

Format = Literal["spef", "dspf", "spice"]
FORMATS: dict[str, Format] = {
    ".spef": "spef", ".spf": "dspf", ".dspf": "dspf", ".sp": "spice", ".spi": "spice", ".cir": "spice",
}  # fmt: skip
"""Format by the file's suffix, before ``.gz`` perhaps."""
_WORDS_A_LINE = 8


def format_of(path: PurePath, *others: str) -> Format:
    """The format that the name of ``path`` asks for. Raises :class:`InputError` where it asks for none; ``others`` are
    suffixes of further files that the caller writes, which the remedy names, too."""
    suffix = PurePath(path.name.removesuffix(".gz")).suffix.lower()
    if suffix not in FORMATS:
        netlists, further = ", ".join(f"*{name}" for name in FORMATS), "".join(f", or *{name}" for name in others)
        raise InputError(f"{path}: no format of parasitics: name it {netlists} (also .gz){further}")
    return FORMATS[suffix]


def parasitics_text(design: Design, graph: nx.MultiGraph, form: Format) -> str:
    """The text of a file that holds the wires and capacitances of ``graph``, the array graph of ``design``."""
    array = _array(graph)
    writer = {"spef": _spef, "dspf": _dspf, "spice": _spice}[form]
    return "\n".join(writer(design, array)) + "\n"


@dataclass
class _Net:
    """One line or gate: its nodes by the array's nets."""

    name: str
    nodes: dict[str, None]
    port: str | None = None
    """The node where driver or switch sits"""


@dataclass
class _Array:
    nets: dict[str, _Net]
    node: dict[str, str]
    """Name in the file of each of the array's nets"""
    edges: list[tuple[str, str, Resistor | Capacitor]]


def _array(graph: nx.MultiGraph) -> _Array:
    array = _Array({}, {GROUND: "0"}, [])
    ports = {}
    for a, b, element in oriented(graph):
        if isinstance(element, Capacitor):
            array.edges.append((a, b, element))
        elif isinstance(element, Resistor) and a.startswith(("drv_", "clamp_")):
            ports[_net_name(b)] = b
        elif isinstance(element, Resistor) and not element.name.startswith("cell_"):
            array.edges.append((a, b, element))
    for net in graph.nodes:
        if net != GROUND and not net.startswith(("drv_", "clamp_")):
            name = _net_name(net)
            array.nets.setdefault(name, _Net(name, {})).nodes[net] = None
            array.node[net] = _node_name(net)
    for name, node in ports.items():
        array.nets[name].port = node
    return array


def _net_name(net: str) -> str:
    kind, first, second = net.split("_")[:3]
    return f"FG_{first}_{second}" if kind == "fg" else f"{kind.upper()}_{first}"


def _pin(net: str) -> tuple[str, str] | None:
    """Instance and pin at one of the array's nets; None at a node between cells."""
    kind, *place = net.split("_")
    if len(place) != 2:
        return None
    row, column = reversed(place) if kind == "bl" else place
    return f"M_{row}_{column}", {"wl": "S", "bl": "D", "fg": "G"}[kind]


def _node_name(net: str) -> str:
    pin = _pin(net)
    if pin:
        return ":".join(pin)
    kind, *place = net.split("_")
    return f"{_net_name(net)}:{place[1]}{place[2]}" if kind != "fg" else f"{_net_name(net)}:{place[2]}"


def _line_resistors(array: _Array) -> Iterator[tuple[str, str, str, float]]:
    """Net, two nodes and ohms of every resistor, that between a line's port and its node among them."""
    for net in array.nets.values():
        if net.port is not None:
            yield net.name, net.name, array.node[net.port], SHORT_OHMS
    for a, b, element in array.edges:
        if isinstance(element, Resistor):
            yield _net_name(a), array.node[a], array.node[b], element.ohms


def _farads(array: _Array) -> Iterator[tuple[str, str, str, float]]:
    """Nets (of ground: "0") joined by a blank, two nodes and farads of every capacitor; ground is the second."""
    for a, b, element in array.edges:
        if isinstance(element, Capacitor):
            nets = f"{_net_name(a)} {_net_name(b) if b != GROUND else GROUND}"
            yield nets, array.node[a], array.node[b], element.farads


def _head(design: Design) -> str:
    size = f"{design.array.rows}x{design.array.columns}"
    return f"fgcosim array {design.name} {size} {design.hash[:12]}"


def _grouped(rows: Iterator[tuple[str, str, str, float]]) -> dict[str, list[tuple[str, str, float]]]:
    held: dict[str, list[tuple[str, str, float]]] = {}
    for key, a, b, value in rows:
        held.setdefault(key, []).append((a, b, value))
    return held


def _dspf(design: Design, array: _Array) -> Iterator[str]:
    yield "*|DSPF 1.5"
    yield f'*|DESIGN "{design.name}"'
    yield '*|PROGRAM "fgcosim"'
    yield "*|DIVIDER /"
    yield "*|DELIMITER :"
    yield "*|GROUND_NET 0"
    yield f"* {_head(design)}"
    yield from _subckt([net.name for net in array.nets.values() if net.port is not None])
    resistors, total, couplings = _grouped(_line_resistors(array)), _totals(array), _couplings(array)
    number = 0
    for net in array.nets.values():
        yield f"*|NET {net.name} {total[net.name]!r}"
        if net.port is not None:
            yield f"*|P ({net.name} X 0)"
        for node in net.nodes:
            pin = _pin(node)
            yield f"*|I ({array.node[node]} {pin[0]} {pin[1]} B 0)" if pin else f"*|S ({array.node[node]})"
        if net.port is None and not any(_pin(node) for node in net.nodes):
            yield f"*|S ({net.name})"
        for letter, rows in (("R", resistors.get(net.name, [])), ("C", couplings.get(net.name, []))):
            for a, b, value in rows:
                number += 1
                yield f"{letter}{number} {a} {b} {value!r}"
    yield ".ends"


def _couplings(array: _Array) -> dict[str, list[tuple[str, str, float]]]:
    """Capacitors by the net of their first node."""
    return _grouped((key.split()[0], a, b, farads) for key, a, b, farads in _farads(array))


def _totals(array: _Array) -> dict[str, float]:
    total = dict.fromkeys(array.nets, 0.0)
    for key, _, _, farads in _farads(array):
        for name in key.split():
            if name != GROUND:
                total[name] += farads
    return total


def _subckt(ports: list[str]) -> Iterator[str]:
    lines = [ports[k : k + _WORDS_A_LINE] for k in range(0, len(ports), _WORDS_A_LINE)]
    yield ".subckt array " + " ".join(lines[0] if lines else [])
    for words in lines[1:]:
        yield "+ " + " ".join(words)


def _spice(design: Design, array: _Array) -> Iterator[str]:
    yield f"* {_head(design)}: wires and capacitances; its ports are lines and the cells' pins"
    for net in array.nets.values():  # without comments that say nets, a gate's node must be called like its net
        gates = [node for node in net.nodes if node.startswith("fg_") and _pin(node)]
        array.node.update(dict.fromkeys(gates, net.name))
    ports = [net.name for net in array.nets.values() if net.port is not None]
    yield from _subckt(ports + [array.node[node] for net in array.nets.values() for node in net.nodes if _pin(node)])
    for letter, rows in (("R", _line_resistors(array)), ("C", _farads(array))):
        for k, (_, a, b, value) in enumerate(rows):
            yield f"{letter}{k} {a} {b} {value!r}"
    yield ".ends array"


def _spef(design: Design, array: _Array) -> Iterator[str]:
    yield '*SPEF "IEEE 1481-1998"'
    for key, value in (("DESIGN", design.name), ("DATE", ""), ("VENDOR", ""), ("PROGRAM", "fgcosim"), ("VERSION", "")):
        yield f'*{key} "{value}"'
    yield '*DESIGN_FLOW "NETLIST_TYPE_SPICE"'
    yield "*DIVIDER /\n*DELIMITER :\n*BUS_DELIMITER [ ]"
    yield "*T_UNIT 1 PS\n*C_UNIT 1 FF\n*R_UNIT 1 OHM\n*L_UNIT 1 HENRY"
    yield f"// {_head(design)}"
    index: dict[str, int] = {}
    for net in array.nets.values():
        index.setdefault(net.name, len(index) + 1)
        for node in net.nodes:
            pin = _pin(node)
            if pin:
                index.setdefault(pin[0], len(index) + 1)
    yield "\n*NAME_MAP"
    yield from (f"*{k} {name}" for name, k in index.items())
    ports = [net for net in array.nets.values() if net.port is not None]
    yield "\n*PORTS"
    yield from (f"*{index[net.name]} B" for net in ports)

    def mapped(node: str) -> str:
        base, colon, suffix = node.partition(":")
        return f"*{index[base]}{colon}{suffix}"

    resistors, total = _grouped(_line_resistors(array)), _totals(array)
    farads: dict[str, list[tuple[str, str, float]]] = {}
    for key, a, b, amount in _farads(array):  # a coupling capacitor stands in the sections of both nets
        first, second = key.split()
        farads.setdefault(first, []).append((a, b, amount))
        if second not in (GROUND, first):
            farads.setdefault(second, []).append((b, a, amount))
    for net in array.nets.values():
        yield f"\n*D_NET *{index[net.name]} {_femto(total[net.name])}\n*CONN"
        if net.port is not None:
            yield f"*P *{index[net.name]} B"
        for node in net.nodes:
            yield f"*{'I' if _pin(node) else 'N'} {mapped(array.node[node])}{' B' if _pin(node) else ''}"
        yield "*CAP"
        for k, (a, b, amount) in enumerate(farads.get(net.name, []), 1):
            second = "" if b == GROUND else f" {mapped(b)}"
            yield f"{k} {mapped(a)}{second} {_femto(amount)}"
        yield "*RES"
        for k, (a, b, ohms) in enumerate(resistors.get(net.name, []), 1):
            yield f"{k} {mapped(a)} {mapped(b)} {ohms!r}"
        yield "*END"


def _femto(farads: float) -> str:
    """``farads`` in fF, as the decimal number that it is."""
    mantissa, _, exponent = f"{farads!r}".partition("e")
    return repr(float(f"{mantissa}e{int(exponent or 0) + 15}"))
