"""Deck text: options, saved vectors, measurements and the analysis around a circuit."""

import numpy as np

from netlists.circuits.circuit import array_circuit
from netlists.circuits.deck import deck_text, transient_for
from netlists.circuits.stimulus import t_stop
from netlists.graph import array_graph


def _deck(design, **changes):
    circuit = array_circuit(design, array_graph(design, np.ones((3, 2))), np.zeros(3))
    settings = {"options": {"method": "gear", "klu": None, "reltol": 1e-4}, "save": ["v(a)"], "temperature_k": 358.15}
    return deck_text(circuit, transient_for(design), **(settings | changes)).splitlines()


def test_options_flags_and_temperature(make_design):
    assert ".options temp=85 method=gear klu reltol=0.0001" in _deck(make_design())


def test_the_transient_covers_the_stimulus_in_bounded_steps(make_design):
    design = make_design()
    transient = transient_for(design, steps=25)
    assert transient.t_stop == t_stop(design)
    word, step, stop, start, longest = transient.card().split()
    assert (word, float(start), float(stop)) == (".tran", 0, t_stop(design))
    assert float(longest) == float(step) == t_stop(design) / 25


def test_saved_vectors_fit_on_short_lines(make_design):
    names = [f"v(fg_{i}_{j})" for i in range(10) for j in range(7)]
    lines = [line for line in _deck(make_design(), save=names) if line.startswith(".save")]
    assert [name for line in lines for name in line.split()[1:]] == names
    assert max(map(len, lines)) < 200


def test_measurements_come_before_the_analysis_and_the_end_is_last(make_design):
    lines = _deck(make_design(), measure=["a find v(a) at=1"])
    assert lines[-3:] == [".meas tran a find v(a) at=1", transient_for(make_design()).card(), ".end"]


def test_the_same_input_gives_the_same_text(make_design):
    assert _deck(make_design()) == _deck(make_design())
