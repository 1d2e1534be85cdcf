"""Parameters shared by all cells of a time-slot model, as one named, flat vector.

States are in units of the weak-inversion slope (the current grows as e^u there) and currents in units of a current
scale, so that a model fitted to measurements of unknown bias has the same parameters as one fitted to SPICE.

Every parameter carries three trailing batch axes [P, 1, M]: of size one for shared values, or full where a fit gives
every observation its own copy in order to get all derivatives from one reverse pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

OFFSETS = (-2, -1, 1, 2)
"""Word-line distances of the coupling kernel κ."""

CURVE_TERMS = 5


@dataclass(frozen=True)
class Spec:
    """One shared parameter: shape, start value, prior width (in its own unit), the effect it models, its meaning."""

    name: str
    shape: tuple[int, ...]
    start: float
    width: float
    effect: str
    meaning: str

    @property
    def count(self) -> int:
        """Number of values."""
        return math.prod(self.shape)


SPECS: tuple[Spec, ...] = (
    Spec("log_specific_current", (), -1.0, 3.0, "cell", "ln of the specific current I_S over the current scale"),
    Spec("curve", (CURVE_TERMS,), 0.0, 1.5, "cell", "correction of ln I(u), powers 2… of the squashed state"),
    Spec("drain_limit", (), 25.0, 10.0, "cell", "drain voltage of an undropped cell above its source"),
    Spec("kappa", (2, len(OFFSETS)), -0.1, 1.0, "crosstalk", "kernel κ of even and odd rows at OFFSETS"),
    Spec("array_edge", (), 0.2, 0.2, "array_edge", "share of κ by which a missing neighbour shifts a cell"),
    Spec("edge_fall", (), 0.02, 0.02, "array_edge", "the same, per unit of the cell's inversion charge"),
    Spec("edge_shift", (), -0.02, 0.02, "array_edge", "share of a missing κ by which a cell's other κ grow"),
    Spec("edge_gate", (), 0.0, 0.05, "array_edge", "shift of a cell by a missing neighbour's floating gate"),
    Spec("gate_row", (), 0.0, 0.02, "gate_coupling", "FG–FG coupling along a row, per unit of the neighbours' state"),
    Spec("gate_column", (), 0.0, 0.02, "gate_coupling", "FG–FG coupling along a column, same"),
    Spec("sensitivity", (), 0.1, 0.1, "bit_line_drop", "shift of the state per bit-line drop (DIBL, FG–BL coupling)"),
    Spec("output_conductance", (), 0.001, 0.002, "bit_line_drop", "relative loss of current per bit-line drop"),
    Spec("log_switch", (), -2.0, 2.0, "bit_line_drop", "ln of switch resistance times current scale"),
    Spec("log_bit_line", (), -6.0, 2.0, "bit_line_drop", "ln of bit-line segment resistance times current scale"),
    Spec("log_driver", (), -6.0, 2.0, "word_line_drop", "ln of driver resistance times current scale"),
    Spec("log_word_line", (), -9.0, 2.0, "word_line_drop", "ln of word-line segment resistance times current scale"),
    Spec("idle_depth", (), 20.0, 10.0, "sneak", "state by which an idle cell lies below an active one"),
    Spec("idle_drop", (), 0.4, 0.3, "sneak", "rise of an idle cell's state per bit-line drop"),
    Spec("edge_time", (), 0.0, 0.02, "edge", "time lost by a pulse at each of its edges, in units of the time scale"),
)

_OFF = {
    "crosstalk": {"kappa": 0.0, "gate_column": 0.0},
    "array_edge": {"array_edge": 0.0, "edge_fall": 0.0, "edge_shift": 0.0, "edge_gate": 0.0},
    "gate_coupling": {"gate_row": 0.0, "gate_column": 0.0},
    "bit_line_drop": {"log_switch": -60.0, "log_bit_line": -60.0},
    "word_line_drop": {"log_driver": -60.0, "log_word_line": -60.0},
    "sneak": {"idle_depth": 1e3},
    "edge": {"edge_time": 0.0},
}
EFFECTS = tuple(_OFF)
"""Effects that :meth:`Parameters.without` can switch off, for the error budget and for tests."""

SIZE = sum(spec.count for spec in SPECS)
"""Length of the flat vector."""


class Parameters:
    """Values of all :data:`SPECS`: ``p.kappa`` has shape [2, 4, P, 1, M] with P = M = 1 unless expanded."""

    def __init__(self, values: dict[str, Tensor]) -> None:
        self.values = values

    def __getattr__(self, name: str) -> Tensor:
        try:
            return self.__dict__["values"][name]
        except KeyError:
            raise AttributeError(name) from None

    def flat(self) -> Tensor:
        """All shared values in one vector, in the order of :data:`SPECS`."""
        return torch.cat([self.values[spec.name].reshape(-1) for spec in SPECS])

    def map(self, change) -> Parameters:  # type: ignore[no-untyped-def]
        """``change`` applied to every tensor."""
        return Parameters({name: change(value) for name, value in self.values.items()})

    def without(self, *effects: str) -> Parameters:
        """The model with these :data:`EFFECTS` switched off."""
        values = dict(self.values)
        for effect in effects:
            values.update({name: torch.full_like(values[name], value) for name, value in _OFF[effect].items()})
        return Parameters(values)


def unflatten(vector: Tensor) -> Parameters:
    """Inverse of :meth:`Parameters.flat`; ``vector`` [SIZE] or, for a copy per observation, [SIZE, P, 1, M]."""
    batch = vector.shape[1:] or (1, 1, 1)
    values, at = {}, 0
    for spec in SPECS:
        values[spec.name] = vector[at : at + spec.count].reshape(*spec.shape, *batch)
        at += spec.count
    return Parameters(values)


def start_values() -> Tensor:
    """Start of a fit, flat: the neutral model."""
    return torch.cat([torch.full((s.count,), s.start, dtype=torch.float64) for s in SPECS])


def prior_widths() -> Tensor:
    """Standard deviations of the weak normal prior around the start values, flat."""
    return torch.cat([torch.full((s.count,), s.width, dtype=torch.float64) for s in SPECS])


def positions(name: str) -> slice:
    """Where parameter ``name`` sits in the flat vector."""
    at = 0
    for spec in SPECS:
        if spec.name == name:
            return slice(at, at + spec.count)
        at += spec.count
    raise KeyError(name)
