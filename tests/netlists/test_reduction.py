"""A reduced array has fewer elements and the charges that the bound allows, in ngspice."""

import numpy as np
import pytest

from cosim.spice.ladder import Climber
from cosim.vmm.whole import simulate_whole
from netlists.check import check_graph
from netlists.elements import Capacitor, Resistor
from netlists.parasitics.mapping import Wiring
from netlists.reduction import array_wiring, extracted, reduced
from tests.netlists.parasitics.extracted_network import SECTION, dspf, network
from tests.netlists.parasitics.parasitic_designs import graph_of, imported

SIZE = (3, 2)
WEAK = "Cw1 fg0.0:1 WL[2]:1 3e-21\nCw2 fg0.0:1 fg0.1:1 2e-20\nCw3 WL[0]:1 WL[1]:1 2e-18\n.ENDS"
"""Couplings that hardly matter: of a gate, between gates, between lines."""


def _design(make_design, folder, text=None, **keys):
    text = text or dspf(network(*SIZE)).replace(".ENDS", WEAK)
    read = {"t_max": "40 ns", "bits": 2}
    return imported(folder, make_design(*SIZE, read=read), text, "x.dspf", **{**SECTION, **keys})


def _totals(wiring):
    """Sum of farads at every line and gate; of ohms along every line."""
    farads, ohms = {}, {}
    for a, b, element in wiring.edges:
        for net in (a, b):
            owner = "_".join(net.split("_")[: 3 if net.startswith("fg") else 2])
            held = farads if isinstance(element, Capacitor) else ohms
            held[owner] = held.get(owner, 0.0) + getattr(element, "farads", getattr(element, "ohms", 0.0))
    return farads, ohms


def test_exact_merging_keeps_resistances_and_drops_dead_ends(make_design, tmp_path):
    text = dspf(network(*SIZE)).replace(".ENDS", WEAK)
    text = text.replace("*|NET VSS", "Ra WL[1]:2 WL[1]:77 3\nRb WL[1]:77 WL[1]:78 4\nRc WL[1]:1 WL[1]:90 5\n*|NET VSS")
    text = text.replace("*|NET WL[2]", "*|S (WL[1]:77)\n*|S (WL[1]:78)\n*|S (WL[1]:90)\n*|NET WL[2]")
    plain, more = extracted(_design(make_design, tmp_path)), extracted(_design(make_design, tmp_path, text))
    assert len(more.edges) == len(plain.edges) + 3
    design = _design(make_design, tmp_path)
    exact = reduced(design, more, 0.0)
    assert (exact.change, exact.dropped) == (0.0, 0) and exact.merged >= 3
    base = reduced(design, plain, 0.0)
    assert sorted(e.ohms for *_, e in exact.wiring.edges if isinstance(e, Resistor)) == pytest.approx(
        sorted(e.ohms for *_, e in base.wiring.edges if isinstance(e, Resistor)), rel=1e-12
    , abs=0)
    chain = Wiring((("wl_0_0", "wl_0_0_n1", Resistor("a", 2.0)), ("wl_0_0_n1", "wl_0_0_n2", Resistor("b", 3.0)),
                    ("wl_0_0_n2", "wl_0_1", Resistor("c", 4.0)), ("wl_0_0", "wl_0_1", Resistor("d", 9.0))),
                   ("wl_0_0",), (), 0.0, ())  # fmt: skip
    merged = reduced(design, chain, 0.0).wiring.edges
    assert [(a, b, e.ohms) for a, b, e in merged] == [("wl_0_0", "wl_0_1", 4.5)]


@pytest.mark.parametrize("tolerance", [1e-4, 3e-3, 3e-2])
def test_nothing_is_lost_and_the_bound_is_kept(make_design, tmp_path, tolerance):
    design = _design(make_design, tmp_path)
    before = extracted(design)
    after = reduced(design, before, tolerance)
    assert after.change <= tolerance * 1.0001
    farads = [_totals(wiring)[0] for wiring in (before, after.wiring)]
    wires = {owner: value for owner, value in farads[0].items() if owner != "0"}
    # what is dropped goes to ground at both ends; what joined two nodes of one line is gone with them
    assert {owner: farads[1][owner] for owner in wires} == pytest.approx(wires, rel=1e-9, abs=0)
    check_graph(graph_of(_design(make_design, tmp_path, negligible=tolerance)))


def test_ngspice_confirms_the_bound(make_design, tmp_path, tight_engine):
    cells = np.random.default_rng(0).uniform(1.5, 1.8, SIZE)
    duration = np.array([14e-9, 40e-9, 27e-9])
    charges, dropped = [], []
    for tolerance in (0.0, 3e-3, 5e-2):
        design = _design(make_design, tmp_path, negligible=tolerance)
        dropped.append(reduced(design, extracted(design), tolerance).dropped)
        charges.append(simulate_whole(design, cells, duration, Climber(tight_engine, 60)).charge)
    errors = [float(np.abs(charge / charges[0] - 1).max()) for charge in charges[1:]]
    assert 0 == dropped[0] < dropped[1] < dropped[2]
    assert errors[0] <= 3e-3 and errors[1] <= 5e-2
    assert errors[1] > 1e-6  # something did change
    left = {frozenset((a, b)) for a, b, e in array_wiring(design).edges if isinstance(e, Capacitor)}
    assert frozenset(("wl_0_0", "wl_1_0")) not in left and frozenset(("fg_0_0", "fg_0_1")) not in left
