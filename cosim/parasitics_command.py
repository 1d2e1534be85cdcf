"""Commands around extracted parasitics: an array's own as a file, and the health of a netlist."""

from __future__ import annotations

import gzip
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from cosim.errors import InputError
from netlists.design import Design
from netlists.designfile import load_design
from netlists.graph import array_graph
from netlists.health import Health, netlist_health
from netlists.parasitics.write import format_of, parasitics_text
from surrogate.atomic import replacing


def write_parasitics(design: Design, out: Path) -> None:
    """Write wires and capacitances of ``design``'s array as ``*.spef``, ``*.dspf`` or ``*.sp`` (``*.gz`` packs it).

    Raises ``InputError`` on other names and on everything that is wrong with the design.
    """
    form = format_of(out)
    if not out.parent.is_dir():
        raise InputError(f"{out}: its folder {out.parent} does not exist: create it or choose another")
    cells = np.ones((design.array.rows, design.array.columns))
    content = parasitics_text(design, array_graph(design, cells), form).encode()
    with replacing(out) as temporary:
        temporary.write_bytes(gzip.compress(content, mtime=0) if out.suffix.lower() == ".gz" else content)


def extract(design: str, out: Path | None, check: bool = False, as_json: bool = False) -> bool:
    """Write the wires and capacitances of a design's array as DSPF, SPEF or SPICE subcircuit, by ``out``'s suffix,
    or with ``check`` print the health of its netlist, or both. Raises ``InputError`` where neither is asked for."""
    if out is None and not check:
        raise InputError("extract: nothing to do: name a file with --out or ask for --check")
    if out is not None:
        write_parasitics(load_design(design), out)
    return check_netlist(design, as_json) if check else True


def check_netlist(design: str, as_json: bool = False) -> bool:
    """Print the health of a design's netlist, of extracted parasitics where it names some; whether it is sound."""
    loaded = load_design(design)
    health = netlist_health(loaded, array_graph(loaded, np.ones((loaded.array.rows, loaded.array.columns))))
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
