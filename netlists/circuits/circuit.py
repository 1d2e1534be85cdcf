"""From a checked netlist graph to a PySpice circuit: hierarchical, parameters at the top, runnable by hand."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

import networkx as nx
import numpy as np
from numpy.typing import NDArray
from PySpice.Spice.Netlist import Circuit, SubCircuit

from netlists.circuits.resistive_circuit import ACCESS, define_resistive, place_resistive
from netlists.circuits.stimulus import check_durations, t_start
from netlists.design import Design, MosCell
from netlists.devices.choice import device_of
from netlists.devices.device import Device
from netlists.elements import Capacitor, ChargeSource, ResistiveElement, Resistor, Terminal, Transistor
from netlists.graph import SHORT_OHMS, oriented
from netlists.mismatch import Deviations, deviations

logging.getLogger("PySpice").setLevel(logging.ERROR)

CHARGE_OHMS = 1e18
"""From each floating gate to its programmed voltage (drawn as the Norton equivalent, which costs no extra unknown):
leaks with a time constant of about an hour."""

INTEGRATOR_FARADS = 10e-12
"""Capacitor that integrates the clamp current of a bit line."""

INTEGRATOR_OHMS = 1e13
"""Gives the integrator an operating point; time constant 100 s, so 1e-8 of the charge is lost in 1 µs."""

SHORTEST_TOP = 1e-6
"""Time at full voltage of a pulse of duration ``t_edge``, in units of ``t_edge``."""

_GROUP_PARAMETERS = {
    "fw0": "c_own_word_line", "fwnear": "c_near_word_line", "fwfar": "c_far_word_line",
    "fwup2": "c_second_word_line", "fwdown2": "c_second_word_line", "fb": "c_bit_line", "fs": "c_substrate",
    "ffr": "c_fg_same_row", "ffc": "c_fg_same_column", "x": "c_crossing",
    "ww": "c_word_line_pair", "bb": "c_bit_line_pair",
}  # fmt: skip
"""Netlist parameter that stands for the common value of a group of capacitors (first part of their names)."""


def array_circuit(design: Design, graph: nx.MultiGraph, duration: NDArray[np.float64]) -> Circuit:
    """The circuit of ``graph`` driven by pulses of ``duration`` [N] s, with an integrator behind every clamp.

    The voltage of node ``q_j`` times :data:`INTEGRATOR_FARADS` is the charge that left clamp j for its bit line; the
    current of source ``Vclamp_j`` is the negative of that clamp current. Raises
    :class:`~netlists.errors.InputError` on durations out of range.
    """
    circuit = undriven_circuit(design, graph)
    circuit.raw_spice = driver_cards(design, duration)
    return circuit


def driver_cards(design: Design, duration: NDArray[np.float64]) -> str:
    """Word-line drivers with pulses of ``duration`` [N] s, as cards: the only part of a deck that changes from one VMM
    of an array to the next. Raises :class:`~netlists.errors.InputError` on durations out of range."""
    duration = check_durations(design, duration)
    cards = [f".param t_{k}={float(width)!r}" for k, width in enumerate(duration)]
    for k, width in enumerate(duration):
        # A width of zero would mean "for ever" to ngspice, so the shortest pulse is not quite a triangle.
        top = f"{{max(t_{k}-t_edge, {SHORTEST_TOP}*t_edge)}}"
        pulse = f"PULSE({{v_idle}} {{v_active}} {{t_start}} {{t_edge}} {{t_edge}} {top} 1)"
        cards.append(f"Vdrv_{k} drv_{k} 0 {pulse if width > 0 else '{v_idle}'}")
        if design.array.idle == "disconnected":
            opening = pulse.replace("{v_idle} {v_active}", "0 1")
            cards.append(f"V{ACCESS}_{k} {ACCESS}_{k} 0 {opening if width > 0 else 0}")
    return "\n".join(cards) + "\n"


def undriven_circuit(design: Design, graph: nx.MultiGraph) -> Circuit:
    """The circuit of ``graph`` without its word-line drivers (see :func:`driver_cards`)."""
    circuit = Circuit(f"fgcosim array {design.name} {design.array.rows}x{design.array.columns} {design.hash[:12]}")
    _parameters(circuit, design)
    place = _cells(circuit, design) if isinstance(design.cell, MosCell) else None
    define_resistive(circuit, design)
    shared = _shared_values(graph)
    for name, value in shared.items():
        circuit.parameter(name, repr(value))
    charges = {a: e.volts for a, b, e in oriented(graph) if isinstance(e, ChargeSource)}
    for a, b, element in oriented(graph):
        if isinstance(element, Resistor) and element.ohms <= SHORT_OHMS:
            circuit.V(element.name, a, b, 0)  # a tiny resistance would turn rounding errors of volts into amperes
        elif isinstance(element, Resistor):
            circuit.R(element.name, a, b, element.ohms)
        elif isinstance(element, Capacitor):
            name = _parameter_of(element.name)
            circuit.C(element.name, a, b, f"{{{name}}}" if shared.get(name) == element.farads else element.farads)
        elif isinstance(element, ResistiveElement):
            place_resistive(circuit, design, element)
        elif isinstance(element, Transistor):
            bl, wl = f"bl_{element.column}_{element.row}", f"wl_{element.row}_{element.column}"
            assert place is not None
            place(element, bl, wl, charges[element.gate])
        elif isinstance(element, Terminal) and element.role == "clamp":
            _clamp(circuit, element.index)
    return circuit


def _parameter_of(element_name: str) -> str:
    group = element_name.split("_")[0]
    return _GROUP_PARAMETERS.get(group, f"c_{group}_line")


def _shared_values(graph: nx.MultiGraph) -> dict[str, float]:
    """Most common capacitance of every group: the parameters at the top of the deck."""
    groups: dict[str, Counter[float]] = {}
    for *_, element in graph.edges(data="element"):
        if isinstance(element, Capacitor):
            groups.setdefault(_parameter_of(element.name), Counter())[element.farads] += 1
    return {name: counts.most_common(1)[0][0] for name, counts in groups.items()}


def _parameters(circuit: Circuit, design: Design) -> None:
    for name, value in (
        ("v_idle", design.v_idle),
        ("v_active", design.v_active),
        ("v_bulk", design.v_bulk),
        ("t_start", t_start(design)),
        ("t_edge", design.read.t_edge),
    ):
        circuit.parameter(name, repr(value))


def _cells(circuit: Circuit, design: Design) -> Callable[[Transistor, str, str, float], None]:
    """Define the cell's subcircuit; what is returned places one between a bit- and a word-line net with its charge."""
    assert isinstance(design.cell, MosCell)
    device, spread = device_of(design.cell), deviations(design)
    _cell_subcircuit(circuit, device, spread is not None)

    def place(element: Transistor, bl: str, wl: str, volts: float) -> None:
        values = {"vfg": volts} if spread is None else _deviating(device, spread, element, volts)
        circuit.X(f"{element.row}_{element.column}", "fgcell", bl, element.gate, wl, "sub", **values)

    return place


