"""Measured against predicted charge: the surrogate and the ideal VMM beside each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from numpy.typing import NDArray

from cosim.figures.style import BLACK, BLUE, RED, drawing, svg

Array = NDArray[np.float64]
RASTER_POINTS = 3000
"""More points than this are drawn as a picture inside the SVG."""


@dataclass(frozen=True)
class Prediction:
    """A model's name, its predicted charges [n, M] and the simulated ones, C; their SER in dB."""

    name: str
    truth: Array
    predicted: Array
    ser_db: float


def agreement_figure(surrogate: Prediction, ideal: Prediction | None) -> Markup:
    """Scatter of predicted over simulated charge and the distribution of the error, relative to the rms charge."""
    models = [(surrogate, BLUE, "o", 3)]
    if ideal is not None:
        models.insert(0, (ideal, RED, "^", 2))
    with drawing(4.1) as figure:
        left, right = figure.subplots(1, 2, width_ratios=[1, 1.15])
        for model, colour, marker, order in models:
            left.plot(
                model.truth.ravel() * 1e15, model.predicted.ravel() * 1e15, linestyle="none", marker=marker,
                markersize=3.6, markeredgewidth=0, alpha=0.55, color=colour, zorder=order,
                label=f"{model.name}, {model.ser_db:.1f} dB", rasterized=model.truth.size > RASTER_POINTS,
            )  # fmt: skip
        every = np.concatenate([np.concatenate([m.truth.ravel(), m.predicted.ravel()]) for m, *_ in models]) * 1e15
        ends = [float(every.min()), float(every.max())]
        left.plot(ends, ends, color=BLACK, linewidth=0.8, zorder=1, label="perfect prediction")
        left.set_xlabel("charge in SPICE (fC)")
        left.set_ylabel("predicted charge (fC)")
        left.set_title("Every column of every held-out run")
        left.legend(loc="upper left")
        _error_sizes(right, models)
        return svg(figure, "agreement", "Predicted against simulated charge, and the distribution of the errors")


def _error_sizes(axes: Axes, models: list[tuple[Prediction, str, str, int]]) -> None:
    """Histograms of |error| over the rms charge on a logarithmic axis."""
    errors = [np.abs(m.predicted - m.truth).ravel() / np.sqrt(np.mean(m.truth**2)) for m, *_ in models]
    top = max(float(e.max()) for e in errors) * 1.5 + 1e-12
    low = max(min(float(np.percentile(e, 1)) for e in errors), top * 1e-6)
    bins = np.geomspace(low, top, 36).tolist()
    for error, (_, colour, *_) in zip(errors, models, strict=True):
        share = np.full(error.size, 100 / error.size)
        axes.hist(error.clip(low), bins, weights=share, color=colour, alpha=0.3)
        axes.hist(error.clip(low), bins, weights=share, color=colour, histtype="step", linewidth=1.4)
        rms = float(np.sqrt(np.mean(error**2)))
        axes.axvline(rms, color=colour, linewidth=1.3, linestyle=(0, (4, 2)))
        axes.annotate(
            f"rms {100 * rms:.2g} %", (rms, 1.0), xycoords=("data", "axes fraction"), xytext=(-5, -2),
            textcoords="offset points", ha="right", va="top", color=colour, fontweight="bold",
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_ylim(top=1.2 * axes.get_ylim()[1])
    axes.xaxis.set_major_formatter(lambda v, _: f"{100 * v:g} %")
    axes.set_xlabel("size of the error, relative to the rms charge")
    axes.set_ylabel("share of the outputs (%)")
    axes.set_title("How large the errors are")
