"""The study's figure: accuracy with and without retraining against what is varied."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from cosim.design_space.low_resolution_cases import Case
from cosim.design_space.low_resolution_table import Row
from cosim.figures.style import BLUE, GREEN, GREY, ORANGE, drawing
from surrogate.atomic import replacing

Panel: TypeAlias = tuple[str, tuple[str, ...], str, Callable[[Case], float]]

PANELS: tuple[Panel, ...] = (
    ("Few bits", ("bits of both", "bits of weights", "bits of activations"), "bits, the others 4",
     lambda case: min(case.weight_bits, case.activation_bits)),
    ("On/off ratio", ("ratio with error", "ratio with converters"), "on/off ratio of the cells",
     lambda case: case.on_off_ratio),
    ("Nonlinear cells", ("nonlinearity",), "ν of stored levels", lambda case: case.nonlinearity),
    ("Asymmetric pairs", ("asymmetry",), "by how much the negative side is lower", lambda case: case.asymmetry),
)  # fmt: skip
"""Title, groups, axis and what is varied of each panel."""
COLOURS = (BLUE, ORANGE, GREEN)
STYLES = {"deployed": ":", "retrained": "-"}
PLAIN = Case("bits of both")
"""The case that all groups of 4 bits start from."""


def draw(table: list[Row], title: str, path: Path) -> None:
    """``table``, the rows of one data set, as SVG. Bars are standard deviations over seeds."""
    with drawing(6.6) as figure:
        for axes, panel in zip(figure.subplots(2, 2).flat, PANELS, strict=True):
            _panel(axes, panel, table)
        figure.suptitle(title)
        with replacing(path) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})


def _panel(axes: Axes, panel: Panel, table: list[Row]) -> None:
    name, groups, label, varied = panel
    for colour, group in zip(COLOURS, groups, strict=False):
        some = [row for row in table if row.case.group == group or _starts(row.case, group)]
        some.sort(key=lambda row: varied(row.case))
        for kind, style in STYLES.items() if some else ():
            _line(axes, [varied(row.case) for row in some], some, kind, colour, style, f"{group}, {kind}")
    axes.axhline(table[0].software, color=GREY, linewidth=0.8, label="software")
    axes.set(title=name, xlabel=label, ylabel="accuracy, %")
    if "ratio" in label and axes.lines[:-1]:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
    if "bits" in label:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()


def _starts(case: Case, group: str) -> bool:
    return case == PLAIN and not group.startswith("ratio")


def _line(axes: Axes, x: list[float], table: list[Row], kind: str, colour: str, style: str, label: str) -> None:
    mean, std = ([getattr(row, f"{kind}{end}") for row in table] for end in ("", "_std"))
    axes.errorbar(x, mean, yerr=std, color=colour, linestyle=style, marker="o", markersize=3, capsize=2, label=label)
