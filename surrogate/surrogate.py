"""A fitted surrogate: parameters, scales, domain of use, provenance and, once validated, its report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from surrogate.engine import ENGINES, Engine, TileEngine
from surrogate.errors import InputError
from surrogate.fast.engine import Accuracy
from surrogate.fitting.uncertainty import charge_variance
from surrogate.ideal import least_squares_weights, one_hot_weights
from surrogate.parameters import Parameters, unflatten
from surrogate.state_map import StateMap

Array = NDArray[np.float64]

DOMAIN_TOLERANCE = 1e-6
STATE_MARGIN = 0.25
"""How far (in units of state) beyond the fitted states a surrogate may be used."""


@dataclass(frozen=True)
class Domain:
    """Where the fit has seen data: durations in s, states u, array size."""

    duration_min: float
    duration_max: float
    state_min: float
    state_max: float
    rows: int
    columns: int

    def check_duration(self, duration: Array) -> None:
        """Raise :class:`InputError` unless every duration is 0 or within the domain."""
        positive = duration[duration > 0]
        if (duration < 0).any() or not np.isfinite(duration).all():
            raise InputError("duration: negative or not finite: correct it")
        if positive.size and positive.max() > self.duration_max * (1 + DOMAIN_TOLERANCE):
            raise InputError(
                f"duration: {positive.max():g} s is beyond the surrogate's domain, t_max = {self.duration_max:g} s"
            )

    def check_state(self, state: Tensor) -> None:
        """Raise :class:`InputError` where a cell's state lies outside the domain."""
        if state.numel() == 0:
            raise InputError("weights: no cells: give states [rows, columns]")
        low, high = float(state.min()), float(state.max())
        if not (low >= self.state_min - STATE_MARGIN and high <= self.state_max + STATE_MARGIN):
            raise InputError(
                f"weights: cell states {low:.2f} … {high:.2f} leave the surrogate's domain "
                f"{self.state_min:.2f} … {self.state_max:.2f}: keep weights in range or fit over a wider one"
            )


