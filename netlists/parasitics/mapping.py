"""From the nets of an extracted file to those of an array graph.

The node to which a cell's pin is connected becomes ``wl_i_j`` or ``bl_j_i``; any other node of a line becomes
``wl_i_j_nK`` or ``bl_j_i_nK`` with (i, j) the cell that is nearest along its resistors and K a count. Cells that share
a node of the file get a net each, joined by shorts. All nodes of a floating gate are the one net ``fg_i_j``: no steady
current flows in it, and its resistors would leave a simulator with nodes that nothing but 1e18 ohm holds. Nothing of a
file's names is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import networkx as nx

from netlists.elements import GROUND, SHORT_OHMS, Capacitor, Resistor
from netlists.parasitics.content import GROUND_NET, Branch, Content, shown
from netlists.parasitics.groups import Groups
from netlists.parasitics.section import Kind, Parasitics

Role = tuple[str | int, ...]
"""("wl", i), ("bl", j), ("fg", i, j) or ("ground",)"""
Edge = tuple[str, str, Resistor | Capacitor]


@dataclass(frozen=True)
class Wiring:
    """All parasitics of an array in the array's own nets."""

    edges: tuple[Edge, ...]
    word_ports: tuple[str, ...]
    """Net of every word line at which its driver sits"""
    bit_ports: tuple[str, ...]
    """Net of every bit line at which its switch sits"""
    gate_delay: float
    """Largest product of a floating gate's own resistance, which is left out, and its capacitance, s"""
    notes: tuple[str, ...]


def map_content(section: Parasitics, content: Content, rows: int, columns: int, gates: bool) -> Wiring:
    """The wiring of an array of ``rows`` and ``columns`` in ``content``; ``gates``: its cells have floating gates.

    Raises :class:`InputError` with file, line and remedy on nets that match no pattern or two, on lines, gates or
    cells that are missing or lie elsewhere, on lines that are broken, joined or (unless allowed) form rings.
    """
    return _Mapper(section, content, rows, columns, gates).wiring()


