"""Pictures of a study, each as SVG and PNG."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from cosim.figures.style import BLUE, CYCLE, GREEN, ORANGE, drawing
from cosim.study.overview import ACCURACIES, SHIFTS, numbers, overview, save_figure
from cosim.study.parameters import SCALES
from cosim.study.results import Column, Table

ROLES = (("ser_patterns", "patterns", BLUE), ("ser_weights", "weights", ORANGE),
         ("ser_network", "network's pulse widths", GREEN))  # fmt: skip
MOST_TICKS = 9
WIDE, HIGH = 7.2, 3.6


def draw_plots(table: Table, folder: Path) -> list[Path]:
    """Draw what ``table`` has figures for into ``folder`` and return the files: the coupling kernel, SER and accuracy
    against each parameter; all points side by side; accuracy against area with its Pareto front. Raises ``OSError``
    (disk full)."""
    written = []
    for parameter in table.parameters:
        column, name = table[parameter], re.sub(r"[^A-Za-z0-9]+", "-", parameter)
        for kind, needed, plot in _PLOTS:
            if table.has(needed):
                written += _save(folder / f"{kind}-{name}", partial(plot, table=table, column=column))
    if table.has("ideal_one_hot"):
        with overview(table) as figure:
            written += [save_figure(figure, folder / f"overview.{kind}") for kind in ("svg", "png")]
    if table.has("retrained") and table.has("area_per_cell"):
        written += _save(folder / "pareto", partial(pareto_plot, table=table))
    return written


def _save(stem: Path, plot: Callable[[Axes], None]) -> list[Path]:
    with drawing(HIGH, WIDE) as figure:
        plot(figure.add_subplot())
        return [save_figure(figure, stem.with_name(f"{stem.name}.{kind}")) for kind in ("svg", "png")]


def kernel_plot(axes: Axes, table: Table, column: Column) -> None:
    """Sizes of the fitted shifts by an active own, near, far and second word line, mV, against a parameter."""
    x = _places(axes, column)
    for name, label, colour in SHIFTS:
        if table.has(name):
            _scatter(axes, x, np.abs(1e3 * numbers(table, name)), label=f"{label} word line", color=colour, marker="o")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_ylabel("size of a floating gate's shift\nby an active word line (mV)")
    _legend(axes)


def ser_plot(axes: Axes, table: Table, column: Column) -> None:
    """SER in cross-validation, by what was unseen, against a parameter."""
    x = _places(axes, column)
    for k, (name, label, colour) in enumerate(ROLES):
        if table.has(name):
            _scatter(axes, x, numbers(table, name), label=f"unseen {label}", color=colour, marker="o", aside=k - 1)
    axes.set_ylabel("SER against SPICE (dB)")
    _legend(axes)


def accuracy_plot(axes: Axes, table: Table, column: Column) -> None:
    """Accuracies of the networks against a parameter; bars are standard deviations over seeds."""
    x = _places(axes, column)
    for k, (name, label, colour, marker) in enumerate(ACCURACIES):
        spread = 100 * numbers(table, f"{name}_std") if name != "software" else None
        _scatter(axes, x, 100 * numbers(table, name), spread, label=label, color=colour, marker=marker, aside=k - 1.5)
    axes.set_ylabel("test accuracy (%)")
    _legend(axes)


_PLOTS: tuple[tuple[str, str, Callable[..., None]], ...] = (
    ("kernel", "shift_near", kernel_plot), ("ser", "ser_patterns", ser_plot), ("accuracy", "retrained", accuracy_plot),
)  # fmt: skip
"""Pictures against a parameter: name, the figure that must be there, and how they are drawn."""


def pareto_plot(axes: Axes, table: Table) -> None:
    """Accuracy, deployed and retrained, against area per cell; lines join the points that none beats in both."""
    area = 1e12 * numbers(table, "area_per_cell")
    for name, label, colour, marker in (ACCURACIES[3], ACCURACIES[1]):
        accuracy = 100 * numbers(table, name)
        axes.plot(area, accuracy, linestyle="none", marker=marker, color=colour, label=label, zorder=3)
        front = pareto_front(area, accuracy)
        axes.plot(area[front], accuracy[front], color=colour, linewidth=1.2, drawstyle="steps-post", alpha=0.7)
    accuracy = 100 * numbers(table, "retrained")
    for k in pareto_front(area, accuracy):
        axes.annotate(
            str(table["point"].values[k]), (area[k], accuracy[k]), xytext=(4, 5), textcoords="offset points", fontsize=8
        )
    axes.set_xlabel("area per cell (µm²)")
    axes.set_ylabel("test accuracy (%)")
    axes.margins(0.12)
    _legend(axes)


def pareto_front(cost: np.ndarray, gain: np.ndarray) -> list[int]:
    """Points, by rising cost, that no other point equals or beats in both cost and gain but for one of them; of equal
    points the first. Points with a nan are left out."""
    front: list[int] = []
    known = [k for k in range(len(cost)) if math.isfinite(cost[k]) and math.isfinite(gain[k])]
    for k in sorted(known, key=lambda k: (cost[k], -gain[k], k)):
        if not front or gain[k] > gain[front[-1]]:
            front.append(k)
    return front


def _places(axes: Axes, column: Column) -> np.ndarray:
    """Where the points lie on the axis of a parameter, whose label and ticks are set."""
    if column.numeric:
        scale, unit = SCALES.get(column.unit, (1.0, column.unit))
        axes.set_xlabel(f"{column.name} ({unit})" if unit else column.name)
        places = np.array(column.values, dtype=float) * scale
        kinds = np.unique(places[np.isfinite(places)])
        if len(kinds) <= MOST_TICKS:
            axes.set_xticks(kinds, [f"{place:.6g}" for place in kinds])
        return places
    names = list(dict.fromkeys(str(value) for value in column.values))
    axes.set_xticks(range(len(names)), names)
    axes.grid(False, axis="x")
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_xlabel(column.name)
    return np.array([names.index(str(value)) for value in column.values], dtype=float)


def _scatter(
    axes: Axes, x: np.ndarray, y: np.ndarray, spread: np.ndarray | None = None, *, label: str, color: str, marker: str,
    aside: float = 0.0,
) -> None:  # fmt: skip
    """Points, ``aside`` by so many steps, and in a full grid a line through the means."""
    seen = np.isfinite(x) & np.isfinite(y)
    places = np.unique(x[seen])
    step = 0.008 * float(np.ptp(places)) if len(places) > 1 else 0.02
    axes.errorbar(
        x[seen] + aside * step, y[seen], None if spread is None else spread[seen], linestyle="none", marker=marker,
        markersize=5, color=color, label=label, capsize=2, elinewidth=1,
    )  # fmt: skip
    counts = [int((seen & (x == place)).sum()) for place in places]
    if len(places) > 1 and len(set(counts)) == 1:
        means = [float(y[seen & (x == place)].mean()) for place in places]
        axes.plot(places, means, color=color, linewidth=1, alpha=0.5)


def _legend(axes: Axes) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(CYCLE))
