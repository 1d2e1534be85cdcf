"""Fewer elements for the same array: what is exactly the same, and what changes no charge by more than a bound.

Exact: resistors in series without anything between them become one, dead ends without capacitance vanish (parallel
elements already are one). The others change a cell's current for a while by at most a factor e^x, with x a voltage's
error over kT/q; ``tolerance`` is split between what they do to word lines, bit lines and gates:

- *Gates.* A capacitor between a floating gate and another net goes to ground at both ends. The gate's voltage then
  errs by at most C/C_T·V, with C_T the gate's extracted capacitance and V the read voltage; gates of neighbours pass on
  at most the share s of C_T that couples gates, hence the factor 1/(1 − s).
- *Lines.* A capacitor between two lines goes to ground at both ends. What it would have pushed through a line's
  resistance R at an edge shifts the line by a pulse of area R·C·V and height C/C_line·V, at both edges of a pulse, of
  which the shortest lasts T. Heights add up to kT/q at most, so that the exponential is below (e − 1) times its linear
  part.
- *Wires.* A node between cells joins its nearest neighbour over r, which shifts voltages by at most r times the current
  of all the line's cells at ``weights.current_max``, and delays an edge by r times the line's capacitance.

The bound is relative to the charge that a column gives when every idle row has the shortest pulse.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from netlists.design import Design, ResistiveCell
from netlists.elements import GROUND, SHORT_OHMS, Capacitor, Resistor
from netlists.errors import InputError
from netlists.parasitics.imported import wiring
from netlists.parasitics.mapping import Edge, Wiring

BOLTZMANN_OVER_CHARGE = 8.617333262e-5
"""V/K"""
MAX_GATE_DELAY = 0.01
"""Largest delay inside a floating gate in units of ``t_edge``."""
SHARES = 6
"""Capacitors change gates, word lines and bit lines; so do wires."""


@dataclass(frozen=True)
class Reduction:
    """What is left of an array's parasitics."""

    wiring: Wiring
    change: float
    """Bound on the relative change of any charge"""
    merged: int
    """Elements that exact merging saved"""
    dropped: int
    """Elements that were dropped, moved to ground or shorted within the bound"""


@lru_cache(maxsize=8)
def array_wiring(design: Design) -> Wiring:
    """The extracted parasitics of ``design``, reduced as far as its ``negligible`` allows. Raises
    :class:`~netlists.errors.InputError` on everything that is wrong with the file."""
    return reduced(design, extracted(design), design.parasitics.negligible if design.parasitics else 0.0).wiring


def extracted(design: Design) -> Wiring:
    """The extracted parasitics of ``design`` as they are in its file. Raises as :func:`array_wiring`."""
    assert design.parasitics is not None
    gates = not isinstance(design.cell, ResistiveCell)
    wires = wiring(design.parasitics, design.array.rows, design.array.columns, gates)
    if wires.gate_delay > MAX_GATE_DELAY * design.read.t_edge:
        raise InputError(
            f"{design.parasitics.file}: a floating gate's resistance, which is left out, delays it by "
            f"{wires.gate_delay:.2g} s, too much for t_edge = {design.read.t_edge:g} s: lengthen t_edge or correct it"
        )
    return wires


def reduced(design: Design, wires: Wiring, tolerance: float) -> Reduction:
    """``wires`` of ``design`` with fewer elements and no charge changed by more than ``tolerance`` (relative)."""
    network = _Network(wires)
    network.merge()
    merged = len(wires.edges) - network.size
    change, dropped = 0.0, 0
    if tolerance > 0 and not isinstance(design.cell, ResistiveCell):
        costs = _Costs(design, network, math.log1p(tolerance / SHARES))
        for candidates in (costs.gate_capacitors(), costs.line_capacitors(), costs.short_wires()):
            used: dict[str, float] = {}
            for cost in sorted(candidates, key=lambda c: (c.change, c.ends)):
                spent = [used.get(owner, 0.0) + cost.change for owner in cost.owners]
                if max(spent) <= costs.limit and network.drop(cost):
                    used.update(zip(cost.owners, spent, strict=True))
                    dropped += 1
            for kind in ("wl", "bl", "fg"):
                change += math.expm1(max((x for owner, x in used.items() if owner.startswith(kind)), default=0.0))
        network.merge()
    return Reduction(replace(wires, edges=tuple(network.edges())), change, merged, dropped)


