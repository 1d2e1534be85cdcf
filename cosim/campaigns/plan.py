"""Sampling plans: which cells and durations a campaign simulates, and what each run is for."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cosim.errors import InputError
from cosim.vmm.programming import ReadCurve
from netlists.circuits.stimulus import check_durations
from netlists.design import Design

ROLES = ("fit", "patterns", "weights", "network", "one_hot")
"""What a run is for: ``fit`` is all a fit may see; ``patterns`` has the fit's cells and unseen durations; ``weights``
unseen cells and durations; ``network`` unseen cells and a network's durations; ``one_hot`` reads matrix 0 row by
row."""


@dataclass(frozen=True)
class Plan:
    """Runs of a campaign: ``cells`` [B, N, M] (V or S), ``duration`` [n, N] s, ``weights_index`` [n], ``role`` [n]."""

    cells: NDArray[np.float64]
    duration: NDArray[np.float64]
    weights_index: NDArray[np.int64]
    role: tuple[str, ...]
    seed: int

    def __len__(self) -> int:
        return len(self.duration)

    def only(self, *roles: str) -> Plan:
        """The runs of these roles."""
        keep = [k for k, role in enumerate(self.role) if role in roles]
        return replace(
            self,
            duration=self.duration[keep],
            weights_index=self.weights_index[keep],
            role=tuple(self.role[k] for k in keep),
        )


MIN_FIT_SLOTS = 64
"""Slots that the runs of role ``fit`` have together; arrays of few rows get more runs."""


MAX_RUNS = 1_000_000
"""Runs of one kind in a plan."""

MAX_CELL_BYTES = 500_000_000
"""Memory that the cells of all matrices of a plan may take."""


@dataclass(frozen=True)
class PlanSize:
    """How many transients of each kind a plan holds (at least)."""

    fit: int = 6
    fit_matrices: int = 4
    patterns: int = 8
    weights: int = 6
    network: int = 6

    def __post_init__(self) -> None:
        for name, least in (("fit", 1), ("fit_matrices", 1), ("patterns", 0), ("weights", 0), ("network", 0)):
            value = getattr(self, name)
            if not (isinstance(value, int) and least <= value <= MAX_RUNS):
                raise InputError(f"plan: {name} is {str(value)[:20]}: give a whole number from {least} to {MAX_RUNS}")


def standard_plan(
    design: Design,
    curve: ReadCurve,
    seed: int = 0,
    size: PlanSize | None = None,
    network_duration: NDArray[np.float64] | None = None,
) -> Plan:
    """The plan of a whole cross-validated fit.

    Cells are log-uniform in read current over the design's weight range. The fit's durations are N equally spaced
    widths in random order, so that every transient passes through N usable slots. ``network_duration`` [k, N] s are
    pulse widths that a network produces; ``size.network`` of them are drawn for role ``network``.
    """
    size = size or PlanSize()
    rng = generator(seed)
    rows = design.array.rows
    unseen = size.weights
    if network_duration is not None and size.network:
        unseen = max(unseen, 1)  # a network's widths meet cells that the fit has not seen
    cells = random_cells(rng, design, curve, size.fit_matrices + unseen)
    runs: list[tuple[str, int, NDArray[np.float64]]] = []
    for k in range(max(size.fit, -(-MIN_FIT_SLOTS // rows))):
        matrix = 0 if k >= size.fit_matrices else k
        runs.append(("fit", matrix, _spread(rng, design)))
    runs += [("patterns", k % 2 * (k % size.fit_matrices), _random(rng, design)) for k in range(size.patterns)]
    runs += [("weights", size.fit_matrices + k, _random(rng, design)) for k in range(size.weights)]
    if network_duration is not None:
        runs += [
            ("network", size.fit_matrices + k % unseen, widths)
            for k, widths in enumerate(_draw(rng, design, network_duration, size.network))
        ]
    for row in range(rows):
        widths = np.zeros(rows)
        widths[row] = design.read.t_max
        runs.append(("one_hot", 0, widths))
    return Plan(
        cells=cells,
        duration=np.array([widths for _, _, widths in runs]),
        weights_index=np.array([matrix for _, matrix, _ in runs], dtype=np.int64),
        role=tuple(role for role, _, _ in runs),
        seed=seed,
    )


def unseen_plan(design: Design, curve: ReadCurve, seed: int, count: int, read_rows: int) -> Plan:
    """Runs that only judge a surrogate: ``count`` random VMMs (role ``weights``), each of random cells of its own, and
    ``read_rows`` rows of matrix 0 from end to end read alone (role ``one_hot``)."""
    if count < 1 or not 0 <= read_rows <= MAX_RUNS:
        raise InputError(f"plan: {count} VMMs and {read_rows} rows: give at least one VMM and no negative number")
    rng = generator(seed)
    rows = np.unique(np.linspace(0, design.array.rows - 1, read_rows).round().astype(np.int64))
    alone = np.eye(design.array.rows)[rows] * design.read.t_max
    return Plan(
        cells=random_cells(rng, design, curve, count),
        duration=np.concatenate([random_durations(rng, design, count), alone]),
        weights_index=np.concatenate([np.arange(count), np.zeros(len(rows), dtype=np.int64)]),
        role=("weights",) * count + ("one_hot",) * len(rows),
        seed=seed,
    )


def generator(seed: int) -> np.random.Generator:
    """Random numbers of ``seed``. Raises :class:`InputError` where it is negative."""
    if seed < 0:
        raise InputError(f"seed {seed}: give a whole number from 0 up")
    return np.random.default_rng(seed)


def random_cells(rng: np.random.Generator, design: Design, curve: ReadCurve, count: int) -> NDArray[np.float64]:
    """``count`` matrices [count, N, M] of cells, log-uniform in read current over the design's weight range.

    Raises :class:`InputError` where they are more than memory should hold.
    """
    size = 8 * count * design.array.rows * design.array.columns
    if not 0 < size <= MAX_CELL_BYTES:
        shape = f"{design.array.rows}x{design.array.columns}"
        raise InputError(
            f"plan: {count} matrices of {shape} cells take {size} bytes, not 1 to {MAX_CELL_BYTES}: plan fewer or "
            "smaller ones"
        )
    low, high = np.log(design.weights.current_min), np.log(design.weights.current_max)
    return curve.state_for(np.exp(rng.uniform(low, high, (count, design.array.rows, design.array.columns))))


def random_durations(rng: np.random.Generator, design: Design, count: int) -> NDArray[np.float64]:
    """Random pulse widths [count, N] s of the design's resolution. Raises :class:`InputError` for too many."""
    if not 0 <= count <= MAX_RUNS:
        raise InputError(f"plan: {count} VMMs: give 0 to {MAX_RUNS}")
    return np.array([_random(rng, design) for _ in range(count)]).reshape(count, design.array.rows)


