"""The figure of the study of mappings: accuracy against the size of each effect, a line for each system."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cosim.design_space.mappings import CONVERTER, INDEPENDENT, NOTHING, PAIRS, PROPORTIONAL, SIZES, WIRES
from cosim.design_space.mappings_table import Row
from cosim.design_space.systems import SYSTEMS
from cosim.figures.style import BLUE, GREEN, ORANGE, PURPLE, RED, SKY, drawing
from surrogate.atomic import replacing

AXES = {
    INDEPENDENT: ("Error as large in every cell", "standard deviation, % of the largest current", 100.0),
    PROPORTIONAL: ("Error proportional to the current", "standard deviation, % of the cell's current", 100.0),
    CONVERTER: ("Converters", "bits", 1.0),
    WIRES: ("Wires", "Ω a segment of word and bit line (cell: 200 kΩ)", 1.0),
}
LOOKS = {
    "differential": (BLUE, "o-"), "differential, 4 slices": (SKY, "s--"), PAIRS: (BLUE, "^:"),
    "differential, both sides": (GREEN, "v-"), "offset": (ORANGE, "o-"), "offset, unit cells": (RED, "D:"),
    "offset, 4 slices": (PURPLE, "s--"),
}  # fmt: skip


def draw(table: list[Row], baseline: float, path: Path) -> None:
    """``table`` as SVG; ``baseline`` is the digital network's accuracy on all test images."""
    with drawing(6.6) as figure:
        known: dict[str, Any] = {}
        for axes, (effect, (title, label, unit)) in zip(figure.subplots(2, 2).flat, AXES.items(), strict=True):
            for system in (*SYSTEMS, PAIRS):
                chosen = [row for row in table if row.effect == effect and row.system == system]
                if effect != CONVERTER:
                    chosen = [row for row in table if row.effect == NOTHING and row.system == system] + chosen
                if len(chosen) < 2:
                    continue
                colour, look = LOOKS[system]
                known[system] = axes.errorbar(
                    [unit * row.size for row in chosen], [100 * row.accuracy for row in chosen],
                    [100 * row.deviation for row in chosen], fmt=look, color=colour, markersize=4, capsize=2,
                    label=system,
                )  # fmt: skip
            if effect == WIRES:
                axes.set_xscale("symlog", linthresh=SIZES[WIRES][0])
                axes.set_xticks([0, *SIZES[WIRES]], [f"{size:g}" for size in (0, *SIZES[WIRES])])
                axes.minorticks_off()
            if effect == CONVERTER:
                axes.set_xticks(SIZES[CONVERTER])
            axes.axhline(100 * baseline, color="#8A8F98", linewidth=0.8)
            axes.set(title=title, xlabel=label, ylabel="accuracy, %", ylim=(0, 100))
        figure.legend(known.values(), known.keys(), loc="outside lower center", ncols=4)
        with replacing(path) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})
