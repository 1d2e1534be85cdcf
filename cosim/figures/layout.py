"""Top view of the array and the capacitances of one floating gate."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from cosim.figures.style import BLACK, BLUE, GREEN, GREY, ORANGE, RED, bare, drawing, svg
from netlists.design import Design
from netlists.graph import far_row, near_row

PITCH_UM = 1.4
"""Distance of word lines and of bit lines (a 180-nm class process)."""

WORD_LINE_UM = 0.23
BIT_LINE_UM = 0.28
GATE_UM = 0.34
"""Drawn width of a floating gate's strip; indicative."""

SHOWN_ROWS, SHOWN_COLUMNS = 4, 5

DARK_GREEN, DARK_ORANGE = "#00664b", "#8a5a00"
"""For text: the fills' colours are too light."""


@dataclass(frozen=True)
class _Gate:
    """Strip of the floating gate of one cell: left edge, top, height in µm (rows count downwards)."""

    left: float
    top: float
    height: float

    @property
    def centre(self) -> tuple[float, float]:
        return self.left + GATE_UM / 2, self.top + self.height / 2


def layout_figure(design: Design) -> Markup:
    """Schematic top view to the scale of the pitch, and one cell with its coupling capacitances."""
    with drawing(4.6) as figure:
        left, right = figure.subplots(1, 2, width_ratios=[1.12, 1])
        _top_view(left, design)
        _one_cell(right, design)
        return svg(figure, "layout", "Schematic top view of the array, and the coupling capacitances of one cell")


def _gate(design: Design, row: int, column: int) -> _Gate:
    x, y = column * PITCH_UM, row * PITCH_UM
    reach = (0.5 * WORD_LINE_UM + 0.18) if design.array.mirrored else -0.42
    near = near_row(design, row)
    ends = sorted([y, near * PITCH_UM + (reach if near > row else -reach)])
    side = -1 if near > row else 1
    return _Gate(x + side * 0.4 - GATE_UM / 2, ends[0], ends[1] - ends[0])


def _draw(axes: Axes, design: Design, rows: range, columns: range, marked: tuple[int, int] | None) -> None:
    """Gates below, word lines over them, bit lines on top."""
    low, high = columns[0] * PITCH_UM - 0.75, columns[-1] * PITCH_UM + 0.75
    top, bottom = rows[0] * PITCH_UM - 0.55, rows[-1] * PITCH_UM + 0.55
    for row in rows:
        for column in columns:
            gate = _gate(design, row, column)
            colour = RED if (row, column) == marked else ORANGE
            start, end = max(gate.top, top), min(gate.top + gate.height, bottom)
            axes.add_patch(Rectangle(
                (gate.left, start), GATE_UM, end - start, facecolor=colour, alpha=0.85 if colour == RED else 0.6,
                edgecolor=DARK_ORANGE, linewidth=0.6, zorder=2,
            ))  # fmt: skip
        y = row * PITCH_UM - WORD_LINE_UM / 2
        axes.add_patch(Rectangle((low, y), high - low, WORD_LINE_UM, color=BLUE, alpha=0.55, linewidth=0, zorder=3))
    for column in columns:
        x = column * PITCH_UM - BIT_LINE_UM / 2
        axes.add_patch(Rectangle((x, top), BIT_LINE_UM, bottom - top, color=GREEN, alpha=0.45, linewidth=0, zorder=4))


def _top_view(axes: Axes, design: Design) -> None:
    rows, columns = range(min(SHOWN_ROWS, design.array.rows)), range(min(SHOWN_COLUMNS, design.array.columns))
    _draw(axes, design, rows, columns, None)
    left, right = -0.75, columns[-1] * PITCH_UM + 0.75
    for row in rows:
        axes.text(left - 0.12, row * PITCH_UM, f"WL {row}", ha="right", va="center", color=BLUE, fontweight="bold")
    for column in columns:
        x = column * PITCH_UM
        axes.text(x, -0.72, f"BL {column}", ha="center", va="bottom", color=DARK_GREEN, fontweight="bold")
    if design.array.mirrored:
        for row in rows[:-1:2]:
            top, bottom = row * PITCH_UM - 0.15, (row + 1) * PITCH_UM + 0.15
            axes.plot([right + 0.12, right + 0.24, right + 0.24, right + 0.12], [top, top, bottom, bottom], color=GREY)
            axes.text(right + 0.36, (top + bottom) / 2, "mirrored\npair", va="center", fontsize=8)
    y = rows[-1] * PITCH_UM + 0.78
    axes.annotate("", (0, y), (PITCH_UM, y), arrowprops={"arrowstyle": "<->", "color": BLACK, "linewidth": 0.9})
    axes.text(PITCH_UM / 2, y + 0.12, f"pitch {PITCH_UM:g} µm", ha="center", va="top", fontsize=8.5)
    axes.set_xlim(left - 1.0, (SHOWN_COLUMNS - 1) * PITCH_UM + 2.2)  # the same scale for smaller arrays
    axes.set_ylim(y + 1.25, -1.0)
    axes.set_aspect("equal", anchor="NW")
    bare(axes)
    axes.set_title(f"Corner of the {design.array.rows} × {design.array.columns} array, top view")
    for k, (colour, name, alpha) in enumerate(
        ((BLUE, "word line (WL)", 0.55), (GREEN, "bit line (BL)", 0.45), (ORANGE, "floating gate", 0.6))
    ):
        x = left + 2.75 * k
        axes.add_patch(Rectangle((x, y + 0.78), 0.32, 0.24, color=colour, alpha=alpha, linewidth=0))
        axes.text(x + 0.42, y + 0.9, name, va="center", fontsize=8.5)


