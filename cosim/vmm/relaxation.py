"""Split arrays: blocks of columns simulated one by one, their neighbours' waveforms iterated until the charges agree.

A pass simulates every block with given waveforms at the cut. The pass itself says what those waveforms should have
been: the word lines' drops by the currents that flowed, the neighbouring floating gates as they moved. The difference
times the cells' sensitivity is the estimated error of the charges; another pass follows where it is too large.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cosim.vmm.block_run import BlockRun, ideal_drive
from cosim.vmm.prediction import Prediction, word_line_drop
from netlists.circuits.block import Boundary, neighbours
from netlists.circuits.timeline import Timeline, word_line_delay
from netlists.design import Design

Array = NDArray[np.float64]

TARGET_ERROR = 1e-4
"""Estimated relative error of the charges at which no further pass follows: 80 dB."""
MAX_PASSES = 6
GAIN = 0.5
"""A pass that does not lower the estimate to this fraction is the last: the array is too tightly coupled to split."""
BLOCK_CELLS = 96
"""Cells of a block: what fits a core's second-level cache (``scripts/bench_spice``)."""


@dataclass(frozen=True)
class Relaxed:
    """All blocks of the last pass: ``runs`` beside ``blocks``, the estimated ``error`` of the charges, the passes."""

    blocks: tuple[range, ...]
    runs: tuple[BlockRun, ...]
    error: float
    passes: int

    def joined(self, name: str) -> Array:
        """The field ``name`` of all runs side by side: columns are the last axis."""
        return np.concatenate([getattr(run, name) for run in self.runs], axis=-1)


def blocks_of(design: Design) -> tuple[range, ...]:
    """The array's columns in blocks of equal size, give or take one."""
    columns = design.array.columns
    count = max(1, round(columns * design.array.rows / BLOCK_CELLS))
    edges = np.linspace(0, columns, min(count, columns) + 1).round().astype(int).tolist()
    return tuple(range(a, b) for a, b in pairwise(edges))


def relax(
    design: Design,
    timeline: Timeline,
    start: Prediction,
    solve: Callable[[range, Boundary], BlockRun],
) -> Relaxed:
    """Passes over all blocks from the prediction ``start`` until the estimated error is small or stops falling."""
    blocks, boundary, last = blocks_of(design), start.boundary, np.inf
    passes = 0
    while True:
        passes += 1
        runs = tuple(solve(columns, boundary) for columns in blocks)
        found = _found(design, timeline, runs)
        error = estimated_error(design, timeline, blocks, start, boundary, found, runs)
        if error <= TARGET_ERROR or error > GAIN * last or passes == MAX_PASSES:
            return Relaxed(blocks, runs, error, passes)
        boundary, last = found, error


def _found(design: Design, timeline: Timeline, runs: tuple[BlockRun, ...]) -> Boundary:
    """The boundary that belongs to what flowed and moved in ``runs``."""
    ideal = ideal_drive(design, timeline.active)
    cell = np.concatenate([run.cell for run in runs], axis=-1)
    gate = np.concatenate([run.gate for run in runs], axis=-1)
    return Boundary(word_line=ideal[:, :, None] + word_line_drop(design, cell), gate=gate)


def estimated_error(
    design: Design,
    timeline: Timeline,
    blocks: tuple[range, ...],
    start: Prediction,
    used: Boundary,
    found: Boundary,
    runs: tuple[BlockRun, ...],
) -> float:
    """Estimated error of the charges over their root mean square, of a pass with boundary ``used``.

    Every cell's current times its relative answer to the difference between ``found`` and ``used``, summed with signs
    over a column's cells and rests, as they add in its charge; and all of its current for as long as a word line lags
    behind its driver, which the boundary leaves out.
    """
    current = np.abs(np.concatenate([run.cell for run in runs], axis=-1))
    change = -start.by_word_line * np.sign(design.v_idle - design.v_active) * (found.word_line - used.word_line)
    for columns in blocks:
        for j in neighbours(design, columns):
            inner = columns.start if j < columns.start else columns.stop - 1
            change[:, :, inner] += start.by_neighbour[:, :, inner] * (found.gate[:, :, j] - used.gate[:, :, j])
    lasting = np.diff(timeline.rest_end, prepend=0.0) + timeline.stretch
    error = np.abs(np.einsum("s,sij->j", lasting, current * change))
    error += word_line_delay(design) * current.max(axis=0).sum(axis=0)
    charge = np.einsum("s,sij->j", lasting, current)
    return float(np.sqrt(np.mean(error**2) / max(np.mean(charge**2), 1e-60)))
