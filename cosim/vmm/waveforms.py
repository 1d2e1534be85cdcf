"""Waveforms of one VMM: what an oscilloscope on the array would show, kept for the report."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.errors import InputError, SimulationError
from cosim.files.npz import read_npz
from cosim.files.provenance import of_simulation
from cosim.spice.ladder import LADDER
from cosim.spice.ngspice import Ngspice, RunFailure, run_deck
from cosim.vmm.whole import vmm_deck
from netlists.circuits.stimulus import check_durations, t_start
from netlists.design import Design, MosCell
from surrogate.atomic import replacing

MAX_GATES = 4
TIMEOUT_S = 600.0
MAX_BYTES = 500_000_000
"""Largest waveforms that are read, unpacked."""


@dataclass(frozen=True)
class Waveforms:
    """One transient of N rows, M columns, t time points."""

    time: NDArray[np.float64]
    """[t] s"""
    driver: NDArray[np.float64]
    """[N, t] voltage of every word-line driver, V"""
    gate: NDArray[np.float64]
    """[g, t] voltage of a few floating gates, V"""
    gate_index: NDArray[np.int64]
    """[g, 2] row and column of each of them"""
    clamp: NDArray[np.float64]
    """[M, t] bit-line currents in the direction of the cell current, A"""
    duration: NDArray[np.float64]
    """[N] s"""
    pulse_start: float
    """Time at which the leading edges are half-way, s: durations count from here."""
    provenance: str = "{}"
    """Where they come from (:class:`cosim.files.provenance.Provenance`), as JSON."""

    @property
    def slot_ends(self) -> NDArray[np.float64]:
        """Ends of the adaptive slots on the time axis, s."""
        return self.pulse_start + np.unique(self.duration[self.duration > 0])


def record_waveforms(
    design: Design,
    cells: NDArray[np.float64],
    duration: NDArray[np.float64],
    engine: Ngspice,
    path: Path,
) -> Waveforms:
    """Simulate one VMM of ``design`` with ``cells`` [N, M] and ``duration`` [N] s and write ``path`` (``.npz``).

    Raises :class:`InputError` on bad values, :class:`SimulationError` where ngspice cannot simulate it.
    """
    duration = check_durations(design, duration)
    for extra in LADDER:
        deck = vmm_deck(design, cells, duration, {**engine.options(), **extra})
        try:
            vectors = run_deck(engine, deck, TIMEOUT_S)
            break
        except RunFailure as failure:
            reason = failure.reason
    else:
        raise SimulationError(f"waveforms: ngspice {reason}: simulate this design first ('fgcosim simulate')")
    rows, columns = design.array.rows, design.array.columns
    gates = _gates(design) if isinstance(design.cell, MosCell) else []
    sign = 1.0 if isinstance(design.cell, MosCell) and design.cell.channel == "p" else -1.0
    time = vectors["time"]
    waves = Waveforms(
        time=time,
        driver=np.stack([vectors[f"v(drv_{i})"] for i in range(rows)]),
        gate=np.array([vectors[f"v(fg_{i}_{j})"] for i, j in gates]).reshape(len(gates), len(time)),
        gate_index=np.array(gates, dtype=np.int64).reshape(len(gates), 2),
        clamp=sign * np.stack([vectors[f"i(vclamp_{j})"] for j in range(columns)]),
        duration=duration,
        pulse_start=t_start(design) + 0.5 * design.read.t_edge,
        provenance=json.dumps(of_simulation(design, engine).as_dict()),
    )
    _save(waves, path)
    return waves


def load_waveforms(path: Path) -> Waveforms:
    """Read what :func:`record_waveforms` wrote. Raises :class:`InputError` on missing or damaged files."""
    try:
        arrays = read_npz(path, _ARRAYS, MAX_BYTES, optional=("provenance",))
        waves = Waveforms(
            **{name: _as(np.float64, arrays[name]) for name in _REALS},
            gate_index=_as(np.int64, arrays["gate_index"]), pulse_start=float(arrays["pulse_start"]),
            provenance=str(arrays.get("provenance", "{}")),
        )  # fmt: skip
        _check(waves)
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: no readable waveforms ({str(error)[:100]}): record them again") from None
    return waves


_REALS = ("time", "driver", "gate", "clamp", "duration")
_ARRAYS = (*_REALS, "gate_index", "pulse_start")


def _as(kind: type, array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(kind, casting="safe")


def _check(waves: Waveforms) -> None:
    """Raise ``ValueError`` unless all belongs to one time axis and is finite."""
    if not waves.time.ndim == waves.duration.ndim == 1 or len(waves.time) < 2 or not (np.diff(waves.time) >= 0).all():
        raise ValueError("no time axis")
    points = len(waves.time)
    wanted = {"driver": (len(waves.duration), points), "gate": (len(waves.gate_index), points),
              "gate_index": (len(waves.gate), 2), "clamp": (len(waves.clamp), points)}  # fmt: skip
    for name, shape in wanted.items():
        if getattr(waves, name).shape != shape:
            raise ValueError(f"{name} {getattr(waves, name).shape}, expected {shape}")
    for values in (waves.time, waves.driver, waves.gate, waves.clamp, waves.duration, waves.pulse_start):
        if not np.isfinite(values).all():
            raise ValueError("holds values that are not finite")


def _gates(design: Design) -> list[tuple[int, int]]:
    """Cells around the middle of the array: two mirrored pairs of one column."""
    first = max(design.array.rows // 2 - 2, 0) // 2 * 2
    rows = range(first, min(first + MAX_GATES, design.array.rows))
    return [(row, design.array.columns // 2) for row in rows]


def _save(waves: Waveforms, path: Path) -> None:
    with replacing(path) as temporary, temporary.open("wb") as handle:
        np.savez_compressed(handle, **asdict(waves))
