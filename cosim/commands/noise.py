"""``fgcosim noise``: what the cells' noise costs a design, in charge and in steps of the converter."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from cosim.errors import InputError
from cosim.files.folders import write_json
from cosim.noise.agreement import Agreement, channel_agreement, flicker_agreement, telegraph_agreement
from cosim.noise.budget import Budget, Conditions, budget
from cosim.noise.injected import Train
from cosim.progress import Stages
from cosim.spice.ngspice import Ngspice, find_ngspice
from netlists.design import Design
from netlists.designfile import load_design
from surrogate.noise import Calibration, TelegraphNoise

CHECKED_CURRENT = 1e-7
"""Current of the cells whose noise is injected into transients, A, where the design's range holds it."""
CHARGES = ("signal, fC", "white", "1/f", "traps", "all")


def noise(
    design: str, since: float, window: float, bits: int | None, full_scale: float,
    traps: tuple[float, float, float] | None, check: bool, as_json: bool, out: Path | None, stages: Stages,
) -> bool:  # fmt: skip
    """Print the noise of ``design``'s cells and columns ``since`` s after a calibration of ``window`` s, against a
    converter of ``bits`` (the design's own by default) whose range is ``full_scale`` of what a column gives at most.
    ``traps`` are relative amplitude and mean times in the low and the high state, s. ``check`` compares the closed
    forms with transients into which noise is injected; False where they disagree. Raises ``InputError``."""
    loaded = load_design(design)
    if not (math.isfinite(full_scale) and 0 < full_scale <= 1):
        raise InputError(f"--full-scale {full_scale:g}: give a share from 0 (excluded) to 1")
    if out is not None and (not out.parent.is_dir() or out.is_dir()):
        raise InputError(f"{out}: its folder does not exist or it is a folder: give a file name in an existing folder")
    conditions = Conditions(
        Calibration(window, since), bits or loaded.read.bits, full_scale, TelegraphNoise(*traps) if traps else None
    )
    engine = find_ngspice()
    with stages.stage("Noise of the cell in ngspice"):
        found = budget(loaded, conditions, engine)
    agreements: list[Agreement] = []
    if check:
        with stages.stage("Transients with injected noise"):
            agreements = list(_agreements(found, engine))
    content = {**found.as_dict(), "transients": [{**asdict(a), "passed": a.passed} for a in agreements]}
    if out is not None:
        write_json(content, out)
    if as_json:
        print(json.dumps(content))
    else:
        _print(found, agreements, Console())
    return all(agreement.passed for agreement in agreements)


def _agreements(found: Budget, engine: Ngspice) -> Iterator[Agreement]:
    """White noise of a column of four cells, 1/f and telegraph noise of one cell."""
    design: Design = found.design
    low, high, longest = design.weights.current_min, design.weights.current_max, design.read.t_max
    several = Train(np.geomspace(low, high, 4), longest * np.array([1.0, 0.5, 0.25, 0.75]), 16, 16)
    one = Train(np.clip([CHECKED_CURRENT], low, high), np.array([longest]), 32, 64)
    yield channel_agreement(design, several, found.extraction.channel, engine)
    if found.extraction.flicker is not None:
        yield from flicker_agreement(design, one, found.extraction.flicker, engine)
    trap = TelegraphNoise(amplitude=0.01, time_low=1.5 * longest, time_high=3 * longest)  # relaxes in a pulse
    yield telegraph_agreement(design, one, trap, engine)


def _print(found: Budget, agreements: list[Agreement], console: Console) -> None:
    design, conditions = found.design, found.conditions
    shown = {"highlight": False, "markup": False, "soft_wrap": True}
    console.print(
        f"{design.name}: pulses of {design.read.t_max * 1e6:g} us; calibrated {conditions.calibration.since:g} s ago "
        f"by {conditions.calibration.window:g} s of readings; step of the {conditions.bits}-bit converter "
        f"{found.lsb * 1e15:.3g} fC",
        **shown,  # type: ignore[arg-type]
    )
    console.print(_cell_table(found.cells()))
    console.print(_column_table(found.columns(), design.array.rows))
    if agreements:
        table = Table("injected into transients", "found over closed form", "standard error", "", box=None)
        for a in agreements:
            verdict = "agrees" if a.passed else "differs"
            table.add_row(a.what, f"{a.ratio:.3f}", f"{a.error:.3f}", verdict)
        console.print(table)
    low, high = min(found.extraction.channel_ratio), max(found.extraction.channel_ratio)
    console.print(
        f"white noise: the model's .noise is {low:.2f} … {high:.2f} of the closed form, 2qI in weak inversion",
        **shown,  # type: ignore[arg-type]
    )


def _cell_table(cells: list[dict[str, Any]]) -> Table:
    table = Table("cell, nA", *CHARGES, "share", "1/f corner, kHz", box=None)
    for row in cells[:: max((len(cells) - 1) // 4, 1)]:
        share = f"{row['total_c'] / row['signal_c']:.2%}"
        table.add_row(f"{row['current_a'] * 1e9:.3g}", *_charges(row), share, f"{row['corner_hz'] / 1e3:.3g}")
    return table


def _column_table(columns: list[dict[str, Any]], rows: int) -> Table:
    table = Table(f"{rows} rows, ns", *CHARGES, "steps", "dB", box=None)
    for row in columns:
        steps, decibels = f"{row['total_lsb']:.2g}", f"{row['signal_over_noise_db']:.1f}"
        table.add_row(f"{row['width_s'] * 1e9:.4g}", *_charges(row), steps, decibels)
    return table


def _charges(row: dict[str, Any]) -> list[str]:
    """Signal and standard deviations in fC."""
    return [f"{row[f'{name}_c'] * 1e15:.3g}" for name in ("signal", "white", "1/f", "telegraph", "total")]
