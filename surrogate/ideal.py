"""The ideal VMM Q = T·W with constant cell currents W: the model that a time-slot surrogate has to beat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def one_hot_weights(duration: Array, charge: Array) -> Array | None:
    """W [N, M] in A from the rows of ``duration`` [n, N] s in which a single pulse is active.

    Returns None unless every row of the array was read alone. Several reads of one row are averaged by charge.
    """
    single = (duration > 0).sum(axis=1) == 1
    time, q = duration[single], charge[single]
    if time.shape[0] == 0 or (time.sum(axis=0) == 0).any():
        return None
    total = np.zeros((duration.shape[1], charge.shape[1]))
    np.add.at(total, time.argmax(axis=1), q)
    return total / time.sum(axis=0)[:, None]


def least_squares_weights(duration: Array, charge: Array) -> Array:
    """W [N, M] in A that fits ``charge`` [n, M] best in the least-squares sense (minimum norm where undetermined)."""
    return np.asarray(np.linalg.lstsq(duration, charge, rcond=1e-10)[0], dtype=np.float64)
