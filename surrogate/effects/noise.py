"""Noise of the cells: what differs from pulse to pulse, and what all pulses of a run share."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from surrogate.effects.effect import OnCharges, OnCurrents, Read, normal
from surrogate.effects.telegraph import telegraph_charges
from surrogate.errors import InputError
from surrogate.mapping import CurrentRange
from surrogate.noise import CellNoise
from surrogate.surrogate import Surrogate


@dataclass(frozen=True)
class ReadNoise(OnCharges):
    """Noise of charges, drawn anew for every VMM: of white noise all, of 1/f and telegraph noise what differs between
    pulses within ``run`` s, the time that the VMMs of one call take; with ``run`` None all of them, too.

    Its variance is that of :class:`~surrogate.noise.CellNoise` for the widths and currents of the cells of each column.
    White and 1/f noise are normal; telegraph noise is where many cells add up, else each cell's trap is drawn
    (:func:`~surrogate.effects.telegraph.telegraph_charges`). Of signed inputs in two phases a row is active in one
    phase only, so that phases share no cell's noise.
    """

    noise: CellNoise
    run: float | None = None

    def __post_init__(self) -> None:
        _checked_run(self.noise, self.run)

    def check(self, currents: CurrentRange, surrogate: Surrogate) -> None:
        """See :class:`Effect`."""
        high, longest = (torch.tensor([[v]], dtype=torch.float64) for v in (currents.high, surrogate.time_scale))
        sigma = float(self.noise.charge_variance(high, longest[0]).sqrt())
        signal = (currents.high - currents.low) * surrogate.time_scale
        if sigma >= signal:
            raise InputError(
                f"noise: {sigma:.3g} C of one cell in the longest pulse, its whole range being {signal:.3g} C: "
                "lower the noise or widen the range of currents"
            )

    def apply(self, charge: Tensor, read: Read, generator: Generator | None) -> Tensor:
        """See :class:`OnCharges`."""
        if self.noise.telegraph is not None and self.noise.telegraph.amplitude:
            charge = charge + telegraph_charges(self.noise.telegraph, read, self.run, generator).to(charge)
        terms = self.noise.normal.terms()
        if not terms:
            return charge
        seconds, current = read.width * read.time_scale, read.current.double()
        widths, powers = [], []
        for term in terms:
            variance = term.of_width(seconds)
            if self.run is not None:
                variance = (variance - seconds.square() * term.common(self.run)).clamp_min(0)
            widths.append(variance / read.time_scale**2)
            powers.append(term.of_current(current) / read.current_scale**2)
        variance = read.column_sums(torch.cat(widths, dim=-1), torch.cat(powers, dim=-2))
        some = variance > 0  # the slope of a root at zero is infinite
        sigma = torch.where(some, variance, 1.0).sqrt() * some
        return charge + sigma.to(charge) * normal(charge, generator)


@dataclass(frozen=True)
class SlowNoise(OnCurrents):
    """What 1/f and telegraph noise have changed of every cell's current since the calibration and all pulses of a run
    of ``run`` s share, of telegraph noise the run's mean level; with :class:`ReadNoise` of the same run it makes up the
    whole. Drawn once for a chip that is deployed, else anew at every call."""

    noise: CellNoise
    run: float

    def __post_init__(self) -> None:
        _checked_run(self.noise, self.run)

    def apply(self, current: Tensor, largest: float, generator: Generator | None) -> Tensor:
        """See :class:`OnCurrents`."""
        own, trap = current, self.noise.telegraph
        if trap is not None and trap.amplitude:
            share = trap.drawn_share(torch.full_like(own, self.run, dtype=torch.float64), generator)
            current = current + own * (trap.amplitude * share).to(own)
        variance = torch.zeros((), dtype=torch.float64)
        for term in self.noise.normal.terms():
            if term.slow:
                variance = variance + term.of_current(own.double()) * term.common(self.run)
        if not bool((variance > 0).any()):
            return current
        return current + variance.sqrt().to(own) * normal(own, generator)


def _checked_run(noise: CellNoise, run: float | None) -> None:
    if run is None:
        return
    if isinstance(run, bool) or not 0 < run < float("inf"):
        raise InputError(f"noise.run {run!r}: give the time that the VMMs of one call take, in s")
    for term in noise.terms():
        term.common(run)
