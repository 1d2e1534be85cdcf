"""Threshold mismatch: floating-gate cells that conduct more or less than their charge says."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from surrogate.effects.effect import OnStates, normal, not_negative
from surrogate.errors import InputError
from surrogate.mapping import CurrentRange
from surrogate.state_map import MAP_TERMS, StateMap
from surrogate.surrogate import Surrogate


@dataclass(frozen=True)
class ThresholdMismatch(OnStates):
    """Normal deviations of ``sigma`` V of the cells' thresholds (Pelgrom et al., JSSC 24, 1989): a cell behaves as if
    its floating gate were that much lower. What write–verify compensates is no part of it."""

    sigma: float

    def __post_init__(self) -> None:
        not_negative("sigma", self.sigma, "V")

    def check(self, currents: CurrentRange, surrogate: Surrogate) -> None:
        """See :class:`Effect`."""
        state_map, domain = floating_gates(surrogate, "threshold_mismatch"), surrogate.domain
        ends = state_map.inverse(torch.tensor([domain.state_min, domain.state_max], dtype=torch.float64))
        swing = abs(float(ends[1] - ends[0]))
        if self.sigma >= swing:
            raise InputError(
                f"threshold_mismatch {self.sigma:g} V: as much as the range of stored voltages, {swing:.3g} V: lower it"
            )

    def apply(self, state: Tensor, surrogate: Surrogate, generator: Generator | None) -> Tensor:
        """See :class:`OnStates`."""
        if not self.sigma:
            return state
        volts = self.sigma * normal(state, generator)
        return state - slope(floating_gates(surrogate, "threshold_mismatch"), state) * volts


def floating_gates(surrogate: Surrogate, effect: str) -> StateMap:
    """The map from floating-gate voltages to states. Raises :class:`InputError` for cells without floating gates."""
    if surrogate.state_map is None or surrogate.kind != "mos":
        raise InputError(f"{effect}: for floating-gate cells with a map from voltages to states: leave it out")
    return surrogate.state_map


def slope(state_map: StateMap, state: Tensor) -> Tensor:
    """Change of ``state`` (any shape) by the voltage of its floating gate, 1/V."""
    volts = state_map.inverse(state.detach().double())
    t = (volts - state_map.centre) / state_map.unit
    c = state_map.coefficients
    total = torch.stack([k * c[k] * t ** (k - 1) for k in range(1, MAP_TERMS)]).sum(0)
    return (total / state_map.unit).to(state)
