"""Checks of a netlist graph before anything is simulated."""

from __future__ import annotations

import math
from collections.abc import Iterator

import networkx as nx

from netlists.elements import GROUND, Capacitor, ChargeSource, ResistiveElement, Resistor, Terminal, Transistor
from netlists.errors import InputError


def check_graph(graph: nx.MultiGraph) -> None:
    """Raise :class:`InputError` naming the first net or element that is wrong (see :func:`problems`)."""
    for problem in problems(graph):
        raise InputError(problem)


def problems(graph: nx.MultiGraph) -> Iterator[str]:
    """What is wrong with ``graph``, one line each.

    Checked: positive, finite values; no element across one net; every floating gate has exactly one charge source and
    a transistor, and no DC path; every other net has a DC path to a driver, a clamp or along resistors to a gate; no
    net has two terminals.
    """
    conducting = nx.Graph()
    conducting.add_nodes_from(graph.nodes)
    charge_sources: dict[str, int] = {}
    gates = set()
    terminals: dict[str, str] = {}
    for a, b, element in graph.edges(data="element"):
        if a == b:
            yield f"netlist: {element.name} joins net {a} to itself: shorted element"
        yield from _wrong_values(element)
        net = b if a == GROUND else a
        if isinstance(element, ChargeSource):
            charge_sources[net] = charge_sources.get(net, 0) + 1
        elif isinstance(element, Terminal):
            if net in terminals:
                yield f"netlist: net {net} is shorted: {terminals[net]} and {element.name} both drive it"
            terminals[net] = element.name
            conducting.add_edge(net, GROUND)
        elif isinstance(element, Transistor):
            gates.add(element.gate)
            conducting.add_edge(a, b)
        elif isinstance(element, Resistor | ResistiveElement):
            conducting.add_edge(a, b)
    for gate in sorted(gates):
        if charge_sources.get(gate, 0) != 1:
            yield f"netlist: floating gate {gate} has {charge_sources.get(gate, 0)} charge sources: give it one"
    for net in sorted(set(charge_sources) - gates):
        yield f"netlist: net {net} has a charge source but is no transistor's gate"
    driven = nx.node_connected_component(conducting, GROUND) if GROUND in conducting else set()
    floating: set[str] = set()
    for gate in sorted(gates):
        if gate in driven:
            yield f"netlist: floating gate {gate} has a DC path to a driver or clamp: it must float"
        elif gate in conducting:
            floating |= nx.node_connected_component(conducting, gate)
    for net in graph.nodes:
        if net not in driven and net not in floating and net not in gates:
            yield f"netlist: net {net} has no DC path to a driver or clamp: connect it"


def _wrong_values(element: object) -> Iterator[str]:
    if isinstance(element, Resistor) and not 0 < element.ohms < math.inf:
        yield f"netlist: {element.name}: {element.ohms:g} ohm is not positive and finite: correct it"
    if isinstance(element, ResistiveElement) and not 0 < element.siemens < math.inf:
        yield f"netlist: {element.name}: {element.siemens:g} S is not positive and finite: correct it"
    if isinstance(element, Capacitor) and not 0 < element.farads < math.inf:
        yield f"netlist: {element.name}: {element.farads:g} F is not positive and finite: correct it"
    if isinstance(element, ChargeSource) and not math.isfinite(element.volts):
        yield f"netlist: {element.name}: {element.volts:g} V is not finite: correct it"
