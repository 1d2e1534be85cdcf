"""Conservation on the floating gates: what is stored stays, and a shift is what the capacitances say."""

import re

import numpy as np
import pytest
from PySpice.Spice.Netlist import Circuit

from cosim.spice.ngspice import run_deck
from cosim.vmm.simulate import simulate
from cosim.vmm.whole import vmm_deck
from netlists.circuits.deck import Transient, deck_text
from netlists.circuits.stimulus import t_start
from netlists.devices.choice import device_of
from netlists.elements import GROUND, Capacitor
from netlists.graph import array_graph

DURATION = np.array([200e-9, 40e-9, 80e-9])
SHAPE = (3, 2)


@pytest.fixture(scope="module", params=["n", "p"])
def channel(request):
    """Kind of transistor."""
    return request.param


@pytest.fixture(scope="module")
def cells(channel):
    """Floating-gate voltages from weak to moderate inversion."""
    volts = np.random.default_rng(3).uniform(1.15, 1.5, SHAPE)
    return volts if channel == "n" else 1.0 - volts


@pytest.fixture(scope="module")
def waves(make_design, tight_engine, channel, cells):
    """All vectors of a transient."""
    deck = vmm_deck(make_design(*SHAPE, channel), cells, DURATION, tight_engine.options())
    return run_deck(tight_engine, re.sub(r"(?m)^\.save .*\n", "", deck), 60)


def _at(waves, seconds):
    """Every vector's value at a time."""
    return {name: float(np.interp(seconds, waves["time"], vector)) for name, vector in waves.items()}


def _coupling_charge(graph, volts, gate):
    """Charge on the coupling capacitors of ``gate``, C."""
    total = 0.0
    for _, other, element in graph.edges(gate, data="element"):
        if isinstance(element, Capacitor):
            total += element.farads * (volts[f"v({gate})"] - (0.0 if other == GROUND else volts[f"v({other})"]))
    return total


def _gates():
    return [f"fg_{i}_{j}" for i in range(SHAPE[0]) for j in range(SHAPE[1])]


@pytest.mark.parametrize(("name", "volts"), [("engine", 2e-5), ("tight_engine", 5e-7)])
def test_gates_return_to_their_start(make_design, request, channel, cells, name, volts):
    sample = simulate(make_design(*SHAPE, channel), cells, DURATION, request.getfixturevalue(name))
    assert sample.floating_gate_return < volts


def test_gates_start_at_their_programmed_voltage(waves, cells):
    start = _at(waves, 0.0)
    assert [start[f"v({gate})"] for gate in _gates()] == pytest.approx(cells.ravel(), abs=1e-6)


def test_every_net_returns(waves):
    """So the transistor's gate charge, a function of its terminals' voltages, is the same before and after."""
    start, end = _at(waves, 0.0), _at(waves, waves["time"][-1])
    for name in start:
        if name.startswith(("v(wl", "v(bl", "v(fg", "v(drv")):
            assert end[name] == pytest.approx(start[name], abs=1e-6), name


def test_coupling_charge_returns(make_design, channel, cells, waves):
    graph = array_graph(make_design(*SHAPE, channel), cells)
    start, end = _at(waves, 0.0), _at(waves, waves["time"][-1])
    for gate in _gates():
        before, after = (_coupling_charge(graph, volts, gate) for volts in (start, end))
        assert after == pytest.approx(before, abs=1e-6 * 300e-18)  # a microvolt on the gate's capacitances


def _gate_charge(design, engine, start, end):
    """Charge, C, that flows into the transistor's gate when its terminals go from voltages ``start`` to ``end``
    (drain, gate, source), measured in a circuit of its own."""
    cell, tick = design.cell, 10e-9
    circuit = Circuit("one transistor")
    device = device_of(cell)
    kind, card = device.card
    circuit.model(device.model, kind, **card)
    for name, a, b in zip("dgs", start, end, strict=True):
        circuit.V(name, name, 0, f"PWL(0 {a!r} {tick} {a!r} {2 * tick} {b!r})")
    circuit.V("b", "b", 0, design.read.voltage if cell.channel == "p" else 0)
    circuit.M("1", "d", "g", "s", "b", model=device.model, **device.geometry)
    transient = Transient(t_stop=4 * tick, t_max_step=tick / 500)
    deck = deck_text(circuit, transient, engine.options(), ["i(vg)"], design.read.temperature)
    vectors = run_deck(engine, deck, 60)
    return -float(np.diff(vectors["time"]) @ vectors["i(vg)"][1:])  # what backward Euler moves


@pytest.mark.parametrize("gate", ["fg_0_0", "fg_1_1", "fg_2_0"])
def test_a_shift_leaves_the_stored_charge_alone(make_design, tight_engine, channel, cells, waves, gate):
    """In the first slot all rows are active: what left the coupling capacitors is in the transistor's gate."""
    design = make_design(*SHAPE, channel)
    graph = array_graph(design, cells)
    start, slot = _at(waves, 0.0), _at(waves, t_start(design) + 39e-9)
    i, j = gate.split("_")[1:]
    terminals = [[volts[f"v({net})"] for net in (f"bl_{j}_{i}", gate, f"wl_{i}_{j}")] for volts in (start, slot)]
    coupled = _coupling_charge(graph, slot, gate) - _coupling_charge(graph, start, gate)
    assert abs(coupled) > 1e-18
    assert _gate_charge(design, tight_engine, *terminals) == pytest.approx(-coupled, rel=2e-3, abs=0)
