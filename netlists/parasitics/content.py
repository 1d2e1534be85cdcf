"""What a file of extracted parasitics says: nets, nodes, ports, instance pins, resistors and capacitors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from netlists.errors import InputError

MAX_ELEMENTS = 1_000_000
"""Resistors and capacitors of one file, which take 0.3 kB each."""
MAX_NAMES = 500_000
"""Nodes and nets of one file, and entries of its name map."""
MAX_NAME = 512
"""Longest name in characters."""
LARGEST = {"capacitance": 1e-3, "resistance": 1e15}
"""Largest values in F and ohm."""
TOTAL_ERROR, TOTAL_ERROR_FARADS = 0.1, 1e-17
"""By how much the capacitors of a net may differ from the total that the file states for it: of the total, and in F
besides."""
GROUND_NET = "0"
"""The net that stands for ground in every format."""


@dataclass(frozen=True, slots=True)
class Branch:
    """``value`` (ohm or F, in SI units) between nodes ``a`` and ``b``, from ``line`` of the file."""

    a: str
    b: str
    value: float
    line: int


@dataclass(frozen=True, slots=True)
class Pin:
    """The pin ``name`` of ``instance`` is ``node``."""

    node: str
    instance: str
    name: str
    line: int


@dataclass(frozen=True)
class Content:
    """A whole file; every node of ``resistors``, ``capacitors``, ``pins`` and ``ports`` has its net in ``net_of``."""

    path: str
    lines: int
    nets: Mapping[str, int]
    """Every net with the line that declares it."""
    net_of: Mapping[str, str]
    ports: Mapping[str, tuple[str, ...]]
    """Nodes of a net at which the outside is connected."""
    pins: tuple[Pin, ...]
    resistors: tuple[Branch, ...]
    capacitors: tuple[Branch, ...]
    implied: frozenset[str]
    """Nets that have no section of their own, only capacitors from others'"""
    grounds: frozenset[str]
    """Nets that the file itself calls ground or supply."""
    notes: tuple[str, ...]

    def error(self, line: int, text: str) -> InputError:
        """``text`` with file and line."""
        return InputError(f"{self.path}:{line}: {text}")


def shown(text: str) -> str:
    """``text`` of a file in an error message: short, on one line."""
    clean = "".join(c if c.isprintable() else "?" for c in text[:60])
    return repr(clean + ("…" if len(text) > 60 else ""))


