"""The coupling kernel: by how much an active word line shifts the floating gates of the rows around it."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from cosim.figures.style import BLACK, BLUE, ORANGE, drawing, svg
from netlists.design import Design
from netlists.graph import near_row
from surrogate.parameters import OFFSETS, positions
from surrogate.surrogate import Surrogate

_BAR = 0.36


def kernel_figure(surrogate: Surrogate, design: Design) -> Markup:
    """Fitted κ of even and odd rows with two standard errors, beside the design's capacitances."""
    kappa = surrogate.parameters.kappa.detach().reshape(2, -1).numpy()
    error = 2 * surrogate.shared_error[positions("kappa")].reshape(2, -1).numpy()
    expected = _proportional(design, kappa)
    x = np.arange(len(OFFSETS))
    with drawing(3.5) as figure:
        axes = figure.add_subplot()
        for parity, (colour, name) in enumerate(((BLUE, "even rows"), (ORANGE, "odd rows"))):
            at = x + (parity - 0.5) * _BAR
            axes.bar(
                at, kappa[parity], _BAR * 0.94, color=colour, alpha=0.88, label=f"κ fitted, {name}", yerr=error[parity],
                error_kw={"elinewidth": 1.2, "capsize": 3, "ecolor": BLACK},
            )  # fmt: skip
            for place, value, half in zip(at, kappa[parity], error[parity], strict=True):
                down = value < 0
                axes.annotate(
                    f"{value:.3f}".replace("-", "−"), (place, value - half if down else value + half),
                    xytext=(0, -5 if down else 5), textcoords="offset points", ha="center",
                    va="top" if down else "bottom", fontsize=8,
                )  # fmt: skip
            if expected is not None:
                axes.plot(
                    at, expected[parity], linestyle="none", marker="D", markersize=5, markerfacecolor="white",
                    markeredgecolor=BLACK, label="∝ the design's capacitance" if parity else None,
                )  # fmt: skip
        axes.axhline(0, color=BLACK, linewidth=0.8)
        axes.set_xticks(x, [f"{k:+d}".replace("-", "−") for k in OFFSETS])
        axes.set_xlabel("position of the active word line relative to the cell (rows)")
        axes.set_ylabel("shift κ of the cell's state\n(units of the weak-inversion slope)")
        axes.grid(False, axis="x")
        axes.margins(y=0.14)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
        if surrogate.state_map is not None:
            millivolts = 1e3 * surrogate.state_map.unit / float(surrogate.state_map.coefficients[1])
            there, back = (lambda k: np.multiply(k, millivolts)), (lambda v: np.divide(v, millivolts))
            right = axes.secondary_yaxis("right", functions=(there, back))
            right.set_ylabel("the same as a change of the\nprogrammed voltage (mV)")
        return svg(figure, "kernel", "Bar chart of the fitted coupling kernel against row distance and row parity")


def _proportional(design: Design, kappa: np.ndarray) -> np.ndarray | None:
    """The design's capacitances [parity, offset] times the one factor that comes closest to ``kappa``."""
    c = design.coupling
    farads = np.array([
        [c.second_word_line if abs(k) == 2 else c.near_word_line if k == near_row(design, parity) - parity
         else c.far_word_line for k in OFFSETS]
        for parity in (0, 1)
    ])  # fmt: skip
    power = float((farads**2).sum())
    return None if power == 0 else farads * float((farads * kappa).sum()) / power
