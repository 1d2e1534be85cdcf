"""A picture of the layout, SVG or PNG: one cell (a pair in a mirrored array) with its dimensions, and the array."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import klayout.db as db
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Polygon, Rectangle

from netlists.layout.drawing import Drawing
from netlists.layout.files import region, to_klayout
from netlists.stack import Cut, Layer

FORMATS = ("svg", "png")
MAX_ROWS = MAX_COLUMNS = 8
"""Largest part of an array that is shown: cells of more would be dots."""

METAL_COLOURS = ("#3d7fc4", "#b0579f", "#3fa58a", "#c9a227", "#7a6fb0")
UM = 1e6


def write_picture(drawing: Drawing, path: Path, kind: str) -> None:
    """Write the picture of ``drawing`` to ``path``; ``kind`` is one of :data:`FORMATS`."""
    with rc_context({"svg.hashsalt": "layout", "font.size": 9, "hatch.linewidth": 0.5}):
        figure = _figure(drawing)
        metadata = {"Date": None} if kind == "svg" else {}
        figure.savefig(path, format=kind, dpi=160, metadata=metadata)


def _figure(drawing: Drawing) -> Figure:
    shown = _part(drawing)
    figure = Figure(figsize=(13, 8), layout="constrained")
    close, whole = figure.subplots(1, 2, width_ratios=(1, 1.25))
    layout = to_klayout(shown)
    for axes in (close, whole):
        _draw(axes, shown, layout)
    _close_up(close, shown)
    _overview(whole, shown, drawing)
    figure.legend(handles=_legend(shown), loc="outside lower center", ncols=8, frameon=False)
    area = drawing.cell_area * UM**2
    rows = "mirrored" if drawing.design.array.mirrored else "plain"
    figure.suptitle(
        f"{drawing.design.name}: {drawing.design.array.rows}x{drawing.design.array.columns} cells, {rows} rows, "
        f"{area:.3f} µm² per cell, stack {drawing.stack.name}"
    )
    return figure


def _part(drawing: Drawing) -> Drawing:
    """The lower left part of ``drawing`` that is shown."""
    array = drawing.design.array
    design = drawing.design.resized(min(array.rows, MAX_ROWS), min(array.columns, MAX_COLUMNS))
    return dataclasses.replace(drawing, design=design)


@dataclass(frozen=True)
class _Look:
    face: str
    alpha: float
    hatch: str = ""

    def patch(self, **more: Any) -> dict[str, Any]:
        return {"facecolor": self.face, "alpha": self.alpha, "edgecolor": "black", "linewidth": 0.5,
                "hatch": self.hatch, **more}  # fmt: skip


def _look(drawing: Drawing, layer: Layer | Cut) -> _Look:
    if isinstance(layer, Cut):
        return _Look("#222222" if drawing.stack.diffusion.name in layer.lower else "#f2f2f2", 0.9)
    if layer.kind == "metal":
        index = drawing.stack.metals.index(layer)
        return _Look(METAL_COLOURS[index % len(METAL_COLOURS)], 0.4, ("", "////", "....")[index % 3])
    return _Look("#8bc34a", 0.75) if layer.kind == "diffusion" else _Look("#e0533d", 0.7)


def _upwards(drawing: Drawing) -> list[Layer | Cut]:
    """Layers and cuts with shapes, from the bottom of the stack."""
    return sorted(drawing.used, key=lambda x: drawing.stack.extent(x.name)[0])


def _legend(drawing: Drawing) -> list[Patch]:
    return [Patch(label=f"{x.name} ({x.gds}/0)", **_look(drawing, x).patch()) for x in _upwards(drawing)]


def _draw(axes: Axes, drawing: Drawing, layout: db.Layout) -> None:
    for layer in _upwards(drawing):
        merged = region(layout, drawing.stack, layer.name)
        patches = [
            Polygon([(point.x * layout.dbu, point.y * layout.dbu) for point in polygon.each_point_hull()])
            for polygon in merged.each()
        ]
        axes.add_collection(PatchCollection(patches, **_look(drawing, layer).patch()))
    axes.set_aspect("equal")
    axes.set_xlabel("x (µm)")
    axes.set_ylabel("y (µm)")


def _overview(axes: Axes, shown: Drawing, drawing: Drawing) -> None:
    width, height = shown.width * UM, shown.height * UM
    margin = 0.06 * max(width, height)
    axes.set_xlim(-margin * 2, width + margin * (2 if shown.layout.shield else 0.5))
    axes.set_ylim(-margin, height + margin / 2)
    small = max(4.0, min(8.0, 55.0 / max(shown.rows, shown.columns)))
    for p in range(shown.rows):
        y0, y1 = _line_box(shown, "word_line", p, 0)[1::2]
        axes.text(-margin / 6, (y0 + y1) / 2, shown.word_line(p), fontsize=small, ha="right", va="center")
    for net, box in shown.shields():
        y0, y1 = (y * UM for y in shown.metres(box)[1::2])
        axes.text(width + margin / 6, (y0 + y1) / 2, net, fontsize=small, ha="left", va="center")
    for q in range(shown.columns):
        x0, x1 = _line_box(shown, "bit_line", 0, q)[::2]
        axes.text((x0 + x1) / 2, -margin / 3, shown.bit_line(q), fontsize=small, ha="center", va="top")
    if (shown.rows, shown.columns) == (drawing.rows, drawing.columns):
        axes.set_title("Array")
    else:
        axes.set_title(f"Lower left {shown.rows}x{shown.columns} of the {drawing.rows}x{drawing.columns} cells drawn")


def _line_box(drawing: Drawing, part: str, p: int, q: int) -> tuple[float, float, float, float]:
    """Box of the unit cell's ``part`` in drawn row ``p`` and column ``q``, µm."""
    piece = next(piece for piece in drawing.cell.pieces if piece.part == part)
    x0, y0, x1, y1 = drawing.metres(drawing.placed(piece.box, p, q))
    return x0 * UM, y0 * UM, x1 * UM, y1 * UM


