"""One transient of the array: from durations and cells to charges, slot currents and energy, checked."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosim.errors import InputError, SimulationError
from cosim.ngspice import Ngspice, RunFailure, run_deck
from netlists.check import check_graph
from netlists.circuit import INTEGRATOR_FARADS, driver_cards, undriven_circuit
from netlists.deck import deck_text, transient_for
from netlists.design import Design, MosCell
from netlists.graph import array_graph
from netlists.stimulus import check_durations, t_start

Vectors = Mapping[str, NDArray[np.float64]]

SETTLED_EDGES = 3
"""A slot gives a usable current when it lasts this many edges beyond the edge that opened it."""

LADDER: tuple[dict[str, float | str | None], ...] = (
    {},
    {"reltol": 1e-5, "itl1": 500, "itl4": 100, "chgtol": 1e-16},
    {"reltol": 3e-4, "abstol": 1e-13, "vntol": 1e-6, "itl1": 1000, "itl4": 200, "maxord": 1, "gmin": 1e-14},
)
"""Options added to a campaign's own, one attempt after another; the attempt that worked is recorded."""

MAX_FLOATING_GATE_RETURN_V = 1e-4
MAX_INTEGRATOR_ERROR = 1e-2


@dataclass(frozen=True)
class Sample:
    """Result of one transient (M columns, N rows, S slots)."""

    charge: NDArray[np.float64]
    """[M] charge of every bit line, C; positive for the direction of the cell current."""
    slot_active: NDArray[np.bool_]
    """[S, N] active rows of every usable slot."""
    slot_current: NDArray[np.float64]
    """[S, M] bit-line currents at the end of every usable slot, A."""
    energy: float
    """Energy delivered by all line drivers and clamps, J."""
    attempt: int
    """Rung of :data:`LADDER` that converged, 0 as a rule."""
    floating_gate_return: float
    """Largest difference of a floating gate's voltage between end and start, V."""


def simulate(
    design: Design,
    cells: NDArray[np.float64],
    duration: NDArray[np.float64],
    engine: Ngspice,
    keep_deck: Path | None = None,
    timeout_s: float = 600.0,
) -> Sample:
    """Simulate one VMM of ``design`` with ``cells`` [N, M] (V, or S for resistive cells) and ``duration`` [N] s.

    Raises ``InputError`` on bad values and :class:`SimulationError` where no rung of the ladder gives a result that
    passes every check; the deck then lies where the message says: beside ``keep_deck``, else in a temporary folder.
    """
    duration = check_durations(design, duration)
    reasons = []
    for attempt, extra in enumerate(LADDER):
        deck = vmm_deck(design, cells, duration, {**engine.options(), **extra})
        try:
            vectors = run_deck(engine, deck, timeout_s, keep_deck)
            sample = measure(design, duration, vectors, attempt)
            _check_floating_gates(sample)
            return sample
        except RunFailure as failure:
            reasons.append(f"attempt {attempt + 1}: {failure.reason}")
            log = failure.log
    kept = _keep_failed(deck, log, keep_deck)
    raise SimulationError(f"{kept}: ngspice {'; '.join(reasons)}: open the deck and its .log")


def _keep_failed(deck: str, log: str, keep_deck: Path | None) -> Path:
    """Write a failed deck and ngspice's log beside ``keep_deck``, or else where temporary files go."""
    if keep_deck is None:
        kept = Path(tempfile.mkdtemp(prefix="fgcosim-failed-")) / "deck.cir"
    else:
        kept = keep_deck.with_name(f"failed-{keep_deck.name}")
        kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(deck, encoding="utf-8")
    kept.with_suffix(".log").write_text(log, encoding="utf-8")
    return kept


def vmm_deck(
    design: Design,
    cells: NDArray[np.float64],
    duration: NDArray[np.float64],
    options: Mapping[str, float | str | None],
) -> str:
    """The deck of one VMM, as :func:`simulate` runs it."""
    shape = (design.array.rows, design.array.columns)
    if np.shape(cells) != shape:
        raise InputError(f"cells: shape {np.shape(cells)} does not fit the design's array of {shape}")
    array = _array_text(design, np.ascontiguousarray(cells, dtype=np.float64).tobytes())
    circuit = array.replace(_DRIVERS, driver_cards(design, duration), 1)
    analysis = transient_for(design)
    temperature, measure = design.read.temperature, _measured(design, analysis.t_stop)
    return deck_text(circuit, analysis, options, _saved(design), temperature, measure)


_DRIVERS = "* drivers\n"


@lru_cache(maxsize=64)
def _array_text(design: Design, cells: bytes) -> str:
    """Text of the array's circuit with :data:`_DRIVERS` where its drivers belong; many VMMs share one array."""
    shape = (design.array.rows, design.array.columns)
    graph = array_graph(design, np.frombuffer(cells, dtype=np.float64).reshape(shape))
    check_graph(graph)
    circuit = undriven_circuit(design, graph)
    circuit.raw_spice = _DRIVERS
    return str(circuit)


