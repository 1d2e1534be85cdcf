"""Which word line each input drives: the order of the inputs, and idle word lines between them.

The channels of a pixel, or the inputs of a linear layer, lie in an order of their own for each group; with a spacing s
each is followed by s − 1 word lines that no input drives.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from surrogate.errors import InputError


def checked_order(order: Tensor, groups: int, channels: int) -> Tensor:
    """``order`` if it has every one of ``channels`` once for each of ``groups``. Raises :class:`InputError`."""
    whole = torch.arange(channels, device=order.device).expand(groups, -1)
    if order.shape != whole.shape or order.dtype != whole.dtype or not torch.equal(order.sort(-1).values, whole):
        raise InputError(f"order {tuple(order.shape)}: give each of {channels} channels once, for {groups} groups")
    return order


@dataclass(frozen=True)
class Wiring:
    """``order`` [G, ch] of the channels of each of G groups, channel numbers 0..ch-1 (None: as they are), and the
    ``spacing`` from one to the next, in word lines."""

    order: Tensor | None
    spacing: int

    def inputs(self, values: Tensor) -> Tensor:
        """``values`` [..., G·ch] of channels, on the word lines of a pixel, [..., G·ch·spacing]."""
        if self.order is not None:
            groups, channels = self.order.shape
            first = channels * torch.arange(groups, device=self.order.device)
            values = values.index_select(-1, (self.order + first[:, None]).flatten())
        return self._apart(values[..., None]).flatten(-2) if self.spacing > 1 else values

    def rows(self, matrices: Tensor) -> Tensor:
        """``matrices`` [G, pixels·ch, out], rows pixel after pixel, on word lines [G, pixels·ch·spacing, out]; zero on
        those that are idle."""
        if self.order is not None:
            matrices = _gathered(matrices, self.order)
        if self.spacing == 1:
            return matrices
        return self._apart(matrices.transpose(1, 2)[..., None]).flatten(-2).transpose(1, 2)

    def of_rows(self, rows: Tensor) -> Tensor:
        """The matrices whose :meth:`rows` are ``rows``."""
        matrices = rows[:, :: self.spacing]
        return matrices if self.order is None else _gathered(matrices, self.order.argsort(-1))

    def _apart(self, values: Tensor) -> Tensor:
        return pad(values, (0, self.spacing - 1))


def _gathered(matrices: Tensor, order: Tensor) -> Tensor:
    by_channels = matrices.unflatten(1, (-1, order.shape[1]))
    index = order[:, None, :, None].expand(by_channels.shape)
    return by_channels.gather(2, index).flatten(1, 2)
