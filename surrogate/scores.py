"""Figures of agreement between predicted and true charges (docs/glossary.md)."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Signal-to-error ratios in dB over all samples and columns."""

    ser_db: float
    ser_centred_db: float
    """of the charges less each column's mean"""
    ser_worst_column_db: float
    median_cell_error: float | None = None
    """median relative error of single-cell (one-hot) currents, where known"""

    def as_dict(self) -> dict[str, float | None]:
        """For JSON."""
        return asdict(self)


def decibel(truth: Array, predicted: Array) -> float:
    """20·log10(rms(truth)/rms(truth − predicted)), within ± 300 dB."""
    error = float(np.sqrt(np.mean((truth - predicted) ** 2)))
    signal = float(np.sqrt(np.mean(truth**2)))
    if error <= 1e-15 * signal:
        return 300.0
    return 20 * float(np.log10(max(signal / error, 1e-15)))


def score(truth: Array, predicted: Array, cell_truth: Array | None = None, cells: Array | None = None) -> Scores:
    """Scores of ``predicted`` [n, M] against ``truth`` [n, M]; optional single-cell currents of the same shape."""
    columns = [decibel(truth[:, j], predicted[:, j]) for j in range(truth.shape[1])]
    centred = truth - truth.mean(axis=0)
    median = None
    if cell_truth is not None and cells is not None:
        median = float(np.median(np.abs(cells - cell_truth) / np.abs(cell_truth)))
    return Scores(
        ser_db=decibel(truth, predicted),
        ser_centred_db=decibel(centred, predicted - truth + centred),
        ser_worst_column_db=min(columns),
        median_cell_error=median,
    )
