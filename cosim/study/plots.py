"""Pictures of a study, each as SVG and PNG."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cosim.figures.style import BLACK, BLUE, CYCLE, GREEN, GREY, ORANGE, RED, drawing
from cosim.study.results import Column, Table
from surrogate.atomic import replacing

SCALES = {"m": (1e6, "µm"), "s": (1e6, "µs"), "ohm": (1.0, "Ω"), "A": (1e9, "nA"), "F": (1e18, "aF"), "K": (1.0, "K")}
"""How units of parameters are shown."""
SHIFTS = (("shift_own", "own", GREY), ("shift_near", "near", RED), ("shift_far", "far", ORANGE),
          ("shift_second", "second", BLUE))  # fmt: skip
ACCURACIES = (("software", "software", GREY, "s"), ("deployed", "deployed", RED, "o"),
              ("control", "control", ORANGE, "D"), ("retrained", "retrained", GREEN, "^"))  # fmt: skip
ROLES = (("ser_patterns", "patterns", BLUE), ("ser_weights", "weights", ORANGE),
         ("ser_network", "network's pulse widths", GREEN))  # fmt: skip
WIDE, HIGH = 7.2, 3.6


def draw_plots(table: Table, folder: Path) -> list[Path]:
    """Draw what ``table`` has figures for into ``folder`` and return the files: the coupling kernel and, for each
    parameter, SER and accuracy; accuracy against area with its Pareto front. Raises ``OSError`` (disk full)."""
    written = []
    for parameter in table.parameters:
        column, name = table[parameter], re.sub(r"[^A-Za-z0-9]+", "-", parameter)
        for kind, figure, plot in _PLOTS:
            if table.has(figure):
                written += _save(folder / f"{kind}-{name}", partial(plot, table=table, column=column))
    if table.has("retrained") and table.has("area_per_cell"):
        written += _save(folder / "pareto", partial(pareto_plot, table=table))
    return written


def save_figure(figure: Figure, path: Path) -> Path:
    """Write ``figure`` to ``path`` (SVG or PNG by its suffix), the same bytes for the same figure."""
    kind = path.suffix.removeprefix(".")
    metadata: dict[str, Any] = {"Date": None} if kind == "svg" else {"Software": None}
    with replacing(path) as temporary:
        figure.savefig(temporary, format=kind, dpi=160, facecolor="white", metadata=metadata)
    return path


def _save(stem: Path, plot: Callable[[Axes], None]) -> list[Path]:
    with drawing(HIGH, WIDE) as figure:
        plot(figure.add_subplot())
        return [save_figure(figure, stem.with_name(f"{stem.name}.{kind}")) for kind in ("svg", "png")]


def kernel_plot(axes: Axes, table: Table, column: Column) -> None:
    """Fitted shifts by an active own, near, far and second word line, mV, against a parameter."""
    x = _places(axes, column)
    for name, label, colour in SHIFTS:
        if table.has(name):
            values = -1e3 * _numbers(table, name)
            _scatter(axes, x, values, label=f"{label} word line", color=colour, marker="o", jitter=0.0)
    axes.axhline(0, color=BLACK, linewidth=0.8)
    axes.set_ylabel("shift of the floating gate\nby an active word line (−mV)")
    _legend(axes)


def ser_plot(axes: Axes, table: Table, column: Column) -> None:
    """SER in cross-validation, by what was unseen, against a parameter."""
    x = _places(axes, column)
    for k, (name, label, colour) in enumerate(ROLES):
        if table.has(name):
            _scatter(axes, x, _numbers(table, name), label=f"unseen {label}", color=colour, marker="o", jitter=k - 1)
    axes.set_ylabel("SER against SPICE (dB)")
    _legend(axes)


def accuracy_plot(axes: Axes, table: Table, column: Column) -> None:
    """Accuracies of the networks against a parameter; bars are standard deviations over seeds."""
    x = _places(axes, column)
    for k, (name, label, colour, marker) in enumerate(ACCURACIES):
        spread = 100 * _numbers(table, f"{name}_std") if name != "software" else None
        _scatter(axes, x, 100 * _numbers(table, name), spread, label=label, color=colour, marker=marker, jitter=k - 1.5)
    axes.set_ylabel("test accuracy (%)")
    _legend(axes)


_PLOTS: tuple[tuple[str, str, Callable[..., None]], ...] = (
    ("kernel", "shift_near", kernel_plot), ("ser", "ser_least", ser_plot), ("accuracy", "retrained", accuracy_plot),
)  # fmt: skip
"""Pictures against a parameter: name, the figure that must be there, and how they are drawn."""


def pareto_plot(axes: Axes, table: Table) -> None:
    """Accuracy, deployed and retrained, against area per cell; lines join the points that none beats in both."""
    area = 1e12 * _numbers(table, "area_per_cell")
    for name, label, colour, marker in (ACCURACIES[3], ACCURACIES[1]):
        accuracy = 100 * _numbers(table, name)
        axes.plot(area, accuracy, linestyle="none", marker=marker, color=colour, label=label, zorder=3)
        front = pareto_front(area, accuracy)
        axes.plot(area[front], accuracy[front], color=colour, linewidth=1.2, drawstyle="steps-post", alpha=0.7)
    accuracy = 100 * _numbers(table, "retrained")
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


def _numbers(table: Table, name: str) -> np.ndarray:
    return np.array(table[name].values, dtype=float)


def _places(axes: Axes, column: Column) -> np.ndarray:
    """Where the points lie on the axis of a parameter, whose label and ticks are set."""
    if column.numeric:
        scale, unit = SCALES.get(column.unit, (1.0, column.unit))
        axes.set_xlabel(f"{column.name} ({unit})" if unit else column.name)
        return np.array(column.values, dtype=float) * scale
    kinds = list(dict.fromkeys(str(value) for value in column.values))
    axes.set_xticks(range(len(kinds)), kinds)
    axes.set_xlim(-0.5, len(kinds) - 0.5)
    axes.set_xlabel(column.name)
    return np.array([kinds.index(str(value)) for value in column.values], dtype=float)


def _scatter(
    axes: Axes, x: np.ndarray, y: np.ndarray, spread: np.ndarray | None = None, *, label: str, color: str, marker: str,
    jitter: float,
) -> None:  # fmt: skip
    """Points, moved aside by ``jitter`` steps, and a line through the means of each place."""
    seen = np.isfinite(x) & np.isfinite(y)
    places = np.unique(x[seen])
    step = 0.012 * float(np.ptp(places)) if len(places) > 1 else 0.02
    axes.errorbar(
        x[seen] + jitter * step, y[seen], None if spread is None else spread[seen], linestyle="none", marker=marker,
        markersize=5, color=color, label=label, capsize=2, elinewidth=1,
    )  # fmt: skip
    if len(places) > 1:
        means = [float(y[seen & (x == place)].mean()) for place in places]
        axes.plot(places + jitter * step, means, color=color, linewidth=1, alpha=0.5)


def _legend(axes: Axes) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(CYCLE))
