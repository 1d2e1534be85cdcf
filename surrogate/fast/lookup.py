"""Interpolation in tables of the state, with the tables' own derivatives as gradient."""

from __future__ import annotations

import torch
from torch import Tensor

from surrogate.fast.tables import Table


class _Lookup(torch.autograd.Function):
    @staticmethod
    def forward(ctx, state: Tensor, table: Table) -> Tensor:  # type: ignore[no-untyped-def,override]
        place = (state - table.low) / table.step
        index = place.floor().clamp(0, table.values.shape[0] - 2).long()
        fraction = (place - index)[..., None]
        both = torch.lerp(table.values[index], table.values[index + 1], fraction)
        value, derivative = both.movedim(-1, -3).chunk(2, dim=-3)
        ctx.save_for_backward(derivative)
        return value.contiguous()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[no-untyped-def,override]
        (derivative,) = ctx.saved_tensors
        return (gradient * derivative).sum(-3), None


def look_up(state: Tensor, table: Table) -> Tensor:
    """The table's functions [..., Q, N, M] at ``state`` [..., N, M]; beyond the table's ends by straight lines."""
    value: Tensor = _Lookup.apply(state, table)
    return value