@dataclass(frozen=True)
class Surrogate:
    """A time-slot surrogate in physical units; programmed arrays have a ``state_map``, measured ones a ``state``."""

    shared: Tensor
    shared_error: Tensor
    current_scale: float
    time_scale: float
    domain: Domain
    state_map: StateMap | None = None
    state: Tensor | None = None
    state_error: Tensor | None = None
    ideal_one_hot: Tensor | None = None
    ideal_least_squares: Tensor | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    report: dict[str, Any] | None = None
    covariance: Tensor | None = None
    """calibrated covariance of ``shared`` and the state map's coefficients (:mod:`surrogate.fitting.calibration`)"""
    kind: str = "mos"
    """Which of :data:`surrogate.engine.ENGINES` computes its charges."""

    @property
    def engine(self) -> Engine:
        """What computes charges in units of the scales."""
        return ENGINES[self.kind](self.shared)

    @property
    def parameters(self) -> Parameters:
        """The shared parameters of the time-slot model (kind ``mos``) by name."""
        return unflatten(self.shared)

    def states(self, volts: Array) -> Tensor:
        """States u of cells programmed to ``volts`` (any shape). Raises :class:`InputError` for a measured array."""
        if self.state_map is None:
            raise InputError("surrogate: fitted to measurements of one array: it has no map from voltages to cells")
        return self.state_map(torch.as_tensor(volts, dtype=torch.float64))

    def charge(self, duration: Array, state: Tensor, without: tuple[str, ...] = ()) -> Array:
        """Charges [n, M] C of ``duration`` [n, N] s on cells of ``state`` [N, M] or [n, N, M]; effects in ``without``
        are switched off. The reference engine, in float64. Raises :class:`InputError` outside the domain."""
        self.domain.check_state(state)
        return self.extrapolated(duration, state, without)

    def extrapolated(self, duration: Array, state: Tensor, without: tuple[str, ...] = ()) -> Array:
        """As :meth:`charge`, and of cells of any state: for those who hold the truth against it."""
        time, states = self._inputs(duration, state)
        if unknown := set(without) - set(self.engine.effects):
            raise InputError(f"without: {sorted(unknown)[0]!r} is none of {', '.join(self.engine.effects)}")
        with _solvable(), torch.no_grad():
            q = self.engine.charges(time, states, without)
        return _finite(q * self.current_scale * self.time_scale)

    def charge_sigma(self, duration: Array, state: Tensor) -> Array:
        """Standard deviations [n, M] C of the errors of :meth:`extrapolated` for the same arguments; 95 % intervals
        are ± :data:`surrogate.fitting.uncertainty.INTERVAL` of them. They grow with distance from what the fit has
        seen.

        Raises :class:`InputError` outside the domain of durations and for a surrogate without a calibrated covariance.
        """
        if self.covariance is None or self.state_map is None:
            raise InputError("surrogate: has no calibrated covariance: fit it again, to a data set of MOS cells")
        time, states = self._inputs(duration, state)
        states = states.expand(len(time), -1, -1)
        with _solvable():
            variance = charge_variance(self.shared, self.state_map, self.covariance, states, time)
        return _finite(variance.sqrt() * abs(self.current_scale) * self.time_scale)

    def _inputs(self, duration: Array, state: Tensor) -> tuple[Tensor, Tensor]:
        """Durations [n, N] over the time scale and states [1 or n, N, M], checked."""
        duration = np.asarray(duration, dtype=np.float64)
        states = torch.as_tensor(state, dtype=torch.float64)
        states = states[None] if states.dim() == 2 else states
        if duration.ndim != 2 or states.dim() != 3 or states.shape[1] != duration.shape[1] or states.shape[2] == 0:
            raise InputError(f"duration {duration.shape} and states {tuple(state.shape)}: give [n, N] and [N, M]")
        if len(duration) == 0 or len(states) not in (1, len(duration)):
            raise InputError(f"states of {len(states)} arrays for {len(duration)} VMMs: give one each or one for all")
        if not bool(torch.isfinite(states).all()):
            raise InputError("weights: a cell's state is not finite: correct it")
        self.domain.check_duration(duration)
        return torch.from_numpy(duration / self.time_scale), states

    def one_hot_current(self, state: Tensor) -> Tensor:
        """Currents [..., N, M] A that reading arrays of ``state`` [..., N, M] one row at a time shows."""
        rows, columns = state.shape[-2:]
        arrays = state.reshape(-1, rows, columns)
        with _solvable(), torch.no_grad():
            current = self.engine.one_hot_currents(arrays)
        return (current * self.current_scale).reshape(state.shape)

    def tile_engine(self, rows: int, typical: Tensor, accuracy: Accuracy | None = None) -> TileEngine:
        """The fast engine for arrays of ``rows``, most exact for states distributed as the ``typical`` ones (any
        shape), at a suitable ``accuracy`` or a given one; states may leave the domain a little while training."""
        return self.engine.tile_engine(rows, self.domain.state_min, self.domain.state_max, typical, accuracy)

    def with_report(self, report: dict[str, Any]) -> Surrogate:
        """The same surrogate with the report of its cross-validation."""
        return replace(self, report=report)

    def require_passed(self) -> None:
        """Raise :class:`InputError` unless a cross-validation passed."""
        if self.report is None:
            raise InputError("surrogate: not validated: run 'fgcosim validate' on it first")
        if self.report.get("passed") is not True:
            failed = ", ".join(map(str, self.report.get("failed") or ["unknown"]))
            raise InputError(f"surrogate: failed its cross-validation ({failed}): improve the fit or lower the levels")


@contextmanager
def _solvable() -> Iterator[None]:
    """Turns a model without a solution into :class:`InputError`: parameters and states are all that can be wrong."""
    try:
        yield
    except (ArithmeticError, torch.linalg.LinAlgError) as error:
        reason = " ".join(str(error).split())[:100]
        raise InputError(f"surrogate: {reason}: keep states in its domain or fit it again") from None


def _finite(charge: Tensor) -> Array:
    if not bool(torch.isfinite(charge).all()):
        raise InputError("surrogate: its parameters give charges that are not finite: fit it again")
    return charge.numpy()


def ideal_weights(duration: Array, charge: Array) -> tuple[Tensor | None, Tensor]:
    """One-hot (or None) and least-squares weights [N, M] A of an ideal VMM from measured data."""
    hot = one_hot_weights(duration, charge)
    return (None if hot is None else torch.from_numpy(hot)), torch.from_numpy(least_squares_weights(duration, charge))