def _saved(design: Design) -> list[str]:
    rows, columns = design.array.rows, design.array.columns
    names = [f"i(vclamp_{j})" for j in range(columns)] + [f"v(q_{j})" for j in range(columns)]
    names += [f"i(vdrv_{i})" for i in range(rows)] + [f"v(drv_{i})" for i in range(rows)]
    if isinstance(design.cell, MosCell):
        names += [f"v(fg_{i}_{j})" for i in range(rows) for j in range(columns)]
    return names


def _measured(design: Design, t_stop: float) -> list[str]:
    """Prints every column's charge in C where the deck is run by hand."""
    return [
        line
        for j in range(design.array.columns)
        for line in (
            f"start_{j} find v(q_{j}) at=0",
            f"end_{j} find v(q_{j}) at={t_stop!r}",
            f"charge_{j} param='{_sign(design) * INTEGRATOR_FARADS!r}*(end_{j}-start_{j})'",
        )
    ]


def _sign(design: Design) -> float:
    """Turns a clamp current into the direction of the cell current."""
    return -1.0 if isinstance(design.cell, MosCell) and design.cell.channel == "p" else 1.0


def _stack(vectors: Vectors, names: list[str]) -> NDArray[np.float64]:
    missing = [name for name in names if name not in vectors]
    if missing:
        raise RunFailure(f"gave no vector {missing[0]}")
    return np.stack([vectors[name] for name in names])


def measure(design: Design, duration: NDArray[np.float64], vectors: Vectors, attempt: int) -> Sample:
    """Charges, slot currents and energy from the vectors of one transient.

    Raises :class:`RunFailure` where the run is not whole or integrator and clamp current disagree.
    """
    rows, columns = design.array.rows, design.array.columns
    time = _stack(vectors, ["time"])[0]
    stop = transient_for(design).t_stop
    if not all(np.isfinite(v).all() for v in vectors.values()):
        raise RunFailure("gave values that are not finite")
    if time[-1] < stop * (1 - 1e-9):
        raise RunFailure(f"stopped at {time[-1]:.4g} s of {stop:.4g} s")
    clamp = -_stack(vectors, [f"i(vclamp_{j})" for j in range(columns)])
    node = _stack(vectors, [f"v(q_{j})" for j in range(columns)])
    charge = INTEGRATOR_FARADS * (node[:, -1] - node[:, 0])
    _check_integrator(charge, np.asarray(np.trapezoid(clamp, time, axis=1)))
    returned = _floating_gate_return(vectors)
    active, at = _slots(duration, design.read.t_edge)
    # ngspice's breakpoints may come a rounding error before the slot's end; a millionth of an edge is far more.
    index = np.searchsorted(time, t_start(design) + at - 1e-6 * design.read.t_edge).clip(max=len(time) - 1)
    drive_i = -_stack(vectors, [f"i(vdrv_{i})" for i in range(rows)])
    drive_v = _stack(vectors, [f"v(drv_{i})" for i in range(rows)])
    power = (drive_i * drive_v).sum(axis=0) + design.v_idle * clamp.sum(axis=0)
    return Sample(
        charge=_sign(design) * charge,
        slot_active=active,
        slot_current=_sign(design) * clamp[:, index].T,
        energy=float(np.trapezoid(power, time)),
        attempt=attempt,
        floating_gate_return=returned,
    )


def _check_integrator(charge: NDArray[np.float64], trapezoid: NDArray[np.float64]) -> None:
    error = float(np.abs(charge - trapezoid).max())
    scale = float(np.abs(charge).max()) + 1e-15
    if error > MAX_INTEGRATOR_ERROR * scale:
        raise RunFailure(f"integrator and clamp current differ by {error / scale:.1%}")


def _floating_gate_return(vectors: Vectors) -> float:
    gates = [v for name, v in vectors.items() if name.startswith("v(fg_")]
    if not gates:
        return 0.0
    return max(abs(float(v[-1] - v[0])) for v in gates)


def _check_floating_gates(sample: Sample) -> None:
    returned = sample.floating_gate_return
    if returned > MAX_FLOATING_GATE_RETURN_V:
        raise RunFailure(f"a floating gate ended {returned:.2g} V away from its start")


def _slots(duration: NDArray[np.float64], t_edge: float) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Activation pattern and end time (after the leading edges' begin) of every slot long enough to settle."""
    ends = np.unique(duration[duration > 0])
    lengths = np.diff(ends, prepend=0.0)
    usable = lengths >= (1 + SETTLED_EDGES) * t_edge
    ends = ends[usable]
    return duration[None, :] >= ends[:, None], ends
