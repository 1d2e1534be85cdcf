"""What commands do with an array's parasitics: write them as a file, report their health."""

from __future__ import annotations

import gzip
import json
from dataclasses import asdict
from pathlib import Path

import networkx as nx
import numpy as np
from rich.console import Console
from rich.table import Table

from cosim.errors import InputError
from netlists.design import Design
from netlists.graph import array_graph
from netlists.health import Health, netlist_health
from netlists.parasitics.write import format_of, parasitics_text
from surrogate.atomic import replacing


def uniform_graph(design: Design) -> nx.MultiGraph:
    """The netlist graph of ``design``'s array, whatever its cells hold."""
    return array_graph(design, np.ones((design.array.rows, design.array.columns)))


def write_parasitics(design: Design, out: Path, graph: nx.MultiGraph | None = None) -> None:
    """Write wires and capacitances of ``design``'s array, or of ``graph``, as ``*.spef``, ``*.dspf`` or ``*.sp``
    (``*.gz`` packs it).

    Raises ``InputError`` on other names and on everything that is wrong with the design.
    """
    form = format_of(out)
    if not out.parent.is_dir():
        raise InputError(f"{out}: its folder {out.parent} does not exist: create it or choose another")
    content = parasitics_text(design, uniform_graph(design) if graph is None else graph, form).encode()
    with replacing(out) as temporary:
        temporary.write_bytes(gzip.compress(content, mtime=0) if out.suffix.lower() == ".gz" else content)


def report_health(design: Design, graph: nx.MultiGraph, as_json: bool = False) -> bool:
    """Print the health of ``graph``, the netlist of ``design``; whether it is sound."""
    health = netlist_health(design, graph)
    if as_json:
        print(json.dumps({**asdict(health), "passed": health.passed}))
    else:
        _print(health)
    return health.passed


def _print(health: Health) -> None:
    console = Console(highlight=False, soft_wrap=True)
    counts = f"{health.resistors} resistors and {health.capacitors} capacitances"
    console.print(f"{health.cells} cells, {health.nets} nets, {counts}")
    table = Table("between", "count", "least", "median", "most", box=None)
    for s in health.spreads:
        table.add_row(s.kind, str(s.count), *(f"{value:.4g} {s.unit}" for value in (s.least, s.median, s.most)))
    console.print(table)
    for line in health.notes:
        console.print(f"note: {line}", markup=False)
    for line in health.problems:
        console.print(f"problem: {line}", markup=False)
    console.print("sound" if health.passed else f"{len(health.problems)} problems")