@dataclass
class Builder:
    """Collects a :class:`Content` while a file is read, within limits; raises errors that name file and line."""

    path: str
    line: int = 0
    nets: dict[str, int] = field(default_factory=dict)
    declared: dict[str, str] = field(default_factory=dict)
    """Net of every node of which the file says it."""
    hinted: dict[str, str] = field(default_factory=dict)
    """Net in whose section an undeclared node first occurs."""
    ports: dict[str, list[str]] = field(default_factory=dict)
    pins: dict[tuple[str, str, str], Pin] = field(default_factory=dict)
    """By node, instance and pin: cells may share a node."""
    resistors: list[Branch] = field(default_factory=list)
    capacitors: list[Branch] = field(default_factory=list)
    elements: int = 0
    totals: dict[str, tuple[float, int]] = field(default_factory=dict)
    """Capacitance in F that the file states for a net as a whole, and the line."""
    grounds: set[str] = field(default_factory=lambda: {GROUND_NET})
    notes: list[str] = field(default_factory=list)

    def error(self, text: str, line: int | None = None) -> InputError:
        """``text`` with file and the present (or another) line."""
        return InputError(f"{self.path}:{self.line if line is None else line}: {text}")

    def name(self, text: str) -> str:
        """``text`` if it can be a name."""
        if not 0 < len(text) <= MAX_NAME:
            raise self.error(f"a name of {len(text)} characters: at most {MAX_NAME} are read")
        return text

    def net(self, name: str) -> str:
        """Declare a net; a second section of the same net continues it."""
        if self.nets.setdefault(self.name(name), self.line) == self.line and len(self.nets) > MAX_NAMES:
            raise self.error(f"more than {MAX_NAMES} nets: extract the array alone")
        return name

    def total(self, net: str, farads: float) -> None:
        """The total capacitance that the present line states for ``net``; 0 states none."""
        if not 0 <= farads <= LARGEST["capacitance"]:
            raise self.error(f"total capacitance {farads:g} F of net {shown(net)}: correct value or unit")
        self.totals[net] = self.totals.get(net, (0.0, 0))[0] + farads, self.line

    def node(self, node: str, net: str) -> str:
        """Declare that ``node`` belongs to ``net``."""
        before = self.declared.setdefault(self.name(node), net)
        if before != net:
            raise self.error(f"node {shown(node)} belongs to net {shown(before)} and to {shown(net)}: keep one")
        if len(self.declared) + len(self.hinted) > MAX_NAMES:
            raise self.error(f"more than {MAX_NAMES} nodes: extract the array alone or reduce it")
        return node

    def pin(self, node: str, instance: str, name: str, net: str) -> None:
        """Declare an instance pin."""
        self.node(node, net)
        self.pins.setdefault((node, instance, name), Pin(node, self.name(instance), self.name(name), self.line))
        if len(self.pins) > 2 * MAX_NAMES:
            raise self.error(f"more than {2 * MAX_NAMES} pins: extract the array alone")

    def port(self, node: str, net: str) -> None:
        """Declare a port."""
        self.node(node, net)
        nodes = self.ports.setdefault(net, [])
        if node not in nodes[:64]:
            nodes.append(node)

    def seen(self, node: str, section: str | None = None) -> str:
        """A node of an element, perhaps of the net of this section."""
        if node not in self.declared and not self.hinted.get(node):
            self.hinted[self.name(node)] = "" if node == GROUND_NET else section or ""
            if len(self.declared) + len(self.hinted) > MAX_NAMES:
                raise self.error(f"more than {MAX_NAMES} nodes: extract the array alone or reduce it")
        return node

    def branch(self, a: str, b: str, value: float, what: str = "capacitance") -> Branch:
        """A resistor or capacitor of the present line, checked and counted but not kept."""
        if not math.isfinite(value) or value > LARGEST[what]:
            raise self.error(f"{what} {value:g} is beyond every wire: correct value or unit")
        if value < 0:
            raise self.error(f"{what} {value:g} is negative: correct it or extract without reduction")
        self.elements += 1
        if self.elements > MAX_ELEMENTS:
            raise self.error(f"more than {MAX_ELEMENTS} elements: extract the array alone or reduce it")
        return Branch(a, b, value, self.line)

    def content(self, delimiter: str) -> Content:
        """What was collected. A node of which nothing says the net belongs to that of its name before ``delimiter``,
        else to the section it was first seen in, else to a net of its own; one named like a pin is a pin."""
        net_of, implied = dict(self.declared), set()
        for node, section in self.hinted.items():
            if node in self.declared:
                continue
            base, found, _ = node.rpartition(delimiter)
            named = node if node in self.nets else base if found and base in self.nets else None
            net = named or section or (base if found and base else node)
            net_of[node] = net
            if net not in self.nets:
                implied.add(net)
                self.nets[net] = self.line
        self._require_totals(net_of)
        declared = {node for node, *_ in self.pins}
        for node, net in net_of.items():
            base, found, suffix = node.rpartition(delimiter)
            if found and base and suffix and base != net and node not in declared:
                self.pins[node, base, suffix] = Pin(node, base, suffix, self.nets[net])
        return Content(
            path=self.path, lines=self.line, nets=self.nets, net_of=net_of,
            ports={net: tuple(nodes) for net, nodes in self.ports.items()}, pins=tuple(self.pins.values()),
            resistors=tuple(self.resistors), capacitors=tuple(self.capacitors), implied=frozenset(implied),
            grounds=frozenset(self.grounds), notes=tuple(self.notes),
        )  # fmt: skip

    def _require_totals(self, net_of: Mapping[str, str]) -> None:
        """Raise where the capacitors of a net are not what the file states for the net as a whole."""
        held = dict.fromkeys(self.totals, 0.0)
        for branch in self.capacitors:
            for net in {net_of[branch.a], net_of[branch.b]} & held.keys():
                held[net] += branch.value
        for net, (stated, line) in self.totals.items():
            if stated and abs(held[net] - stated) > TOTAL_ERROR * stated + TOTAL_ERROR_FARADS:
                raise self.error(
                    f"net {shown(net)} states {stated * 1e15:.4g} fF, its capacitors hold {held[net] * 1e15:.4g} fF: "
                    "part of the file is missing or its units contradict each other: extract again",
                    line,
                )
