"""An array of resistive cells: how its cells hang between the lines, and which resistances meet."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

from cosim.figures.style import BLACK, BLUE, GREEN, GREY, ORANGE, bare, drawing, svg
from netlists.design import Design
from netlists.resistive import ResistiveCell

SHOWN_ROWS, SHOWN_COLUMNS = 3, 3
DARK_GREEN = "#00664b"
"""For text: the fill's colour is too light."""

_PREFIXES = (("MΩ", 1e6), ("kΩ", 1e3), ("Ω", 1.0), ("mΩ", 1e-3))


def crosspoint_figure(design: Design, cell: ResistiveCell) -> Markup:
    """The circuit at a corner of the array, and its resistances on a common scale."""
    with drawing(4.2) as figure:
        left, right = figure.subplots(1, 2, width_ratios=[1.05, 1])
        _circuit(left, design, cell.access_resistance is not None)
        _resistances(right, design, cell)
        return svg(figure, "layout", "Circuit of the array's corner, and the resistances of cells, wires and drivers")


def resistances(design: Design, cell: ResistiveCell) -> list[tuple[str, float]]:
    """What is drawn: names and Ω, those of 0 left out."""
    wires, array, weights = design.wires, design.array, design.weights
    volts = design.read.voltage
    named = (
        ("cell at least current", volts / weights.current_min),
        ("cell at largest current", volts / weights.current_max),
        ("a column's cells at largest current", volts / weights.current_max / array.rows),
        ("access device, closed", cell.access_resistance or 0.0),
        ("row driver", wires.driver_resistance),
        (f"word line, {array.columns} segments", array.columns * wires.word_line_resistance),
        (f"bit line, {array.rows} segments", array.rows * wires.bit_line_resistance),
        ("column switch", wires.switch_resistance),
    )
    return [(name, ohms) for name, ohms in named if ohms > 0]


def ohms_text(ohms: float) -> str:
    """``ohms`` with a prefix."""
    unit, size = next(((u, s) for u, s in _PREFIXES if ohms >= s), _PREFIXES[-1])
    return f"{ohms / size:.3g} {unit}"


def _resistances(axes: Axes, design: Design, cell: ResistiveCell) -> None:
    bars = resistances(design, cell)
    values = [ohms for _, ohms in bars]
    colours = [ORANGE if "cell" in name else GREEN if "bit line" in name or "column switch" in name else
               BLUE if "word line" in name or "driver" in name else GREY for name, _ in bars]  # fmt: skip
    start = 10 ** np.floor(np.log10(min(values)) - 0.3)
    axes.barh([name for name, _ in bars], [v - start for v in values], 0.62, left=start, color=colours, alpha=0.85)
    axes.set_xscale("log")
    axes.set_xlim(start, max(values) * 30)
    axes.xaxis.set_major_formatter(lambda value, _: ohms_text(value))
    axes.xaxis.set_major_locator(LogLocator(numticks=6))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.invert_yaxis()
    for k, ohms in enumerate(values):
        axes.annotate(ohms_text(ohms), (ohms, k), xytext=(5, 0), textcoords="offset points", va="center")
    axes.set_xlabel("resistance")
    axes.grid(False, axis="y")
    axes.set_title("What the cells' current flows through")


def _circuit(axes: Axes, design: Design, access: bool) -> None:
    """Word lines from their drivers, bit lines to their clamps, a cell at every crossing."""
    rows, columns = min(SHOWN_ROWS, design.array.rows), min(SHOWN_COLUMNS, design.array.columns)
    right, bottom = columns - 0.15, -(rows - 0.15)
    for row in range(rows):
        axes.plot([-0.28, right], [-row, -row], color=BLUE, linewidth=1.6)
        axes.text(-0.92, -row, f"WL {row}", ha="right", va="center", color=BLUE, fontweight="bold")
        _resistor(axes, (-0.88, -row), (-0.28, -row), BLUE)
    for column in range(columns):
        x = column + 0.55
        axes.plot([x, x], [0.3, bottom], color=GREEN, linewidth=1.6)
        axes.text(x, 0.36, f"BL {column}", ha="center", va="bottom", color=DARK_GREEN, fontweight="bold")
        _resistor(axes, (x, bottom), (x, bottom - 0.5), GREEN)
        axes.text(x, bottom - 0.56, "clamp", ha="center", va="top", fontsize=8.5)
        for row in range(rows):
            _cell(axes, column + 0.05, -row, x, access)
    if (rows, columns) != (design.array.rows, design.array.columns):
        axes.text(right + 0.03, 1.0 - rows, "…", va="center", color=GREY, fontsize=14)
    axes.set_xlim(-1.5, columns + 0.35)
    axes.set_ylim(bottom - 0.85, 0.75)
    bare(axes)
    idle = "disconnected by their access device" if access else "held at the clamps' voltage"
    axes.set_title(f"{design.array.rows} × {design.array.columns} cells; those of idle rows are {idle}", wrap=True)


def _cell(axes: Axes, x: float, y: float, bit_line: float, access: bool) -> None:
    """From the word line at ``x``, ``y`` down through access device and cell to the bit line."""
    axes.plot([x], [y], marker="o", markersize=3, color=BLUE)
    low = y - 0.42
    if access:
        axes.plot([x, x], [y, y - 0.1], color=BLACK, linewidth=1)
        axes.plot([x, x + 0.1], [y - 0.3, y - 0.12], color=BLACK, linewidth=1.2)  # an open switch
        axes.plot([x, x], [y - 0.3, low], color=BLACK, linewidth=1)
    else:
        axes.plot([x, x], [y, low], color=BLACK, linewidth=1)
    _resistor(axes, (x, low), (bit_line, low), ORANGE)
    axes.plot([bit_line], [low], marker="o", markersize=3, color=GREEN)


def _resistor(axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
    """A zigzag from ``start`` to ``end``."""
    along = np.array([0, 0.2, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.8, 1.0])
    across = 0.07 * np.array([0, 0, 1, -1, 1, -1, 1, -1, 0, 0])
    (x0, y0), (x1, y1) = start, end
    length = float(np.hypot(x1 - x0, y1 - y0))
    x = x0 + along * (x1 - x0) - across * (y1 - y0) / length
    y = y0 + along * (y1 - y0) + across * (x1 - x0) / length
    axes.plot(x, y, color=colour, linewidth=1.3)
