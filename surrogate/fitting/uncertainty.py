"""How far a predicted charge can be trusted: its standard deviation, and how many intervals hold on true charges.

The variance of a charge is J·C·Jᵀ with J its derivatives by the shared parameters and the state map, and C their
calibrated covariance (:mod:`surrogate.fitting.calibration`). Charges that depend on what the fit could not see, such
as the bit-line drop of many more rows, have large derivatives along loosely determined directions: σ grows with
distance.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from surrogate.fitting.common import FIT_PRECISION, Evaluate, jacobians
from surrogate.model import charges
from surrogate.state_map import StateMap

Array = NDArray[np.float64]

INTERVAL = 1.96
"""Half width of a 95 % interval in standard deviations."""

BINS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
"""Edges between the shares in :attr:`Coverage.histogram`."""

CHUNK_ELEMENTS = 500_000
"""Cell evaluations (VMMs × slots × rows × columns) whose derivatives are held in memory at once, or one VMM."""


@dataclass(frozen=True)
class Coverage:
    """How 95 % intervals do on true charges."""

    held: float
    """share of the charges inside their interval; 0.95 where σ is right and errors are independent"""
    relative_width: float
    """mean half width of the intervals over the rms of the charges"""
    z_rms: float
    """rms of error/σ: 1 where σ is right"""
    z_mean: float
    histogram: tuple[float, ...]
    """shares of error/σ below, between and above :data:`BINS`"""
    count: int

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "histogram": list(self.histogram)}


def coverage(truth: Array, predicted: Array, sigma: Array) -> Coverage:
    """Coverage of the intervals ``predicted`` ± 1.96 ``sigma`` on ``truth``, all of the same shape and unit."""
    error = predicted - truth
    z = error / np.maximum(sigma, np.finfo(np.float64).tiny)
    counts = np.bincount(np.searchsorted(BINS, z.ravel()), minlength=len(BINS) + 1)
    return Coverage(
        held=float((np.abs(error) <= INTERVAL * sigma).mean()),
        relative_width=float(INTERVAL * sigma.mean() / np.sqrt((truth**2).mean())),
        z_rms=float(np.sqrt((z**2).mean())),
        z_mean=float(z.mean()),
        histogram=tuple(float(share) for share in counts / z.size),
        count=z.size,
    )


def charge_variance(shared: Tensor, state_map: StateMap, covariance: Tensor, state: Tensor, duration: Tensor) -> Tensor:
    """Variances [n, M] of the charges of ``duration`` [n, N] on cells of ``state`` u [n, N, M], in model units.

    ``covariance`` is that of ``shared`` followed by the state map's coefficients.
    """
    volts = state_map.inverse(state)
    rows, columns = state.shape[-2:]
    chunk = max(1, CHUNK_ELEMENTS // (rows * rows * columns))

    def variance(part: slice) -> Tensor:
        _, by = derivatives(shared, state_map, volts[part], lambda p, u: charges(p, u, duration[part], FIT_PRECISION))
        return torch.einsum("nmk,kl,nml->nm", by, covariance, by).clamp_min(0)

    return torch.cat([variance(slice(k, k + chunk)) for k in range(0, len(duration), chunk)])


def derivatives(shared: Tensor, state_map: StateMap, volts: Tensor, evaluate: Evaluate) -> tuple[Tensor, Tensor]:
    """Predictions y [n, M] of ``evaluate`` for cells programmed to ``volts`` [n, N, M], and their derivatives
    [n, M, SIZE + MAP_TERMS] by the shared parameters and the state map's coefficients."""
    y, by_shared, by_state, _, _ = jacobians(shared, state_map(volts), evaluate, volts.shape[-1], torch.zeros_like)
    return y, torch.cat([by_shared, torch.einsum("nim,nimk->nmk", by_state, state_map.powers(volts))], dim=-1)
