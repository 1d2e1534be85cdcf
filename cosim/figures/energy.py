"""Energy of a VMM from the currents of SPICE's supplies."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from cosim.figures.style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, drawing, svg
from cosim.files.dataset import DataSet
from netlists.design import Design

_ROLES = (
    ("fit", GREY, "fit: equally spaced widths"),
    ("patterns", BLUE, "unseen patterns"),
    ("weights", ORANGE, "unseen weights"),
    ("network", GREEN, "a network's pulses"),
    ("one_hot", PURPLE, "one row at a time"),
)


def energy_figure(data: DataSet, design: Design) -> Markup:
    """Energy of every simulated VMM over the charge that it delivered, and by what it differs from
    that charge's own."""
    charge = np.abs(data.charge).sum(axis=1)
    pulses = (data.duration > 0).sum(axis=1)
    lines = data.energy - design.read.voltage * charge
    with drawing(3.9) as figure:
        left, right = figure.subplots(1, 2)
        top = float(charge.max())
        left.plot(
            [0, top * 1e12], [0, design.read.voltage * top * 1e12], color=BLACK, linewidth=0.9, linestyle=(0, (4, 2)),
            label=f"read voltage {design.read.voltage:g} V × charge",
        )  # fmt: skip
        style = {"linestyle": "none", "marker": "o", "markersize": 4.5, "alpha": 0.7, "markeredgewidth": 0}
        for role, colour, name in _ROLES:
            runs = data.runs(role)
            if len(runs):
                left.plot(charge[runs] * 1e12, data.energy[runs] * 1e12, color=colour, label=name, **style)
                right.plot(pulses[runs], lines[runs] * 1e15, color=colour, **style)
        for axes in (left, right):
            axes.set_xlim(left=0)
        left.set_ylim(bottom=0)
        right.set_ylim(bottom=min(0.0, 1.1 * float(lines.min()) * 1e15))
        left.set_xlabel("total charge on all bit lines (pC)")
        left.set_ylabel("energy of the VMM (pJ)")
        left.set_title("Energy follows the charge …")
        right.set_xlabel("pulses in the VMM")
        right.set_ylabel("energy less voltage × charge (fJ)")
        right.set_title("… and edges and lines make up the rest")
        figure.legend(loc="outside lower center", ncols=3)
        return svg(figure, "energy", "Energy of every simulated VMM against its charge and its number of pulses")
