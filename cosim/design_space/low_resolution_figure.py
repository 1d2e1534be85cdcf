"""The study's figure: accuracy with and without retraining against what is varied."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cosim.design_space.low_resolution_cases import Case
from cosim.design_space.low_resolution_table import Row
from surrogate.atomic import replacing

PANELS: tuple[tuple[str, tuple[str, ...], str, Callable[[Case], float]], ...] = (
    ("bits", ("bits of both", "bits of weights", "bits of activations"), "bits, the others 4",
     lambda case: min(case.weight_bits, case.activation_bits)),
    ("on/off ratio", ("ratio with error", "ratio with converters"), "on/off ratio of the cells",
     lambda case: case.on_off_ratio),
    ("nonlinear cells", ("nonlinearity",), "ν of stored levels", lambda case: case.nonlinearity),
    ("asymmetric pairs", ("asymmetry",), "by how much the negative side is lower", lambda case: case.asymmetry),
)  # fmt: skip
"""Title, groups, axis and what is varied of each panel."""
STYLES = {"deployed": ":", "retrained": "-"}
PLAIN = Case("bits of both")
"""The case that all groups of 4 bits start from."""


def draw(table: list[Row], title: str, path: Path) -> None:
    """``table``, the rows of one data set, as SVG. Bars are standard deviations over seeds."""
    from matplotlib.figure import Figure  # here, as it takes a second to load

    figure = Figure(figsize=(11, 6.4), layout="constrained")
    for axes, (name, groups, label, varied) in zip(figure.subplots(2, 2).flat, PANELS, strict=True):
        for k, group in enumerate(groups):
            some = [row for row in table if row.case.group == group or _starts(row.case, group)]
            some.sort(key=lambda row: varied(row.case))
            for kind, style in STYLES.items() if some else ():
                _line(axes, [varied(row.case) for row in some], some, kind, f"C{k}", style, f"{group}, {kind}")
        axes.axhline(table[0].software, color="gray", linewidth=0.8, label="software")
        axes.set(title=name, xlabel=label, ylabel="accuracy in %")
        if "ratio" in label and axes.lines[:-1]:
            axes.set_xscale("log")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    figure.suptitle(title)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None})


def _starts(case: Case, group: str) -> bool:
    return case == PLAIN and not group.startswith("ratio")


def _line(axes: Any, x: list[float], table: list[Row], kind: str, colour: str, style: str, label: str) -> None:
    mean, std = ([getattr(row, f"{kind}{end}") for row in table] for end in ("", "_std"))
    axes.errorbar(x, mean, yerr=std, color=colour, linestyle=style, marker="o", markersize=3, capsize=2, label=label)
