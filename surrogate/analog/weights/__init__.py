"""How weights are held by cells and read back: one file for each way."""

from surrogate.analog.weights.choose import encoding_of
from surrogate.analog.weights.encoding import Encoding, ReadBack
from surrogate.analog.weights.ranges import RangeRule
from surrogate.analog.weights.settings import Weights

__all__ = ["Encoding", "RangeRule", "ReadBack", "Weights", "encoding_of"]
