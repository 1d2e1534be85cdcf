"""The study of instantaneous bit-line drop: agreement with ngspice, what each effect costs, accuracies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from cosim.figures.style import BLACK, CYCLE, GREY, drawing

Points = Sequence[Mapping[str, Any]]

REQUIRED_DB = 50.0
AGREEMENT = {
    "reference_db": "every slot", "tile_model_db": "tile model", "average_current_db": "average current",
    "no_drop_db": "no drop",
}  # fmt: skip
EFFECTS = {
    "drop_db": "drop", "drop_calibrated_db": "drop, columns calibrated", "read_noise_db": "read noise",
    "converter_db": "converter", "all_calibrated_db": "all, calibrated",
}  # fmt: skip
ACCURACIES = {
    "software": "software", "drop_only": "drop alone", "as_it_is": "all effects", "gaussian": "Gaussian training",
    "tile_model": "tile-model training",
}  # fmt: skip


def draw_study(path: Path, agreement: Points, errors: Points, accuracy: Points) -> None:
    """Write the figure as a stand-alone SVG: means over seeds, and the seeds themselves as dots."""
    with drawing(3.6, 12.6) as figure:
        figure.set_facecolor("white")
        left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1, 1.25))
        _lines(left, agreement, AGREEMENT, "against ngspice (dB)", "Tile outputs in ngspice")
        left.axhline(REQUIRED_DB, color=GREY, linewidth=1.2, linestyle=(0, (4, 2)))
        _lines(middle, errors, EFFECTS, "against the ideal product (dB)", "Errors by effect")
        _bars(right, accuracy)
        figure.savefig(path, format="svg", metadata={"Date": None})


def _lines(axes: Axes, points: Points, names: Mapping[str, str], label: str, title: str) -> None:
    rows = sorted({point["rows"] for point in points})
    for colour, (key, name) in zip(CYCLE, names.items(), strict=False):
        means = [np.mean([p[key] for p in points if p["rows"] == n]) for n in rows]
        axes.plot(rows, means, color=colour, label=name)
        axes.plot([p["rows"] for p in points], [p[key] for p in points], ".", color=colour, markersize=4)
    axes.set_xscale("log", base=2)
    axes.set_xticks(rows, [str(n) for n in rows])
    axes.set_ylim(bottom=0)
    axes.set(xlabel="rows", ylabel=label, title=title)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.12), ncols=2, borderaxespad=0)


def _bars(axes: Axes, points: Points) -> None:
    cases = list(dict.fromkeys((p["mapping"], p["segment_ohm"]) for p in points))
    width = 0.8 / len(ACCURACIES)
    for k, (colour, (key, name)) in enumerate(zip((GREY, *CYCLE), ACCURACIES.items(), strict=False)):
        for place, case in enumerate(cases):
            found = [100 * p[key] for p in points if (p["mapping"], p["segment_ohm"]) == case]
            at = place + (k - (len(ACCURACIES) - 1) / 2) * width
            axes.bar(at, np.mean(found), 0.9 * width, color=colour, label=name if place == 0 else None)
            axes.plot([at] * len(found), found, ".", color=BLACK, markersize=3)
    axes.set_xticks(range(len(cases)), [f"{mapping}\n{ohms:g} ohm" for mapping, ohms in cases])
    axes.set(ylabel="test accuracy (%)", title="MNIST 14x14 on tiles")
    axes.grid(False, axis="x")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.12), ncols=3, borderaxespad=0)