Ends = tuple[str, str]


@dataclass(frozen=True)
class _Cost:
    """Dropping the element between ``ends`` adds ``change`` to the exponent of every line or gate of ``owners``."""

    kind: str
    ends: Ends
    change: float
    owners: tuple[str, ...]


class _Network:
    """Resistors and capacitors between nets, at most one of each between two."""

    def __init__(self, wires: Wiring) -> None:
        self.ports = {*wires.word_ports, *wires.bit_ports}
        self.ohms: dict[str, dict[str, float]] = {}
        self.farads: dict[str, dict[str, float]] = {}
        self.order: dict[str, None] = {}
        self.shorts: list[Edge] = []
        for a, b, element in wires.edges:
            self.order.update({a: None, b: None})
            if isinstance(element, Capacitor):
                _put(self.farads, a, b, element.farads)
            elif element.ohms <= SHORT_OHMS and not (self.inner(a) or self.inner(b)):
                self.shorts.append((a, b, element))  # between cells that share a node
            else:
                self.resist(a, b, element.ohms)

    @property
    def size(self) -> int:
        """Number of elements."""
        return len(self.shorts) + sum(len(held) for held in (*self.ohms.values(), *self.farads.values())) // 2

    def inner(self, net: str) -> bool:
        """Whether nothing but parasitics is connected to ``net``."""
        return net.count("_") == 3 and net not in self.ports

    def resist(self, a: str, b: str, ohms: float) -> None:
        """Add a resistor; one in parallel is merged."""
        before = self.ohms.get(a, {}).pop(b, None)
        _put(self.ohms, a, b, ohms if before is None else 1 / (1 / ohms + 1 / before), replace=True)

    def merge(self) -> None:
        """Merge resistors in series and drop dead ends, as long as there are any."""
        waiting = [net for net in self.order if self.inner(net)]
        while waiting:
            net = waiting.pop()
            near = self.ohms.get(net, {})
            if self.farads.get(net) or not 1 <= len(near) <= 2:
                continue
            ends = list(near)
            total = sum(near.values())
            for end in ends:
                del self.ohms[end][net]
            del self.ohms[net]
            if len(ends) == 2:
                self.resist(ends[0], ends[1], total)
            waiting += [end for end in ends if self.inner(end)]

    def drop(self, cost: _Cost) -> bool:
        """Send a capacitor to ground at both ends, or join an inner node to its neighbour; False where that is gone."""
        a, b = cost.ends
        if cost.kind == "wire":
            return self._join(a, b)
        farads = self.farads[a].pop(b)
        del self.farads[b][a]
        for end in (a, b):
            _put(self.farads, end, GROUND, farads)
        return True

    def _join(self, inner: str, other: str) -> bool:
        if other not in self.ohms.get(inner, {}):
            return False
        for end, ohms in self.ohms.pop(inner).items():
            del self.ohms[end][inner]
            if end != other:
                self.resist(other, end, ohms)
        for end, farads in self.farads.pop(inner, {}).items():
            del self.farads[end][inner]
            if end != other:
                _put(self.farads, other, end, farads)
        return True

    def edges(self) -> Iterator[Edge]:
        """All elements, in the order of their nets."""
        yield from self.shorts
        place = {net: k for k, net in enumerate(self.order)}
        place.setdefault(GROUND, len(place))
        place[GROUND] = len(place)
        for a in self.order:
            line = a.rsplit("_", 1)[0] if a.startswith("fg") else "_".join(a.split("_")[:2])
            for b, ohms in self.ohms.get(a, {}).items():
                if place[a] < place[b]:
                    yield a, b, Resistor(f"r{line}_{place[a]}_{place[b]}", ohms)
        for a in self.order:
            for b, farads in self.farads.get(a, {}).items():
                if place[a] < place[b]:
                    yield a, b, Capacitor(f"ext_{place[a]}_{place[b]}", farads)