def _close_up(axes: Axes, drawing: Drawing) -> None:
    """Cell of the second column and of the first rows (two in a mirrored array), with dimension bars."""
    pitch_x, pitch_y = drawing.layout.column_pitch * UM, drawing.layout.row_pitch * UM
    p = drawing.layout.dummy_rows
    q = min(drawing.layout.dummy_columns + 1, drawing.columns - 1)
    rows = min(2 if drawing.design.array.mirrored else 1, drawing.rows - p)
    x0, y0, x1, y1 = q * pitch_x, p * pitch_y, (q + 1) * pitch_x, (p + rows) * pitch_y
    room = 0.5 * pitch_x
    axes.set_xlim(x0 - room, x1 + room * 1.3)
    axes.set_ylim(y0 - room, y1 + room)
    for veil in ((x0 - 2 * room, y0 - 2 * room, x0, y1 + 2 * room), (x1, y0 - 2 * room, x1 + 2 * room, y1 + 2 * room),
                 (x0, y0 - 2 * room, x1, y0), (x0, y1, x1, y1 + 2 * room)):  # fmt: skip
        axes.add_patch(_rectangle(veil, facecolor="white", alpha=0.72, linewidth=0))
    for k in range(rows):
        axes.add_patch(_rectangle((x0, y0 + k * pitch_y, x1, y0 + (k + 1) * pitch_y), fill=False, linestyle="--"))
        _name(axes, drawing.floating_gate(p + k, q), _line_box(drawing, "channel", p + k, q))
        line = _line_box(drawing, "word_line", p + k, q)
        _name(axes, drawing.word_line(p + k), (x0 - room, line[1], x0 - room * 0.3, line[3]))
    bit = _line_box(drawing, "bit_line", p, q)
    _name(axes, drawing.bit_line(q), (bit[0], y1 + room * 0.5, bit[2], y1 + room * 0.9))
    _dimensions(axes, drawing, p, q, room)
    axes.set_title(f"{'Mirrored pair' if rows == 2 else 'Cell'}, dimensions in µm")


