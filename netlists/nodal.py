"""Nodal solution of a resistive array: what linear cells and wires must give, without a circuit simulator."""

from __future__ import annotations

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.linalg import splu

from netlists.design import Design
from netlists.elements import GROUND, ResistiveElement, Resistor, Terminal, Transistor
from netlists.errors import InputError


def clamp_currents(design: Design, graph: nx.MultiGraph, active: ArrayLike) -> NDArray[np.float64]:
    """Bit-line currents [..., M] in A that the clamps deliver in the settled state of activation ``active`` [..., N].

    ``graph`` is a checked netlist graph of resistive cells (:func:`netlists.graph.array_graph`). With x the deviation
    of every net's voltage from the idle voltage and G the conductance matrix of the resistors, split into the nets
    whose voltage is given (P) and the free ones (F), Kirchhoff's current law reads

        G_FF x_F = −G_FP x_P,   x_P = v_active − v_idle at the drivers of active rows, 0 at other drivers and clamps,
        I_j = Σ_k G_jk x_k   over all nets k, j the net of column j's clamp.

    Capacitors carry no current in the settled state. Deviations keep the currents exact to rounding, even behind a
    switch of almost no resistance. Raises :class:`InputError` where the graph holds transistors, or its terminals or
    ``active`` do not fit the design.
    """
    rows, columns = design.array.rows, design.array.columns
    pattern = np.asarray(active, dtype=np.float64)
    if pattern.shape[-1:] != (rows,):
        raise InputError(f"active: shape {pattern.shape} for {rows} word lines")
    given = [*_terminal_nets(design, graph), GROUND]
    conductance = _conductance(graph, given)
    p = len(given)
    x_given = np.zeros((p, pattern.size // rows))
    x_given[:rows] = (design.v_active - design.v_idle) * pattern.reshape(-1, rows).T
    x_given[-1] = -design.v_idle
    x_free = splu(conductance[p:, p:].tocsc()).solve(-(conductance[p:, :p] @ x_given))
    current = conductance[rows : rows + columns] @ np.concatenate([x_given, x_free])
    return np.asarray(current.T.reshape(*pattern.shape[:-1], columns))


def _terminal_nets(design: Design, graph: nx.MultiGraph) -> list[str]:
    """Nets of the drivers row by row, then of the clamps column by column."""
    nets = {}
    for a, b, element in graph.edges(data="element"):
        if isinstance(element, Transistor | ResistiveElement):
            kind = "a transistor" if isinstance(element, Transistor) else "a nonlinear or switched cell"
            raise InputError(f"netlist: {element.name} is {kind}: only linear, clamped cells have a nodal solution")
        if isinstance(element, Terminal):
            nets[element.role, element.index] = b if a == GROUND else a
    wanted = [("drive", i) for i in range(design.array.rows)] + [("clamp", j) for j in range(design.array.columns)]
    if set(nets) != set(wanted):
        raise InputError("netlist: its drivers and clamps are not those of the design")
    return [nets[terminal] for terminal in wanted]


def _conductance(graph: nx.MultiGraph, first: list[str]) -> csr_array:
    """Conductance matrix of the resistors over the nets that they join, the nets ``first`` first."""
    index = {net: k for k, net in enumerate(first)}
    a, b, siemens = [], [], []
    for u, v, element in graph.edges(data="element"):
        if isinstance(element, Resistor):
            a.append(index.setdefault(u, len(index)))
            b.append(index.setdefault(v, len(index)))
            siemens.append(1.0 / element.ohms)
    g = np.array(siemens)
    entries = (np.concatenate([g, g, -g, -g]), (a + b + a + b, a + b + b + a))
    return csr_array(entries, shape=(len(index), len(index)))