def _put(table: dict[str, dict[str, float]], a: str, b: str, value: float, replace: bool = False) -> None:
    for one, other in ((a, b), (b, a)):
        held = table.setdefault(one, {})
        held[other] = value if replace else held.get(other, 0.0) + value


class _Costs:
    """What dropping each element of a network changes at most; nothing may add up to more than ``limit``."""

    def __init__(self, design: Design, network: _Network, limit: float) -> None:
        self.network, self.limit = network, limit
        self.swing = design.read.voltage / (BOLTZMANN_OVER_CHARGE * design.read.temperature)
        """Read voltage over kT/q"""
        self.shortest = max(design.read.t_edge, design.read.t_max / (2**design.read.bits - 1))
        self.total: dict[str, float] = {}
        gates: dict[str, float] = {}
        for a, held in network.farads.items():
            for b, farads in held.items():
                owner = _owner(a)
                if owner != _owner(b):
                    self.total[owner] = self.total.get(owner, 0.0) + farads
                    gates[owner] = gates.get(owner, 0.0) + farads * (a.startswith("fg") and b.startswith("fg"))
        share = max((farads / self.total[gate] for gate, farads in gates.items()), default=0.0)
        self.passed_on = 1 / (1 - share) if share < 1 else math.inf
        wires, array = design.wires, design.array
        self.line_ohms: dict[str, float] = {}
        for a, near in network.ohms.items():
            end = wires.driver_resistance if a.startswith("wl") else wires.switch_resistance
            self.line_ohms[_owner(a)] = self.line_ohms.get(_owner(a), end) + sum(near.values()) / 2
        current = design.weights.current_max / (BOLTZMANN_OVER_CHARGE * design.read.temperature)
        self.current = {"wl": array.columns * current, "bl": array.rows * current, "fg": 0.0}
        """Current of all cells of a line over kT/q, 1/ohm"""

    def gate_capacitors(self) -> Iterator[_Cost]:
        """Capacitors between a floating gate and another net."""
        for ends, farads in self._pairs():
            owners = tuple(owner for owner in map(_owner, ends) if owner.startswith("fg"))
            if owners:
                volts = farads / min(self.total[owner] for owner in owners) * self.passed_on
                yield _Cost("gate", ends, volts * self.swing, owners)

    def line_capacitors(self) -> Iterator[_Cost]:
        """Capacitors between two lines."""
        for ends, farads in self._pairs():
            owners = tuple(map(_owner, ends))
            if not any(owner.startswith("fg") for owner in owners):
                area = farads * max(self.line_ohms.get(owner, 0.0) for owner in owners)
                height = farads / min(self.total[owner] for owner in owners) * self.swing
                change = max((math.e - 1) * self._delayed(area), height * self.limit)
                yield _Cost("line", ends, change, owners)

    def short_wires(self) -> Iterator[_Cost]:
        """Resistors that end at an inner node."""
        for net, near in self.network.ohms.items():
            if self.network.inner(net) and near:
                other, ohms = min(near.items(), key=lambda item: (item[1], item[0]))
                owner = _owner(net)
                change = ohms * self.current[net[:2]] + self._delayed(ohms * self.total.get(owner, 0.0))
                yield _Cost("wire", (net, other), change, (owner,))

    def _delayed(self, seconds: float) -> float:
        """The exponent, on average over the shortest pulse, of the read voltage for ``seconds`` at both its edges."""
        return 2 * seconds / self.shortest * self.swing

    def _pairs(self) -> Iterator[tuple[Ends, float]]:
        """Capacitors between nets of two lines or gates."""
        for a, held in self.network.farads.items():
            for b, farads in held.items():
                if a < b and GROUND not in (a, b) and _owner(a) != _owner(b):
                    yield (a, b), farads


def _owner(net: str) -> str:
    """The line or gate that ``net`` is part of."""
    return "_".join(net.split("_")[: 3 if net.startswith("fg") else 2])
