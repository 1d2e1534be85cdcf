"""A split array: blocks of columns one after another, joined to the sample of the whole array."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cosim.spice.ladder import Climber
from cosim.vmm.block_run import BlockRun, block_deck, ideal_drive, read_block
from cosim.vmm.prediction import predict
from cosim.vmm.relaxation import relax
from cosim.vmm.sample import Sample, current_sign, usable_slots
from netlists.circuits.block import Boundary
from netlists.circuits.timeline import Timeline, pulse_timeline
from netlists.design import Design

Array = NDArray[np.float64]


def simulate_split(design: Design, cells: Array, duration: Array, climber: Climber) -> Sample:
    """Simulate ``cells`` [N, M] V with ``duration`` [N] s in blocks of columns; ``split_error`` says how well.

    Raises :class:`~cosim.errors.SimulationError` where a block fails the whole ladder.
    """
    timeline = pulse_timeline(design, duration)
    solve = block_solver(design, cells, timeline, climber)
    relaxed = relax(design, timeline, predict(design, climber, cells, timeline), solve)
    clamp, cell = relaxed.joined("clamp"), relaxed.joined("cell")
    ends = np.unique(duration[duration > 0])
    usable = np.flatnonzero(usable_slots(duration, design.read.t_edge))
    drive = ideal_drive(design, timeline.active)
    power = design.v_idle * clamp.sum(axis=1) - (drive * cell.sum(axis=2)).sum(axis=1)
    return Sample(
        charge=current_sign(design) * relaxed.joined("charge"),
        slot_active=duration[None, :] >= ends[usable][:, None],
        slot_current=current_sign(design) * clamp[1 + usable],
        energy=float(sum(run.energy for run in relaxed.runs) + timeline.stretch @ power),
        attempt=max(run.attempt for run in relaxed.runs),
        floating_gate_return=max(run.gate_return for run in relaxed.runs),
        passes=relaxed.passes,
        split_error=relaxed.error,
    )


def block_solver(
    design: Design, cells: Array, timeline: Timeline, climber: Climber
) -> Callable[[range, Boundary], BlockRun]:
    """What runs a block of ``cells`` [N, M] V with a boundary in ngspice, climbing the ladder where it must."""
    clamps = np.full(design.array.columns, design.v_idle)

    def solve(columns: range, boundary: Boundary) -> BlockRun:
        deck = partial(block_deck, design, columns, cells, timeline, boundary, clamps)
        read = partial(read_block, design, columns, cells, timeline)
        run, attempt = climber.climb(deck, read, f"-columns-{columns.start}-{columns.stop - 1}")
        return replace(run, attempt=attempt)

    return solve