def _deviating(device: Device, spread: Deviations, element: Transistor, volts: float) -> dict[str, float]:
    """Parameters of one cell's subcircuit: the threshold's deviation shifts the transistor's, or else the charge."""
    at = (element.row, element.column)
    moved = float(spread.threshold[at])
    if device.takes_shift:
        return {"vfg": volts, "dvt": device.shift + moved, "mu": float(spread.factor[at])}
    return {"vfg": volts - moved, "mu": float(spread.factor[at])}


def _cell_subcircuit(circuit: Circuit, device: Device, deviates: bool) -> None:
    if device.card is not None:
        kind, card = device.card
        circuit.model(device.model, kind, **card)
    elif device.section is None:
        circuit.include(str(device.file))
    else:
        circuit.lib(str(device.file), device.section)
    given = {"mu": 1, **({"dvt": device.shift} if device.takes_shift else {})} if deviates else {}
    sub = SubCircuit("fgcell", "bl", "fg", "wl", "bulk", vfg=0, **given)
    words = device.deviation("{dvt}", "{mu}") if deviates else device.fixed
    extra = {"raw_spice": words} if words else {}
    if device.kind == "M":
        sub.M("1", "bl", "fg", "wl", "bulk", model=device.model, **device.geometry, **extra)
    else:
        sub.X("1", device.model, "bl", "fg", "wl", "bulk", **device.geometry, **({"m": "{mu}"} if deviates else {}))
    sub.R("q", "fg", 0, CHARGE_OHMS)
    sub.I("q", 0, "fg", f"{{vfg/{CHARGE_OHMS:g}}}")
    circuit.subcircuit(sub)
    circuit.V("bulk", "sub", 0, "{v_bulk}")


def _clamp(circuit: Circuit, k: int) -> None:
    circuit.V(f"clamp_{k}", f"clamp_{k}", 0, "{v_idle}")
    circuit.F(f"q_{k}", f"q_{k}", 0, f"Vclamp_{k}", 1)
    circuit.C(f"q_{k}", f"q_{k}", 0, INTEGRATOR_FARADS)
    circuit.R(f"q_{k}", f"q_{k}", 0, INTEGRATOR_OHMS)