def _dimensions(axes: Axes, drawing: Drawing, p: int, q: int, room: float) -> None:
    pitch_x, pitch_y = drawing.layout.column_pitch * UM, drawing.layout.row_pitch * UM
    x0, y0, x1 = q * pitch_x, p * pitch_y, (q + 1) * pitch_x
    boxes = {part: _line_box(drawing, part, p, q) for part in ("word_line", "bit_line", "channel")}
    word, bit, channel = boxes["word_line"], boxes["bit_line"], boxes["channel"]
    _bar(axes, (x0, y0 - room * 0.8), (x1, y0 - room * 0.8), f"column pitch {pitch_x:g}")
    _bar(axes, (bit[0], y0 - room * 0.5), (bit[2], y0 - room * 0.5), f"{bit[2] - bit[0]:.3g}")
    _bar(axes, (x1 + room * 1.1, y0), (x1 + room * 1.1, y0 + pitch_y), f"row pitch {pitch_y:g}")
    _bar(axes, (x1 + room * 0.25, word[1]), (x1 + room * 0.25, word[3]), f"{word[3] - word[1]:.3g}")
    _bar(axes, (x1 + room * 0.25, channel[1]), (x1 + room * 0.25, channel[3]), f"L {channel[3] - channel[1]:.3g}")
    low = channel[1] + 0.2 * (channel[3] - channel[1])
    _bar(axes, (channel[0], low), (channel[2], low), f"W {channel[2] - channel[0]:.3g}")
    gates = [
        drawing.metres(drawing.placed(piece.box, p, q))
        for piece in drawing.cell.pieces
        if piece.part == "floating_gate"
    ]
    gx0, gy0, gx1, gy1 = (f(box[k] for box in gates) * UM for k, f in enumerate((min, min, max, max)))
    _bar(axes, (x1 + room * 0.65, gy0), (x1 + room * 0.65, gy1), f"floating gate {gy1 - gy0:.3g}")
    _bar(axes, (gx0, y0 - room * 0.2), (gx1, y0 - room * 0.2), f"floating gate {gx1 - gx0:.3g}")
    next_row = p + 1
    if drawing.design.array.mirrored and next_row < drawing.rows:
        other = _line_box(drawing, "word_line", next_row, q)
        _bar(axes, (x1 + room * 0.25, word[3]), (x1 + room * 0.25, other[1]), f"{other[1] - word[3]:.3g}")


def _rectangle(box: tuple[float, float, float, float], **look: Any) -> Rectangle:
    return Rectangle((box[0], box[1]), box[2] - box[0], box[3] - box[1], **look)


def _name(axes: Axes, text: str, box: tuple[float, float, float, float]) -> None:
    axes.text(
        (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, text, ha="center", va="center", fontsize=9, weight="bold",
        bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1.0},
    )  # fmt: skip


def _bar(axes: Axes, start: tuple[float, float], end: tuple[float, float], text: str) -> None:
    """A dimension bar from ``start`` to ``end`` (µm) with ``text`` at its middle."""
    axes.annotate("", start, end, arrowprops={"arrowstyle": "|-|", "mutation_scale": 3, "linewidth": 0.9})
    upright = start[0] == end[0]
    axes.text(
        (start[0] + end[0]) / 2, (start[1] + end[1]) / 2, text, fontsize=8, ha="center", va="center",
        rotation=90 if upright and " " in text else 0,
        bbox={"facecolor": "white", "alpha": 0.9, "edgecolor": "none", "pad": 0.8},
    )  # fmt: skip
