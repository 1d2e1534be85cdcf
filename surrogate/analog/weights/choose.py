"""The encoding that settings ask for."""

from __future__ import annotations

from surrogate.analog.weights.differential import OneSided, TwoSided
from surrogate.analog.weights.encoding import Encoding
from surrogate.analog.weights.offset import OffsetColumn
from surrogate.analog.weights.settings import Weights
from surrogate.analog.weights.stored import StoredCurve


def encoding_of(weights: Weights) -> Encoding:
    """How ``weights`` are held."""
    curve = StoredCurve(weights.nonlinearity, weights.asymmetry)
    if weights.mapping == "offset":
        return OffsetColumn(weights.bits, weights.slices, weights.reference == "unit-cell", curve)
    if weights.sides == "two":
        return TwoSided(weights.bits, weights.slices, curve)
    return OneSided(weights.bits, weights.slices, weights.zero, curve)
