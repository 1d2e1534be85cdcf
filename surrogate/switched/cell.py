"""A resistive cell, behind its access device or without one, and the parameters that all cells of an array share.

States are conductances at the read voltage over that of the best cell, voltages come in units of the read voltage, and
currents in units of what the best cell conducts at it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

SERIES_BEND = 0.05
"""Bend below which the sinh is a series of as many terms as rounding leaves."""
ROUNDING = 1e-17


@dataclass(frozen=True)
class Shared:
    """Resistances times the best conductance, the bend b = (read voltage / v_0)² of the cells' current
    sinh(√b v) / sinh(√b), and what an edge costs of a pulse over the time scale."""

    driver: Tensor
    word_line: Tensor
    bit_line: Tensor
    switch: Tensor
    access: Tensor
    bend: Tensor
    edge_time: Tensor
    leak: Tensor | float = 0.0
    """conductance of a cell of an idle row over that of an active one: 0 where it is disconnected, 1 where its row is
    clamped"""


NAMES = ("log_driver", "log_word_line", "log_bit_line", "log_switch", "log_access", "bend", "edge_time")
"""The shared parameters in a surrogate's flat vector."""

CLAMPED_NAMES = tuple(name for name in NAMES if name != "log_access")
"""Those of arrays whose idle rows are clamped, which need no access device."""

EFFECTS = ("bit_line_drop", "word_line_drop", "access", "nonlinearity", "edge")
"""What :func:`without` switches off."""

_OFF = {
    "bit_line_drop": ("bit_line", "switch"),
    "word_line_drop": ("driver", "word_line"),
    "access": ("access",),
    "nonlinearity": ("bend",),
    "edge": ("edge_time",),
}


def shared_of(vector: Tensor) -> Shared:
    """The parameters in the flat ``vector`` [7] of :data:`NAMES`."""
    return Shared(*torch.exp(vector[:5]).unbind(), *vector[5:].unbind())


def clamped_of(vector: Tensor) -> Shared:
    """The parameters in the flat ``vector`` [6] of :data:`CLAMPED_NAMES`."""
    driver, word_line, bit_line, switch = torch.exp(vector[:4]).unbind()
    bend, edge_time = vector[4:].unbind()
    return Shared(driver, word_line, bit_line, switch, torch.zeros_like(driver), bend, edge_time, leak=1.0)


def without(shared: Shared, *effects: str) -> Shared:
    """``shared`` with these :data:`EFFECTS` switched off."""
    none = torch.zeros_like(shared.bend)
    return replace(shared, **{name: none for effect in effects for name in _OFF[effect]})


def relative_current(bend: Tensor, volts: Tensor) -> Tensor:
    """Current per state of cells with ``volts`` across them, any shape."""
    return _sinh(bend, volts) / _sinh(bend, torch.ones_like(bend))


def idle_conductance(shared: Shared) -> Tensor:
    """Current per state and voltage of cells of idle rows, whose voltage is small."""
    return shared.leak / _sinh(shared.bend, torch.ones_like(shared.bend))


def _sinh(bend: Tensor, volts: Tensor) -> Tensor:
    """sinh(√b v) / √b, which is analytic in b at zero, too."""
    if float(bend.detach()) > SERIES_BEND:
        root = bend.sqrt()
        return torch.sinh(root * volts) / root
    square, terms, size = bend * volts.square(), 1, abs(float(bend.detach())) / 6
    while size > ROUNDING:
        terms += 1
        size *= abs(float(bend.detach())) / (2 * terms * (2 * terms + 1))
    total = torch.ones_like(square)
    for k in range(terms, 0, -1):
        total = 1 + total * square * (1 / (2 * k * (2 * k + 1)))
    return volts * total


def state_for(shared: Shared, current: Tensor) -> Tensor:
    """State of cells that show ``current`` (any shape) between ideal lines."""
    return current / relative_current(shared.bend, 1 - shared.access * current)


def row_currents(shared: Shared, state: Tensor, line: Tensor | None = None, tolerance: float = 1e-7) -> Tensor:
    """Currents [..., M] of rows of cells ``state`` [..., M] that are each alone active; ``line`` [...] is the
    resistance between the row's cells and their clamps, none if left out. Differentiable."""
    current = state * relative_current(shared.bend, torch.ones_like(state))
    ahead = 0.0 if line is None else line[..., None]
    for _ in range(MAX_ROW_STEPS):
        rise = shared.driver * current.sum(-1, keepdim=True) + shared.word_line * along(current, -1)
        following = state * relative_current(shared.bend, 1 - rise - (shared.access + ahead) * current)
        change = float((following - current).detach().abs().max())
        current = following
        if change <= tolerance * float(current.detach().abs().max()):
            return current
    raise ArithmeticError("the model's word-line drop does not converge: currents times resistances are too large")


MAX_ROW_STEPS = 60


def along(current: Tensor, dim: int) -> Tensor:
    """Voltage over unit segments of a line at its cells k, Σ_l min(k, l) i_l, for ``current`` along ``dim``."""
    beyond = current.flip(dim).cumsum(dim).flip(dim)
    return beyond.cumsum(dim) - beyond.narrow(dim, 0, 1)
