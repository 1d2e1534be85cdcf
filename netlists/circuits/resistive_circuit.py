"""Resistive cells in a circuit that are more than resistors: nonlinear, or behind an access device.

The access device is an ideal switch with its on resistance: a source ``acc_i`` that goes from 0 to 1 with row i's own
pulse multiplies the currents of the row's cells, each in series with the on resistance.
"""

from __future__ import annotations

import numpy as np
from PySpice.Spice.Netlist import Circuit, SubCircuit

from netlists.design import Design
from netlists.elements import ResistiveElement
from netlists.resistive import ResistiveCell

ACCESS = "acc"
"""Nets of the access devices' control."""


def define_resistive(circuit: Circuit, design: Design) -> None:
    """Define the cell's subcircuit where the design's cells need one."""
    cell = design.cell
    if not isinstance(cell, ResistiveCell) or cell.is_resistor:
        return
    across, factor = "V(bl,in)", "1"
    if cell.sinh_voltage is not None:
        v_read = design.read.voltage
        across = f"sinh({across}/{cell.sinh_voltage!r})"
        factor = repr(float(v_read / np.sinh(v_read / cell.sinh_voltage)))
    sub = SubCircuit("rcell", "bl", "wl", "access", g=1e-9)
    sub.B("cell", "bl", "in", current_expression=f"V(access)*{{g*{factor}}}*{across}")
    if cell.access_resistance is None:
        sub.V("in", "in", "wl", 0)
    else:
        sub.R("in", "in", "wl", cell.access_resistance)
    circuit.subcircuit(sub)
    if design.array.idle == "clamped":
        circuit.V(ACCESS, ACCESS, 0, 1)


def place_resistive(circuit: Circuit, design: Design, element: ResistiveElement) -> None:
    """Place a cell between its bit line and its word line."""
    i, j = element.row, element.column
    access = ACCESS if design.array.idle == "clamped" else f"{ACCESS}_{i}"
    circuit.X(f"{i}_{j}", "rcell", f"bl_{j}_{i}", f"wl_{i}_{j}", access, g=element.siemens)


def resistive_probe(design: Design, row: int, column: int) -> str:
    """Vector of the current of one resistive cell from bit line to word line, A, in a deck of a whole array."""
    cell = design.cell
    assert isinstance(cell, ResistiveCell)
    if cell.is_resistor:
        return f"i(@rcell_{row}_{column}[i])"
    if cell.access_resistance is None:
        return f"i(v.x{row}_{column}.vin)"
    return f"i(@r.x{row}_{column}.rin[i])"
