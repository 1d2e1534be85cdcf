"""What time takes of stored values: charge leaks off floating gates, conductances drift."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from surrogate.effects.effect import OnCurrents, OnStates, normal, not_negative
from surrogate.effects.mismatch import floating_gates
from surrogate.errors import InputError
from surrogate.mapping import CurrentRange
from surrogate.surrogate import Surrogate

BOLTZMANN_EV = 8.617333262e-5
"""eV/K (CODATA 2018)"""


@dataclass(frozen=True)
class ChargeLoss(OnStates):
    """Floating gates after ``time`` s at ``temperature`` K: of what their voltage is above ``neutral`` V remains
    exp(−(time/τ)^``stretch``), τ = ``lifetime``·exp(E_A/k·(1/temperature − 1/``reference``)): thermally activated
    (Arrhenius) loss with the activation energy ``activation`` eV, stretched as trap-assisted loss is."""

    time: float
    lifetime: float
    neutral: float
    temperature: float = 300.0
    reference: float = 300.0
    activation: float = 1.1
    stretch: float = 1.0

    def __post_init__(self) -> None:
        for name, unit in (("time", "s"), ("activation", "eV")):
            not_negative(name, getattr(self, name), unit)
        for name, unit in (("lifetime", "s"), ("temperature", "K"), ("reference", "K"), ("stretch", "")):
            not_negative(name, getattr(self, name), unit)
            if not getattr(self, name) > 0:
                raise InputError(f"{name} 0: give a number above 0")
        if self.stretch > 1:
            raise InputError(f"stretch {self.stretch:g}: give a number up to 1")

    @property
    def remaining(self) -> float:
        """Share of the charge that is left."""
        exponent = self.activation / BOLTZMANN_EV * (1 / self.temperature - 1 / self.reference)
        lifetime = self.lifetime * math.exp(max(-700.0, min(700.0, exponent)))
        return math.exp(-min(700.0, (self.time / lifetime) ** self.stretch))

    def check(self, currents: CurrentRange, surrogate: Surrogate) -> None:
        """See :class:`Effect`."""
        floating_gates(surrogate, "charge_loss")

    def apply(self, state: Tensor, surrogate: Surrogate, generator: Generator | None) -> Tensor:
        """See :class:`OnStates`."""
        if not self.time:
            return state
        state_map = floating_gates(surrogate, "charge_loss")
        volts = state_map.inverse(state.detach().double())
        left = state_map(self.neutral + self.remaining * (volts - self.neutral))
        return state + (left.to(state) - state.detach())


@dataclass(frozen=True)
class Drift(OnCurrents):
    """Currents of phase-change cells ``time`` s after they were programmed: I·((time + t0)/t0)^−ν, ν normal with mean
    ``exponent`` and deviation ``sigma``, never negative (Ielmini et al., IEEE Trans. Electron Devices 54, 2007)."""

    time: float
    exponent: float
    sigma: float = 0.0
    first: float = 1.0
    """t0, s: when cells were read after programming"""

    def __post_init__(self) -> None:
        for name, unit in (("time", "s"), ("exponent", ""), ("sigma", ""), ("first", "s")):
            not_negative(name, getattr(self, name), unit)
        if not self.first > 0:
            raise InputError("first 0: give the seconds after which cells were read")

    def check(self, currents: CurrentRange, surrogate: Surrogate) -> None:
        """See :class:`Effect`."""
        decades = math.log1p(self.time / self.first) / math.log(10)
        whole = math.log10(currents.high / currents.low)
        for name, value in (("exponent", self.exponent), ("sigma", self.sigma)):
            if value * decades >= whole:
                raise InputError(
                    f"drift.{name} {value:g}: {value * decades:.3g} decades of current in {self.time:g} s, as much as "
                    f"the range of currents, {currents.low:g} … {currents.high:g} A: lower it or widen the range"
                )

    def apply(self, current: Tensor, largest: float, generator: Generator | None) -> Tensor:
        """See :class:`OnCurrents`."""
        if not self.time or not (self.exponent or self.sigma):
            return current
        exponent = torch.full_like(current.detach(), self.exponent)
        if self.sigma:
            exponent = (exponent + self.sigma * normal(exponent, generator)).clamp_min(0)
        return current * torch.exp(-exponent * math.log1p(self.time / self.first))
