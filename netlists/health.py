"""The health of an array's netlist: what is wrong with it, what stands out, and how its numbers spread."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median

import networkx as nx

from netlists.check import problems
from netlists.design import Design
from netlists.elements import GROUND, Capacitor, ResistiveElement, Resistor, Terminal, Transistor
from netlists.reduction import array_wiring, extracted, reduced

DOMINATES = 0.5
"""Share of a floating gate's extracted capacitance above which one neighbour dominates it."""
OUTLIER = 10.0
"""Times the median of its kind at which a capacitance stands out."""
NEGLIGIBLE = 1e-4
"""Change of charges (80 dB) for which the report says what could be dropped."""
_LISTED = 20


@dataclass(frozen=True)
class Spread:
    """Smallest, median and largest value of a kind of element, in SI units."""

    kind: str
    unit: str
    count: int
    least: float
    median: float
    most: float


@dataclass(frozen=True)
class Health:
    """The report; ``problems`` prevent a simulation, ``notes`` do not."""

    nets: int
    cells: int
    resistors: int
    capacitors: int
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    spreads: tuple[Spread, ...]

    @property
    def passed(self) -> bool:
        """Whether the array can be simulated."""
        return not self.problems


def netlist_health(design: Design, graph: nx.MultiGraph) -> Health:
    """The health of ``graph``, the array graph of ``design``."""
    elements = [element for *_, element in graph.edges(data="element")]
    found = [*problems(graph), *_grid(design, graph), *_segments(graph)]
    notes = [*_dominating(graph), *_outliers(graph)]
    if design.parasitics is not None:
        notes = [*array_wiring(design).notes, *notes, *_reducible(design)]
    return Health(
        nets=graph.number_of_nodes(),
        cells=sum(_is_cell(element) for element in elements),
        resistors=sum(isinstance(element, Resistor) and not _is_cell(element) for element in elements),
        capacitors=sum(isinstance(element, Capacitor) for element in elements),
        problems=tuple(_shortened(found)),
        notes=tuple(_shortened(notes)),
        spreads=tuple(_spreads(graph)),
    )


def _is_cell(element: object) -> bool:
    if isinstance(element, Resistor):
        return element.name.startswith("cell_")
    return isinstance(element, Transistor | ResistiveElement)


def _shortened(lines: list[str]) -> list[str]:
    more = len(lines) - _LISTED
    return [*lines[:_LISTED], f"{more} more of these"] if more > 0 else lines


def _grid(design: Design, graph: nx.MultiGraph) -> Iterator[str]:
    """Cells that are missing, twice there or not where row and column cross."""
    rows, columns = design.array.rows, design.array.columns
    seen: dict[tuple[int, int], int] = {}
    for a, b, element in graph.edges(data="element"):
        if not _is_cell(element):
            continue
        i, j = (int(part) for part in element.name.split("_")[1:3])
        seen[i, j] = seen.get((i, j), 0) + 1
        if not (0 <= i < rows and 0 <= j < columns):
            yield f"cell {element.name} lies outside the {rows}x{columns} array: remove it"
        elif {a, b} != {f"wl_{i}_{j}", f"bl_{j}_{i}"} or getattr(element, "gate", f"fg_{i}_{j}") != f"fg_{i}_{j}":
            yield f"cell {element.name} is not where word line {i} and bit line {j} cross: it joins {a} and {b}"
    for i in range(rows):
        for j in range(columns):
            count = seen.get((i, j), 0)
            if count != 1:
                yield f"cell ({i}, {j}) is {'missing' if count == 0 else f'there {count} times'}: give it one"


def _segments(graph: nx.MultiGraph) -> Iterator[str]:
    """Pieces of lines that no resistor joins to their driver or clamp."""
    wires = nx.Graph()
    wires.add_nodes_from(net for net in graph.nodes if net.startswith(("wl_", "bl_")))
    ends = set()
    for a, b, element in graph.edges(data="element"):
        if isinstance(element, Resistor) and not _is_cell(element):
            wires.add_edge(a, b)
        elif isinstance(element, Terminal):
            ends.add(a if b == GROUND else b)
    for part in nx.connected_components(wires):
        names = sorted(part)
        if part.isdisjoint(ends) and not names[0].startswith("fg_"):
            yield f"a segment of {len(names)} nets from {names[0]} on is joined to no driver or clamp: connect it"


def _couplings(graph: nx.MultiGraph) -> Iterator[tuple[str, str, float]]:
    for a, b, element in graph.edges(data="element"):
        if isinstance(element, Capacitor):
            yield a, b, element.farads


def _dominating(graph: nx.MultiGraph) -> Iterator[str]:
    """Floating gates of which one other net holds the larger part."""
    held: dict[str, dict[str, float]] = {}
    for a, b, farads in _couplings(graph):
        for gate, other in ((a, b), (b, a)):
            if gate.startswith("fg_"):
                near = held.setdefault(gate, {})
                near[other] = near.get(other, 0.0) + farads
    worst: tuple[float, str] | None = None
    count = 0
    for gate, near in held.items():
        other, farads = max(((net, value) for net, value in near.items() if net != GROUND), key=lambda x: x[1],
                            default=("", 0.0))  # fmt: skip
        share = farads / sum(near.values())
        if share > DOMINATES:
            count += 1
            worst = max(worst or (0.0, ""), (share, f"{gate} to {other}"))
    if worst is not None:
        yield (
            f"{count} floating gates have most of their extracted capacitance to one other net (most: {worst[1]}, "
            f"{worst[0]:.0%}): they follow it"
        )


def _kind(a: str, b: str) -> str:
    names = sorted("ground" if net == GROUND else net.split("_")[0].upper() for net in (a, b))
    return f"{names[0]}–{names[1]}"


def _outliers(graph: nx.MultiGraph) -> Iterator[str]:
    """Capacitances far above all others of their kind."""
    kinds: dict[str, list[tuple[float, str]]] = {}
    for a, b, farads in _couplings(graph):
        kinds.setdefault(_kind(a, b), []).append((farads, f"{a} to {b}"))
    for kind, held in kinds.items():
        middle = median(value for value, _ in held)
        largest, where = max(held)
        if largest > OUTLIER * middle:
            count = sum(value > OUTLIER * middle for value, _ in held)
            many = f"{count} of {len(held)} capacitances {kind}"
            yield f"{many} exceed {OUTLIER:g} times their median, most of all {where}: {largest:.3g} F"


def _reducible(design: Design) -> Iterator[str]:
    could = reduced(design, extracted(design), NEGLIGIBLE)
    if could.merged + could.dropped:
        yield (
            f"with 'negligible: {NEGLIGIBLE:g}' {could.merged} elements merge and {could.dropped} drop out; charges "
            f"change by at most {could.change:.1e}"
        )


def _spreads(graph: nx.MultiGraph) -> Iterator[Spread]:
    ohms: dict[str, list[float]] = {}
    farads: dict[str, list[float]] = {}
    for a, b, element in graph.edges(data="element"):
        if isinstance(element, Capacitor):
            farads.setdefault(_kind(a, b), []).append(element.farads)
        elif isinstance(element, Resistor) and not _is_cell(element) and "_end" not in element.name:
            ohms.setdefault(_kind(a, b), []).append(element.ohms)
    for unit, kinds in (("ohm", ohms), ("F", farads)):
        for kind, values in sorted(kinds.items()):
            yield _spread(kind, unit, values)


def _spread(kind: str, unit: str, values: Iterable[float]) -> Spread:
    held = sorted(values)
    return Spread(kind, unit, len(held), held[0], median(held), held[-1])
