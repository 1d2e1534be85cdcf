"""A DSPF file as ngspice includes it and as it is read here answer alike."""

import numpy as np
import pytest
from extracted_network import SECTION, dspf, network
from parasitic_designs import graph_of, imported

from cosim.spice.ngspice import run_deck
from netlists.elements import Capacitor, Resistor
from netlists.graph import oriented
from netlists.parasitics.write import parasitics_text

ROWS, COLUMNS = 2, 2
OPTIONS = (
    ".options num_threads=1 method=gear maxord=1 trtol=1e9 reltol=1e-9 abstol=1e-18 vntol=1e-12 chgtol=1e-24 "
    "rshunt=1e12"
)


def _deck(body, ports):
    drives = []
    for k, port in enumerate(ports):  # the first word line jumps, everything else is held through resistors
        source = "PULSE(0 1 10p 10p 10p 1 2)" if k == 0 else "0"
        drives += [f"Vs{k} s{k} 0 {source}", f"Rs{k} s{k} {port} {100 * (k + 1)}"]
    return "\n".join(["* test", *body, *drives, OPTIONS, ".tran 0.1p 80p 0 0.1p", ".end", ""])


@pytest.mark.parametrize("own", [False, True])
def test_ngspice_reads_the_file_alike(make_design, tmp_path, engine, own):
    if own:
        design = make_design(ROWS, COLUMNS)
        text, keys = parasitics_text(design, graph_of(design), "dspf"), {}
        lines = [*(f"WL_{i}" for i in range(ROWS)), *(f"BL_{j}" for j in range(COLUMNS))]
    else:
        text, keys = dspf(network(ROWS, COLUMNS)), SECTION
        text = "\n".join(line for line in text.splitlines() if not line.startswith(("MXA", "+ l=")))  # no model here
        lines = [*(f"WL[{i}]" for i in range(ROWS)), *(f"top/BL<{j}>" for j in range(COLUMNS))]
    design = imported(tmp_path, make_design(ROWS, COLUMNS), text, "x.dspf", **keys)
    graph, ends = graph_of(design), {}
    cards = []
    for k, (a, b, element) in enumerate(oriented(graph)):
        if isinstance(element, Resistor) and a.startswith(("drv_", "clamp_")):
            ends[a] = b
        elif isinstance(element, Resistor):
            cards.append(f"R{k} {a} {b} {element.ohms!r}")
        elif isinstance(element, Capacitor):
            cards.append(f"C{k} {a} {b} {element.farads!r}")
    ports = [ends[f"drv_{i}"] for i in range(ROWS)] + [ends[f"clamp_{j}"] for j in range(COLUMNS)]
    ours = run_deck(engine, _deck(cards, ports), 60)
    given = lines + ([] if own else ["VSS"])
    nodes = [name if name == "VSS" else f"p{k}" for k, name in enumerate(given)]
    include = [f".include {tmp_path / 'x.dspf'}", f"X1 {' '.join(nodes)} array"]
    theirs = run_deck(engine, _deck([*include, "Vss VSS 0 0"], [f"p{k}" for k in range(len(lines))]), 60)
    assert ours["time"] == pytest.approx(theirs["time"], rel=1e-9, abs=0)
    compared = 0
    for i in range(ROWS):
        for j in range(COLUMNS):
            cell = design.parasitics.name("cell", i, j).lower()
            for kind, pin, net in (("wl", "s", f"wl_{i}_{j}"), ("bl", "d", f"bl_{j}_{i}"), ("fg", "g", f"fg_{i}_{j}")):
                wave = theirs[f"v(x1.{cell}:{pin})"]
                # of the wave, at least of a hundredth of the step that causes it
                assert np.abs(ours[f"v({net})"] - wave).max() < 1e-6 * max(np.abs(wave).max(), 1e-2), (kind, net)
                compared += np.abs(wave).max() > 1e-3
    assert compared >= 6
