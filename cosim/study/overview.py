"""All points of a study side by side: what the layout does to floating gates, to an ideal VMM and to a network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cosim.figures.style import BLUE, GREEN, GREY, ORANGE, RED, SKY, drawing
from cosim.study.results import Table
from surrogate.atomic import replacing

SHIFTS = (("shift_own", "own", GREY), ("shift_near", "near", RED), ("shift_far", "far", ORANGE),
          ("shift_second", "second", BLUE))  # fmt: skip
"""Figure, word line and colour."""
ACCURACIES = (("software", "software", GREY, "s"), ("deployed", "deployed", RED, "o"),
              ("control", "control", ORANGE, "D"), ("retrained", "retrained", GREEN, "^"))  # fmt: skip
"""Figure, name, colour and marker."""
WIDE, ROW, AROUND = 10.2, 0.34, 1.15
BAR = 0.38


@contextmanager
def overview(table: Table) -> Iterator[Figure]:
    """One line a point, by falling accuracy of an ideal VMM: shifts by near and far word lines, SERs, accuracies."""
    order = np.argsort(numbers(table, "ideal_one_hot"), kind="stable")
    panels = (_shifts, _sers, _accuracies) if table.has("retrained") else (_shifts, _sers)
    with drawing(AROUND + ROW * len(table), WIDE) as figure:
        all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, panel in zip(all_axes, panels, strict=True):
            panel(axes, table, order)
            axes.grid(False, axis="y")
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, columnspacing=1.0, handletextpad=0.4)
        all_axes[0].set_yticks(range(len(table)), [_name(table, k) for k in order])
        all_axes[0].set_ylim(-0.6, len(table) - 0.4)
        yield figure


def numbers(table: Table, name: str) -> np.ndarray:
    """The numbers of a column."""
    return np.array(table[name].values, dtype=float)


def save_figure(figure: Figure, path: Path) -> Path:
    """Write ``figure`` to ``path`` (SVG or PNG by its suffix), the same bytes for the same figure."""
    kind = path.suffix.removeprefix(".")
    metadata: dict[str, Any] = {"Date": None} if kind == "svg" else {"Software": None}
    with replacing(path) as temporary:
        figure.savefig(temporary, format=kind, dpi=160, facecolor="white", metadata=metadata)
    return path


def _name(table: Table, k: int) -> str:
    area = float(table["area_per_cell"].values[k])
    return str(table["point"].values[k]) + (f"  {area * 1e12:.2f} µm²" if area == area else "")


def _shifts(axes: Axes, table: Table, order: np.ndarray) -> None:
    y = np.arange(len(order))
    for (name, label, colour), at in zip(SHIFTS[1:3], (BAR / 2, -BAR / 2), strict=True):
        if table.has(name):
            axes.barh(y + at, np.abs(1e3 * numbers(table, name))[order], BAR, color=colour, label=label)
    axes.set_xlabel("floating gate's shift by the\nnear and far word line (mV)")


def _sers(axes: Axes, table: Table, order: np.ndarray) -> None:
    y = np.arange(len(order))
    axes.barh(y, numbers(table, "ideal_one_hot")[order], 2 * BAR, color=SKY, label="ideal VMM")
    axes.plot(numbers(table, "ser_least")[order], y, linestyle="none", marker="D", color=BLUE, label="surrogate")
    axes.set_xlabel("SER against SPICE, unseen runs (dB)")
    axes.set_xlim(left=0)


def _accuracies(axes: Axes, table: Table, order: np.ndarray) -> None:
    y = np.arange(len(order))
    for name, label, colour, marker in (ACCURACIES[0], ACCURACIES[1], ACCURACIES[3]):
        spread = 100 * numbers(table, f"{name}_std")[order] if name != "software" else None
        axes.errorbar(
            100 * numbers(table, name)[order], y, xerr=spread, linestyle="none", marker=marker, color=colour,
            label=label, elinewidth=1,
        )  # fmt: skip
    axes.set_xlabel("test accuracy (%)")
