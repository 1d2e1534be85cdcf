"""What the layout costs a network and what retraining wins back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from cosim.figures.style import BLACK, BLUE, GREY, ORANGE, RED, drawing, svg

STAGES = (
    ("software", "software", GREY),
    ("deployed", "deployed\nas it is", RED),
    ("control", "control\n(retrained without\nthe array's effects)", ORANGE),
    ("retrained", "retrained\nthrough the\nsurrogate", BLUE),
)


def curves_figure(seeds: Sequence[Mapping[str, Any]]) -> Markup:
    """Test accuracy over the retraining epochs: thin per seed, thick the mean."""
    with drawing(3.7) as figure:
        axes = figure.add_subplot()
        for key, colour, name in (
            ("control_curve", ORANGE, "control, seen without the array's effects"),
            ("retrained_curve", BLUE, "retrained, seen through the surrogate"),
        ):
            curves = [100 * np.asarray(seed[key], dtype=float) for seed in seeds]
            shortest = min(len(c) for c in curves)
            for curve in curves:
                axes.plot(range(len(curve)), curve, color=colour, linewidth=0.8, alpha=0.35)
            mean = np.mean([c[:shortest] for c in curves], axis=0)
            axes.plot(
                range(shortest), mean, color=colour, linewidth=2.4, marker="o", markersize=3.5, label=f"{name}: mean"
            )
        last = max(len(seed["control_curve"]) for seed in seeds) - 1
        deployed = 100 * np.array([seed["control"] for seed in seeds])
        axes.plot(
            np.full(len(deployed), last + 0.6), deployed, linestyle="none", marker="D", markersize=4.5, color=ORANGE,
            markeredgecolor=BLACK, markeredgewidth=0.6, label="control, deployed on the arrays: each seed",
        )  # fmt: skip
        software = 100 * float(np.mean([seed["software"] for seed in seeds]))
        axes.axhline(software, color=GREY, linewidth=1.2, linestyle=(0, (4, 2)), label="software: mean")
        axes.plot([], [], color=GREY, linewidth=0.8, label="thin: single seeds")
        axes.set_xlabel("retraining epoch")
        axes.set_ylabel("test accuracy (%)")
        axes.set_xticks(range(0, last + 1, 1 if last <= 20 else 5))
        axes.grid(False, axis="x")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        return svg(figure, "curves", "Learning curves of the control and of the retrained network")


def accuracy_figure(seeds: Sequence[Mapping[str, Any]]) -> Markup:
    """Accuracy before and after: mean and standard deviation over the seeds, each seed a dot."""
    with drawing(3.4) as figure:
        axes = figure.add_subplot()
        everything = []
        for x, (key, _, colour) in enumerate(STAGES):
            values = 100 * np.array([seed[key] for seed in seeds], dtype=float)
            mean, spread = float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else 0.0
            everything += [*values, mean - spread]
            axes.bar(x, mean, 0.58, color=colour, alpha=0.88)
            axes.errorbar(x, mean, spread, color=BLACK, linewidth=1.2, capsize=4)
            axes.plot(
                x + np.linspace(-0.16, 0.16, len(values)), values, linestyle="none", marker="o", markersize=4,
                markerfacecolor="white", markeredgecolor=BLACK, markeredgewidth=0.7,
            )  # fmt: skip
            axes.annotate(
                f"{mean:.1f} %", (x, max(mean + spread, float(values.max()))), xytext=(0, 7),
                textcoords="offset points", ha="center", fontweight="bold",
            )  # fmt: skip
        low = max(0.0, min(everything))
        floor = np.floor(max(0.0, low - 0.35 * (100 - low) - 1))
        axes.set_ylim(floor, min(100.0, max(everything)) + 0.18 * (100 - floor))
        axes.set_yticks([t for t in axes.get_yticks() if floor <= t <= 100])
        axes.set_xticks(range(len(STAGES)), [label for _, label, _ in STAGES])
        axes.set_ylabel(f"test accuracy (%)\naxis begins at {floor:.0f} %" if floor else "test accuracy (%)")
        axes.grid(False, axis="x")
        return svg(figure, "accuracy", "Accuracy of the software, deployed, control and retrained network")