class _Mapper:
    def __init__(self, section: Parasitics, content: Content, rows: int, columns: int, gates: bool) -> None:
        self.section, self.content, self.rows, self.columns, self.gates = section, content, rows, columns, gates
        self.role: dict[str, Role] = {}
        self.foreign: list[str] = []
        self.cell_node: dict[tuple[str, int, int], str] = {}
        """Node of the pin of kind wl, bl or fg of every cell"""
        self.driver_node: dict[str, str] = {}
        """Node of driver or switch of every net that has one by pattern"""
        self.net: dict[str, str] = {}
        """The array's net of every node"""
        self.edges: list[Edge] = []
        self.gate_ohms: dict[str, float] = {}
        """Sum of the resistors inside every floating gate that has some"""

    def wiring(self) -> Wiring:
        self._roles()
        self._pins()
        nodes, resistors = self._by_net()
        for net, role in self.role.items():
            if role[0] != "ground":
                self._line(net, role, nodes.get(net, []), resistors.get(net, []))
        self.net_with = {role: net for net, role in self.role.items()}
        self.pin_nodes = set(self.cell_node.values())
        notes = [*self.content.notes, *self._capacitors()]
        return Wiring(
            edges=tuple(self.edges),
            word_ports=tuple(self._port("wl", i) for i in range(self.rows)),
            bit_ports=tuple(self._port("bl", j) for j in range(self.columns)),
            gate_delay=self._gate_delay(),
            notes=tuple(notes),
        )

    def _roles(self) -> None:
        found: dict[Role, str] = {}
        kinds: tuple[Kind, ...] = ("wl", "bl", "fg") if self.gates else ("wl", "bl")
        for net, line in self.content.nets.items():
            places = {kind: self.section.index(kind, net) for kind in kinds}
            matches: list[Role] = [(kind, *place) for kind, place in places.items() if place is not None]
            if net == GROUND_NET or net in self.content.grounds or self.section.is_ground(net):
                matches.append(("ground",))
            if len(matches) != 1:
                many = f"matches {' and '.join(str(m[0]) for m in matches)}" if matches else "matches no pattern"
                remedy = "correct the patterns wl, bl, fg or ground of parasitics" + ("" if matches else
                         ", or name it under ground if it is a supply or a shield")  # fmt: skip
                raise self.content.error(line, f"net {shown(net)} {many}: {remedy}")
            role = matches[0]
            if role[0] == "ground":
                if net != GROUND_NET:
                    self.foreign.append(net)
            else:
                self._inside(role, f"net {shown(net)}", line)
                if net in self.content.implied:
                    what = f"net {shown(net)} has no section of its own, others only couple to it"
                    raise self.content.error(line, f"{what}: the file is cut short or lacks it, extract it again")
                if found.setdefault(role, net) != net:
                    other = shown(found[role])
                    raise self.content.error(line, f"net {shown(net)} is the same line as {other}: rename one")
            self.role[net] = role
        missing = next((role for role in self._wanted() if role not in found), None)
        if missing is not None:
            kind, *place = missing
            name = self.section.name(kind, *place)  # type: ignore[arg-type]
            raise self.content.error(
                self.content.lines, f"ends without net {name} of the {self.rows}x{self.columns} array: correct "
                f"parasitics.{kind} or extract it")  # fmt: skip

    def _wanted(self) -> Iterator[Role]:
        """All lines and gates of the array."""
        yield from (("wl", i) for i in range(self.rows))
        yield from (("bl", j) for j in range(self.columns))
        if self.gates:
            yield from (("fg", i, j) for i in range(self.rows) for j in range(self.columns))

    def _inside(self, role: Role, what: str, line: int) -> None:
        i = role[1] if role[0] in ("wl", "fg", "cell") else 0
        j = role[-1] if role[0] in ("bl", "fg", "cell") else 0
        if not (0 <= int(i) < self.rows and 0 <= int(j) < self.columns):
            size = f"{self.rows}x{self.columns}, counted from {self.section.first}"
            raise self.content.error(line, f"{what} lies outside the array of {size}: correct array, first or patterns")

    def _pins(self) -> None:
        section = self.section
        kinds = {section.wl_pin.lower(): "wl", section.bl_pin.lower(): "bl", section.fg_pin.lower(): "fg"}
        for pin in self.content.pins:
            net = self.content.net_of[pin.node]
            for driver, line_kind in (("wl_driver", "wl"), ("bl_switch", "bl")):
                place = section.index(driver, pin.instance)  # type: ignore[arg-type]
                if place is not None and self.role[net] == (line_kind, *place):
                    self.driver_node[net] = pin.node
            place, kind = section.index("cell", pin.instance), kinds.get(pin.name.lower())
            if place is None or kind is None:
                continue
            i, j = place
            self._inside(("cell", i, j), f"cell {shown(pin.instance)}", pin.line)
            wanted = {"wl": ("wl", i), "bl": ("bl", j), "fg": ("fg", i, j)}[kind]
            if self.role[net] != wanted:
                name = section.name(kind, *wanted[1:])  # type: ignore[arg-type]
                raise self.content.error(
                    pin.line, f"pin {pin.name} of cell {shown(pin.instance)} is on net {shown(net)} instead of {name}: "
                    "correct the patterns or the layout")  # fmt: skip
            if self.cell_node.setdefault((kind, i, j), pin.node) != pin.node:
                what = f"pin {pin.name} of cell {shown(pin.instance)}"
                raise self.content.error(pin.line, f"{what} is two nodes: extract with one for each pin")

    def _by_net(self) -> tuple[dict[str, list[str]], dict[str, list[Branch]]]:
        """Nodes in use and resistors of every net. Raises where a resistor joins two nets."""
        content, used = self.content, {}
        for net, ports in content.ports.items():
            used.update(dict.fromkeys(ports, net))
        for pin in content.pins:
            used[pin.node] = content.net_of[pin.node]
        resistors: dict[str, list[Branch]] = {}
        for branch in (*content.resistors, *content.capacitors):
            for node in (branch.a, branch.b):
                used[node] = content.net_of[node]
        for branch in content.resistors:
            a, b = content.net_of[branch.a], content.net_of[branch.b]
            if a != b and {self.role[a][0], self.role[b][0]} != {"ground"}:
                what = f"a resistor joins nets {shown(a)} and {shown(b)}"
                raise content.error(branch.line, f"{what}: correct layout or file")
            if branch.a != branch.b:
                resistors.setdefault(a, []).append(branch)
        nodes: dict[str, list[str]] = {}
        for node, net in used.items():
            nodes.setdefault(net, []).append(node)
        return nodes, resistors

    def _line(self, net: str, role: Role, nodes: list[str], resistors: list[Branch]) -> None:
        """Name the nodes of one net and add its resistors."""
        cells = self._cells_of(net, role, nodes, resistors)
        shorted, joined, seen = Groups(), Groups(), set()
        if not resistors:
            for node in nodes:
                shorted.join(nodes[0], node)
        for branch in resistors:
            ends = frozenset((branch.a, branch.b))
            if not joined.join(branch.a, branch.b) and ends not in seen and self.section.loops == "refuse":
                raise self.content.error(branch.line, f"a resistor closes a ring in net {shown(net)}: correct it, or "
                                         "write 'loops: allow' under parasitics where meshes are meant")  # fmt: skip
            seen.add(ends)
            if branch.value <= SHORT_OHMS:
                shorted.join(branch.a, branch.b)
        parts = joined.sets(nodes) if resistors else [nodes]
        if len(parts) > 1:
            lone = parts[1][0] if parts[1][0] != net else parts[0][0]
            raise self.content.error(self.content.nets[net], f"no resistor joins node {shown(lone)} to the rest of net "
                                     f"{shown(net)}: a disconnected segment, correct layout or file")  # fmt: skip
        if role[0] == "fg":
            gate = next(iter(cells))
            self.net.update(dict.fromkeys(nodes, gate))
            if resistors:
                self.gate_ohms[gate] = sum(branch.value for branch in resistors)
        else:
            self._name_nodes(nodes, cells, shorted, resistors)
            self._add_resistors(role, cells, resistors)

    def _gate_delay(self) -> float:
        farads: dict[str, float] = {}
        for a, b, element in self.edges:
            for net in (a, b):
                if isinstance(element, Capacitor) and net in self.gate_ohms:
                    farads[net] = farads.get(net, 0.0) + element.farads
        return max((self.gate_ohms[net] * value for net, value in farads.items()), default=0.0)

    def _cells_of(self, net: str, role: Role, nodes: list[str], resistors: list[Branch]) -> dict[str, str]:
        """Node of the file for each of the array's nets along this line."""
        kind = str(role[0])
        if kind == "fg":
            i, j = int(role[1]), int(role[2])
            alone = net if net in nodes else nodes[0] if nodes and not resistors else None
            places = [((kind, i, j), f"fg_{i}_{j}")]
        else:
            alone, k = None, int(role[1])
            places = [(("wl", k, j), f"wl_{k}_{j}") for j in range(self.columns)] if kind == "wl" else [
                (("bl", i, k), f"bl_{k}_{i}") for i in range(self.rows)]  # fmt: skip
        cells = {}
        for place, name in places:
            node = self.cell_node.get(place, alone)
            if node is None:
                cell = self.section.name("cell", place[1], place[2])
                pin = getattr(self.section, f"{kind}_pin")
                raise self.content.error(
                    self.content.nets[net], f"net {shown(net)} has no pin {pin} of cell {cell}: the cell is missing, "
                    "correct parasitics.cell and pins or extract it")  # fmt: skip
            cells[name] = node
        return cells

    def _name_nodes(
        self, nodes: list[str], cells: dict[str, str], shorted: Groups, resistors: list[Branch]
    ) -> None:
        for name, node in cells.items():
            self.net.setdefault(node, name)
        graph = nx.Graph()
        graph.add_nodes_from(nodes)
        for branch in resistors:
            # a short is a short way even among shorts: a thousand of them are less than any resistor
            graph.add_edge(branch.a, branch.b, weight=max(branch.value, SHORT_OHMS * 1e-3))
        if not resistors:
            graph.add_edges_from((nodes[0], node) for node in nodes[1:])
        owners = dict.fromkeys(cells.values())
        if len(owners) < len(nodes):
            inner: dict[str, str] = {}
            for owner, near in nx.voronoi_cells(graph, owners, weight="weight").items():
                for node in sorted(near - owners.keys()):
                    group = shorted.of(node)
                    if group == shorted.of(owner):
                        self.net[node] = self.net[owner]
                    else:
                        self.net[node] = inner.setdefault(group, f"{self.net[owner]}_n{len(inner) + 1}")

    def _add_resistors(self, role: Role, cells: dict[str, str], resistors: list[Branch]) -> None:
        """Resistors between the array's nets: parallel ones as one, shorts without rings."""
        stem = "r" + "_".join(str(part) for part in role)
        siemens: dict[tuple[str, str], list[float]] = {}
        shorts, short = [], Groups()
        for branch in resistors:
            a, b = self.net[branch.a], self.net[branch.b]
            if branch.value <= SHORT_OHMS:
                shorts.append((a, b))
            elif a != b:
                siemens.setdefault((b, a) if (b, a) in siemens else (a, b), []).append(branch.value)
        by_node: dict[str, str] = {}
        for name, node in cells.items():  # cells that share a node, or an undivided line
            group = node if resistors else ""
            if group in by_node:
                shorts.append((by_node[group], name))
            by_node[group] = name
        wires: list[tuple[str, str, float]] = [(a, b, SHORT_OHMS) for a, b in shorts if short.join(a, b)]
        wires += [(a, b, _parallel(ohms)) for (a, b), ohms in siemens.items()]
        self.edges += [(a, b, Resistor(f"{stem}_{k}", ohms)) for k, (a, b, ohms) in enumerate(wires)]

    def _capacitors(self) -> Iterator[str]:
        """Add all capacitors, those between the same nets as one; what is worth a note."""
        farads: dict[tuple[str, str], float] = {}
        grounded: dict[str, float] = {}
        for branch in self.content.capacitors:
            a, b = self.net.get(branch.a, GROUND), self.net.get(branch.b, GROUND)
            if a == b or branch.value == 0:
                continue
            if GROUND in (a, b):
                a, b = (b, a) if a == GROUND else (a, b)
                foreign = self.content.net_of[branch.a if branch.a not in self.net else branch.b]
                if foreign != GROUND_NET:
                    grounded[foreign] = grounded.get(foreign, 0.0) + branch.value
            key = (b, a) if (b, a) in farads else (a, b)
            farads[key] = farads.get(key, 0.0) + branch.value
        self.edges += [(a, b, Capacitor(f"ext_{k}", value)) for k, ((a, b), value) in enumerate(farads.items())]
        if grounded:
            names = ", ".join(shown(net).strip("'") for net in sorted(grounded)[:5])
            more = f" and {len(grounded) - 5} more" if len(grounded) > 5 else ""
            yield f"{sum(grounded.values()):.4g} F to nets {names}{more} count as capacitance to ground"

    def _port(self, kind: str, index: int) -> str:
        net = self.net_with[kind, index]
        line = self.content.nets[net]
        if net in self.driver_node:
            return self.net[self.driver_node[net]]
        places = {self.net[node] for node in self.content.ports.get(net, ()) if node not in self.pin_nodes}
        if len(places) != 1:
            count = f"{len(places)} ports" if places else "no port"
            key = "wl_driver" if kind == "wl" else "bl_switch"
            raise self.content.error(line, f"net {shown(net)} has {count}: name the instance that drives it with "
                                     f"parasitics.{key}, or extract with one port for each line")  # fmt: skip
        return places.pop()


def _parallel(ohms: list[float]) -> float:
    """Resistance of resistors in parallel; of one, its own to the last digit."""
    return ohms[0] if len(ohms) == 1 else 1.0 / sum(1.0 / value for value in ohms)
