"""Crosstalk by minima: what each row's pulse is worth under its neighbours' pulses.

All pulses start together, so a set of rows is active together for the minimum of their durations. Summed over the
patterns c of active neighbours that a row goes through, ∫ g_c(t) dt = Σ_S t_S·min(own, durations in S) over the
subsets S of its four neighbours, with the coefficients t_S of :mod:`surrogate.fast.tables`: exact, without slots.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from surrogate.parameters import OFFSETS

REACH = max(OFFSETS)


def crosstalk_features(duration: Tensor, lost: float, kernel: Tensor) -> Tensor:
    """Features [..., Q, N]: the integral of the ``kernel`` [N, 16, Q] over the patterns that each row goes through
    in its pulse, of ``duration`` [..., N], less the time ``lost`` at its start, in the pattern of all pulses, and at
    its end, in its last pattern: a row ends with or before the neighbours that are no shorter, so that the time at its
    end only counts in minima that are its own. Pulses that differ by less than that time blur.

    Where pulses end together the gradient is that of one of them, the row's own first."""
    rows = duration.shape[-1]
    at_edge = lost * (duration > 0).to(duration)
    started = duration - at_edge
    around = pad(started, (REACH, REACH))
    minima = [started - at_edge]
    for offset in OFFSETS:
        other = around[..., REACH + offset : REACH + offset + rows]
        shorter = torch.where(other < started, other, torch.inf)
        minima += [torch.where(m <= shorter, m, shorter) for m in minima]
    return torch.einsum("...cn,ncq->...qn", torch.stack(minima, dim=-2), kernel)