def _spread(rng: np.random.Generator, design: Design) -> NDArray[np.float64]:
    rows = design.array.rows
    widths = rng.permutation(np.arange(1, rows + 1) / rows) * design.read.t_max
    return np.maximum(widths, design.read.t_edge)


def _random(rng: np.random.Generator, design: Design) -> NDArray[np.float64]:
    """Random codes of the design's resolution; the share of idle rows differs from run to run."""
    top = 2**design.read.bits - 1
    codes = rng.integers(0, top + 1, design.array.rows)
    codes[rng.random(design.array.rows) < rng.choice([0.0, 0.25, 0.5])] = 0
    if not codes.any():
        codes[rng.integers(design.array.rows)] = top
    return codes * design.read.t_max / top


def _draw(
    rng: np.random.Generator, design: Design, duration: NDArray[np.float64], count: int
) -> NDArray[np.float64]:
    if duration.ndim != 2 or duration.shape[1] != design.array.rows:
        raise InputError(f"network durations: shape {duration.shape}, expected [k, {design.array.rows}]")
    duration = check_durations(design, duration)
    busy = duration[(duration > 0).any(axis=1)]
    if len(busy) == 0:
        raise InputError("network durations: all are zero: give durations that the network produces")
    return busy[rng.choice(len(busy), size=min(count, len(busy)), replace=False)]
