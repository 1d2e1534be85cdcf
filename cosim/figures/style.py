"""The common look of all figures, and how a figure becomes inline SVG."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, BLACK, GREY = "#CC79A7", "#56B4E9", "#222222", "#8A8F98"
"""Okabe and Ito's palette, told apart with every common colour vision."""

CYCLE = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED)
WIDTH = 9.6
"""Width of a full figure in inches: at the page's width its text is about as large as the page's captions."""

_RC: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Helvetica", "Arial"],
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 9.0,
    "axes.labelsize": 9.0,
    "axes.edgecolor": "#555b66",
    "axes.labelcolor": BLACK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e4e7eb",
    "grid.linewidth": 0.7,
    "xtick.color": "#555b66",
    "ytick.color": "#555b66",
    "xtick.labelcolor": BLACK,
    "ytick.labelcolor": BLACK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.6,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "svg.fonttype": "none",
    "svg.hashsalt": "fgcosim",
    "text.parse_math": False,
    "path.simplify_threshold": 0.3,
}


@contextmanager
def drawing(height: float, width: float = WIDTH) -> Iterator[Figure]:
    """A figure of the common style, without pyplot's global state; render it with :func:`svg` inside the context."""
    with matplotlib.rc_context(_RC):
        yield Figure(figsize=(width, height), layout="constrained")


def svg(figure: Figure, name: str, label: str) -> Markup:
    """``figure`` as an ``<svg>`` element that scales with the page. ``name`` makes its ids unique in the page and
    ``label`` says to screen readers what it shows."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', text)
    start, end = text.index("<svg"), text.index(">") + 1
    box = re.search(r'viewBox="([^"]+)"', text[start:end])
    size = box.group(1) if box else f"0 0 {figure.get_figwidth() * 72:g} {figure.get_figheight() * 72:g}"
    opening = f'<svg viewBox="{size}" role="img" aria-label="{html.escape(label)}">'  # HTML knows the namespaces
    return Markup(opening + text[end:])  # matplotlib has escaped the text in it


def bare(axes: Axes) -> None:
    """No frame, ticks or grid: for drawings."""
    axes.set_axis_off()
    axes.grid(False)


def label_bars(axes: Axes, values: list[float], texts: list[str]) -> None:
    """Write ``texts`` into horizontal bars of lengths ``values``, beside those too short to hold them."""
    room = 0.28 * (axes.get_xlim()[1] - axes.get_xlim()[0])
    for k, (value, text) in enumerate(zip(values, texts, strict=True)):
        inside = value > room
        axes.annotate(
            text, (0 if inside else max(value, 0), k), xytext=(6, 0), textcoords="offset points", va="center",
            color="white" if inside else BLACK, fontweight="bold" if inside else "normal",
        )  # fmt: skip
