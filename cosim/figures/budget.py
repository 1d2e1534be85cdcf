"""The error budget: what the surrogate's prediction loses with each physical effect left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from cosim.figures.style import BLACK, BLUE, ORANGE, drawing, label_bars, svg

NAMES = {
    "crosstalk": "crosstalk\nword line → floating gate",
    "gate_coupling": "floating gate → floating gate",
    "bit_line_drop": "bit-line voltage drop",
    "word_line_drop": "word-line voltage drop",
    "access": "access device",
    "nonlinearity": "nonlinear cells",
    "edge": "pulse edges",
    "array_edge": "array edge",
}


def budget_figure(budget: Sequence[Mapping[str, Any]], full_ser_db: float, level_db: float) -> Markup:
    """Horizontal bars: SER against SPICE with one effect left out, the most important effect on top."""
    entries = sorted(budget, key=lambda entry: -float(entry["ser_db"]))
    values = [float(entry["ser_db"]) for entry in entries]
    with drawing(0.9 + 0.52 * len(entries)) as figure:
        axes = figure.add_subplot()
        axes.barh([NAMES.get(e["effect"], e["effect"]) for e in entries], values, 0.62, color=BLUE, alpha=0.88)
        axes.axvline(full_ser_db, color=BLACK, linewidth=1.4, label=f"all effects: {full_ser_db:.1f} dB")
        axes.axvline(level_db, color=ORANGE, linewidth=1.6, linestyle=(0, (4, 2)), label=f"pass level: {level_db:g} dB")
        axes.set_xlim(min(0.0, *values), max(full_ser_db, level_db, *values) * 1.06)
        label_bars(axes, values, [f"{v:.1f} dB  ({v - full_ser_db:+.1f})".replace("-", "−") for v in values])
        axes.set_xlabel("signal-to-error ratio with the effect left out (dB)")
        axes.grid(False, axis="y")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
        return svg(figure, "budget", "Bar chart of the signal-to-error ratio with each effect left out")