def _one_cell(axes: Axes, design: Design) -> None:
    """The lines around a cell of row i, each with its capacitance to the cell's floating gate."""
    c, row = design.coupling, 2
    near, far = near_row(design, row), far_row(design, row)
    _draw(axes, design, range(5), range(-1, 2), (row, 0))
    gate, beside, below = _gate(design, row, 0), _gate(design, row, -1), _gate(design, row + 1, 0)
    x = gate.centre[0]
    lines = (
        (row - 2, "second", c.second_word_line), (far, "far", c.far_word_line), (row, "own", c.own_word_line),
        (near, "near", c.near_word_line), (row + 2, "second", c.second_word_line),
    )  # fmt: skip
    right, largest = PITCH_UM + 0.75, max(farads for *_, farads in lines)
    for line, kind, farads in lines:
        y = line * PITCH_UM
        start = min(max(y, gate.top), gate.top + gate.height)
        at = x + {"second": 0.08, "far": -0.08}.get(kind, 0.0)
        _couple(axes, (at, start), (at, y), farads)
        offset = f"{line - row:+d}".replace("-", "−") if line != row else ""
        axes.text(
            right + 0.12, y, f"WL i{offset}, {kind}: {attofarads(farads)}", va="center", color=BLUE, fontsize=8.5,
            fontweight="bold" if farads == largest else "normal",
        )  # fmt: skip
    y = gate.top + 0.38 * gate.height
    _couple(axes, (gate.left, y), (beside.left + GATE_UM, y), c.floating_gate_same_row)
    _tag(axes, ((gate.left + beside.left + GATE_UM) / 2, y - 0.2), attofarads(c.floating_gate_same_row))
    edge = gate.left + GATE_UM
    _couple(axes, (edge, y), (-BIT_LINE_UM / 2, y), c.bit_line)
    if design.array.mirrored:
        y += 0.26 * gate.height
        _couple(axes, (edge, y), (below.left, y), c.floating_gate_same_column)
    else:
        _couple(axes, (x, gate.top + gate.height), (x, below.top), c.floating_gate_same_column)
    for k, (text, colour) in enumerate((
        (f"BL: {attofarads(c.bit_line)}", DARK_GREEN),
        (f"gate of row i+1: {attofarads(c.floating_gate_same_column)}", DARK_ORANGE),
        (f"substrate: {attofarads(c.substrate)}", BLACK),
    )):  # fmt: skip
        axes.text(right + 0.12, (row + 0.5) * PITCH_UM + 0.3 * (k - 1), text, va="center", color=colour, fontsize=8.5)
    axes.set_xlim(-PITCH_UM - 0.9, right + 2.75)
    axes.set_ylim(4 * PITCH_UM + 0.75, -0.75)
    axes.set_aspect("equal", anchor="NW")
    bare(axes)
    axes.set_title("What one floating gate (red, row i) couples to")


def _couple(axes: Axes, start: tuple[float, float], end: tuple[float, float], farads: float) -> None:
    """A connection whose dot is the larger, the larger the capacitance."""
    if farads > 0:
        axes.plot([start[0], end[0]], [start[1], end[1]], color=BLACK, linewidth=1.0, zorder=6, solid_capstyle="butt")
        size = 2.5 + 7.0 * min(farads / 60e-18, 1.0) ** 0.5
        axes.plot([end[0]], [end[1]], marker="o", markersize=size, color=BLACK, zorder=6)


def _tag(axes: Axes, at: tuple[float, float], text: str) -> None:
    box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
    axes.text(*at, text, ha="center", va="center", fontsize=8, bbox=box, zorder=8)


def attofarads(farads: float) -> str:
    """``farads`` in aF for a label."""
    return f"{farads * 1e18:.3g} aF"
