"""Waveforms of one VMM with its adaptive time slots."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes

from cosim.figures.style import BLACK, BLUE, CYCLE, GREY, drawing, svg
from cosim.vmm.waveforms import Waveforms

SHOWN_COLUMNS = 4
SHOWN_ROWS = 32


def waveform_figure(waves: Waveforms) -> Markup:
    """Word-line pulses, voltages of floating gates where there are any, and bit-line currents over a common time axis;
    slots shaded."""
    us = waves.time * 1e6
    with drawing(7.4 if len(waves.gate) else 5.6) as figure:
        ratios = [2.1, 1.6, 1.6] if len(waves.gate) else [2.1, 1.6]
        panels = figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios)
        for axes in panels:
            _shade_slots(axes, waves)
        _lanes(panels[0], us, waves)
        if len(waves.gate):
            _gates(panels[1], us, waves)
        _currents(panels[-1], us, waves)
        panels[-1].set_xlabel("time (µs)")
        panels[-1].set_xlim(us[0], us[-1])
        gates = ", floating-gate voltages" if len(waves.gate) else ""
        return svg(figure, "waves", f"Word-line pulses{gates} and bit-line currents of one VMM")


def _shade_slots(axes: Axes, waves: Waveforms) -> None:
    edges = np.concatenate([[waves.pulse_start], waves.slot_ends]) * 1e6
    for k, (start, end) in enumerate(pairwise(edges)):
        if k % 2 == 0:
            axes.axvspan(start, end, color="#eef2f7", linewidth=0, zorder=0)
        axes.axvline(end, color="#b9c2cf", linewidth=0.7, linestyle=(0, (2, 2)), zorder=0.5)
    axes.grid(False)


def _lanes(axes: Axes, us: np.ndarray, waves: Waveforms) -> None:
    """One lane per word line, low to high as the row is idle or active."""
    idle = waves.driver[:, :1]
    swing = np.abs(waves.driver - idle).max() or 1.0
    rows = min(len(waves.driver), SHOWN_ROWS)
    for i in range(rows):
        height = 0.72 * np.abs(waves.driver[i] - idle[i]) / swing
        axes.fill_between(us, -i, height - i, color=BLUE, alpha=0.22, linewidth=0)
        axes.plot(us, height - i, color=BLUE, linewidth=0.9)
    step = 1 if rows <= 16 else 4
    axes.set_yticks(0.3 - np.arange(0, rows, step), [str(i) for i in range(0, rows, step)], fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-rows + 0.75, 1.0)
    axes.set_ylabel("row")
    ends = [float(idle[0, 0]), float(waves.driver.flat[np.abs(waves.driver - idle).argmax()])]
    lines = "Word lines" if rows == len(waves.driver) else f"The first {rows} word lines"
    axes.set_title(f"{lines}: raised where active ({ends[0]:g} V idle, {ends[1]:g} V active)")


def _gates(axes: Axes, us: np.ndarray, waves: Waveforms) -> None:
    for k, (row, volts) in enumerate(zip(waves.gate_index[:, 0], waves.gate, strict=True)):
        name = f"row {row} ({'odd' if row % 2 else 'even'})"
        axes.plot(us, (volts - volts[0]) * 1e3, color=CYCLE[k % len(CYCLE)], linewidth=1.3, label=name)
    column = int(waves.gate_index[0, 1])
    axes.set_ylabel("shift from idle (mV)")
    axes.set_title(f"Floating gates of column {column}: each step is a word line that opens or closes nearby")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _currents(axes: Axes, us: np.ndarray, waves: Waveforms) -> None:
    columns = len(waves.clamp)
    shown = np.unique(np.linspace(0, columns - 1, min(SHOWN_COLUMNS, columns)).astype(int))
    for j in range(columns):
        if j not in shown:
            axes.plot(us, waves.clamp[j] * 1e6, color=GREY, linewidth=0.5, alpha=0.45)
    for k, j in enumerate(shown):
        axes.plot(us, waves.clamp[j] * 1e6, color=CYCLE[k], linewidth=1.3, label=f"column {j}")
    if columns > len(shown):
        axes.plot([], [], color=GREY, linewidth=0.6, label="others")
    # Edges charge the lines for a nanosecond; the slots are what the axis is for.
    inside = (waves.time > waves.pulse_start * 1.5) & (waves.time < waves.slot_ends[-1:].sum())
    if inside.any():
        low, high = np.percentile(waves.clamp[:, inside] * 1e6, [0.5, 99.5])
        room = 0.12 * (high - low) + 1e-12
        axes.set_ylim(min(low, 0.0) - room, high + 2 * room)
    axes.axhline(0, color=BLACK, linewidth=0.6)
    axes.set_ylabel("current (µA)")
    axes.set_title("Bit-line currents: constant within a slot, and their time integral is the result")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
