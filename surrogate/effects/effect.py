"""The places on a VMM's way where an effect of the hardware can act: one kind of effect for each.

Target currents → :class:`OnCurrents` → stored states → :class:`OnStates` → the array; pulse widths → :class:`OnWidths`
→ the array; its charges → :class:`OnCharges` → over a converter's range → :class:`OnCodes` → rounded. A layer applies
those of its settings' ``effects`` that are of a kind in their order (:mod:`surrogate.analog.mapping`); with none it is
exact. Each is a frozen dataclass with one method, ``apply``, differentiable in what it is given, and one whose size is
zero gives that back as it is.

What an effect draws, it draws from ``generator``, or, where that is None, from torch's own, as dropout does: training
that is resumed draws the same. Currents, states and converters belong to a chip: a deployed layer draws them once, or
the same ones at every call; any other layer draws a new chip at every call. Widths and charges are drawn for every VMM.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from surrogate.errors import InputError
from surrogate.mapping import CurrentRange
from surrogate.surrogate import Surrogate


@dataclass(frozen=True)
class Read:
    """The VMMs whose charges are disturbed, P phases of v VMMs on G groups of R x C arrays with n used rows
    and M columns; a sum over the used rows is one over all, the others are idle."""

    width: Tensor
    """pulse widths [P, v, G, R, n] over t_max, as they are, jitter included"""
    current: Tensor
    """one-hot read currents [G, R, C, n, M] A of the cells"""
    current_scale: float
    """A; charges are in units of it times :attr:`time_scale`"""
    time_scale: float
    """t_max, s"""

    def column_sums(self, of_width: Tensor, of_current: Tensor) -> Tensor:
        """Sums [P, v, G, R, C, M] over the cells of each column of ``of_width`` [P, v, G, R, n] times ``of_current``
        [G, R, C, n, M], such as variances of charge that grow with both."""
        return torch.einsum("pvgrn,grcnm->pvgrcm", of_width, of_current.to(of_width))


class Effect:
    """Something that the hardware does; see the module's title."""

    def check(self, currents: CurrentRange, surrogate: Surrogate) -> None:
        """Raise :class:`InputError` where it contradicts cells of ``currents`` or arrays of ``surrogate``: noise above
        their range, or an effect that such cells do not have."""


class OnCurrents(Effect, ABC):
    """An effect on the currents that cells are programmed to."""

    @abstractmethod
    def apply(self, current: Tensor, largest: float, generator: Generator | None) -> Tensor:
        """One-hot read currents [..., N, M] A that cells have, told to have ``current`` [..., N, M] A; ``largest`` A is
        that of the largest weight."""


class OnStates(Effect, ABC):
    """An effect on stored states."""

    @abstractmethod
    def apply(self, state: Tensor, surrogate: Surrogate, generator: Generator | None) -> Tensor:
        """States [..., N, M] that cells of ``surrogate``, put to ``state`` [..., N, M], are in.

        Raises :class:`InputError` for cells that do not have this effect."""


class OnWidths(Effect, ABC):
    """An effect on pulse widths."""

    @abstractmethod
    def apply(self, width: Tensor, time_scale: float, generator: Generator | None) -> Tensor:
        """Widths [P, v, G, R, n] over ``time_scale`` s of pulses that are told to last ``width``; an idle row (0) stays
        idle."""


class OnCharges(Effect, ABC):
    """An effect on the charges of columns, such as noise."""

    @abstractmethod
    def apply(self, charge: Tensor, read: Read, generator: Generator | None) -> Tensor:
        """Charges [P, v, G, R, C, M] (current scale x t_max) that ``read``, which gives ``charge``, shows."""


class OnCodes(Effect, ABC):
    """An effect of converters, before they round and saturate."""

    @abstractmethod
    def apply(self, code: Tensor, generator: Generator | None) -> Tensor:
        """What converters see of charges over their range, ``code`` [P, v, G, R, C, M] (0 … 1, or −1 … 1 of pairs)."""


def normal(like: Tensor, generator: Generator | None, shape: tuple[int, ...] | None = None) -> Tensor:
    """Standard normal values of ``shape``, by default that of ``like``, in its dtype and on its device."""
    size = tuple(like.shape) if shape is None else shape
    return torch.randn(size, generator=generator, dtype=like.dtype, device=like.device)


def not_negative(name: str, value: object, unit: str = "") -> None:
    """Raise :class:`InputError` unless ``value`` is a finite number from 0 on; ``name`` and ``unit`` are for the
    message."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
        raise InputError(f"{name} {value!r}: give a number from 0 on{f' in {unit}' if unit else ''}")
