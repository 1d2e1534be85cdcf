"""Arrays of resistive cells at the price of some matrix products: the instantaneous drop in few bins and few terms.

While it is active, a cell carries the current c that its word line and its access device let it have, whatever the
other rows do; the bit line's drop y lowers it to c (1 − β y), β = 1 for linear cells. The kernel of a bit line,
r_s + r_b min(k, n), is smooth but for its diagonal: in Legendre polynomials P_p of the position up to degree d it is
Σ P_p(k) Λ_pq P_q(n), so that y = Σ_p P_p u_p, and with the moments m_k = Σ_n a_n P_k(n) c_n up to degree 2d

    u = Λ (m − β G u),   G_pq = Σ_k Γ_pqk m_k,   P_p P_q = Σ_k Γ_pqk P_k,   I = m_0 − β Σ_p u_p m_p

is the column's current, exact in the polynomials. Cells of idle rows that stay connected lose ρ c y where active ones
lose β c y: β m becomes β m + ρ (m of all rows − m). Moments are products of the pulses with weights c P_k. A row's
share of a bin of time is what it is active of it; a bin's mean current errs by the square of its length only.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.polynomial import legendre
from torch import Tensor

from surrogate.fast.pairs import PART, columns_apart, recomputed
from surrogate.fast.windows import Windows
from surrogate.switched.cell import Shared, idle_conductance, relative_current, row_currents

DEGREE = 2
BINS = 12
SOLVER_STEPS = 3
"""Fixed-point steps for u; each gains a factor of some 1 / drop, the drop in units of the read voltage."""


class SwitchedTiles:
    """Tiles of cells under ``shared`` parameters; see :class:`surrogate.engine.TileEngine`."""

    def __init__(self, shared: Shared, degree: int = DEGREE, bins: int = BINS) -> None:
        self.shared, self.degree, self.bins = shared, degree, bins
        self.whole_arrays = bool(shared.leak > 0)
        """rows without weights conduct, too, where they are clamped"""

    def tile_charges(self, duration: Tensor, state: Tensor) -> Tensor:
        """Charges [b, R, C, M] of ``duration`` [b, R, N] on tiles of ``state`` [R, C, N, M], differentiable in both."""
        charge = recomputed(self._charges, duration, self._weights(state))
        return charge.unflatten(-1, (state.shape[1], -1))

    def pair_sums(self, image: Tensor, windows: Windows, state: Tensor, pairs: int) -> Tensor:
        """See :class:`surrogate.engine.TileEngine`."""
        weights = self._weights(state)[..., : 2 * pairs]

        def of_part(part: Tensor, weights: Tensor) -> Tensor:
            return columns_apart(self._charges(windows.pulses(part), weights)).sum(1)

        each = max(1, PART // (windows.vmms(image[:1]) * windows.row_tiles * pairs * self.bins))
        return torch.cat([recomputed(of_part, part, weights) for part in image.split(each)])

    def _weights(self, state: Tensor) -> Tensor:
        """Weights [R, N, K, W] of the moments of all W = C·M columns of tiles ``state`` [R, C, N, M]."""
        current = row_currents(self.shared, state.double()).to(state.dtype).transpose(1, 2).flatten(2)
        powers = legendre.legvander(_place(state.shape[-2]), 2 * self.degree)
        return current[:, :, None] * torch.from_numpy(powers).to(state)[:, :, None]

    def _charges(self, duration: Tensor, weights: Tensor) -> Tensor:
        """Charges [b, R, W] of ``duration`` [b, R, n] of the first rows, the others idle; edges shorten pulses."""
        pulse = (duration - 2 * self.shared.edge_time.to(duration) * (duration > 0)).to(weights)
        begin = torch.arange(self.bins).to(pulse)[:, None]
        share = (pulse[:, :, None] * self.bins - begin).clamp(0, 1).transpose(0, 1).flatten(1, 2)
        moments = torch.bmm(share, weights[:, : duration.shape[-1]].flatten(2)).unflatten(-1, weights.shape[2:])
        idle = idle_conductance(self.shared).to(weights) * (weights.sum(1)[:, None] - moments)
        return self._currents(moments, idle, weights.shape[1]).unflatten(1, (-1, self.bins)).mean(2).transpose(0, 1)

    def _currents(self, moments: Tensor, idle: Tensor, rows: int) -> Tensor:
        """Column currents [..., W] of the moments [..., K, W] of arrays of ``rows``, and those of what cells of idle
        rows conduct per drop."""
        few, leaking = (m[..., : self.degree + 1, :] for m in (moments, idle))
        wire, gram = (torch.from_numpy(x).to(moments) for x in (self._wire(rows), _products(self.degree)))
        g, leak = ((gram @ m).unflatten(-2, (self.degree + 1, self.degree + 1)) for m in (moments, idle))
        alone = wire @ few
        strength = few[..., :1, :].clamp_min(torch.finfo(moments.dtype).tiny)
        gain, leak_gain = ((alone * m).sum(-2, keepdim=True) / strength for m in (few, leaking))
        response, u = torch.ones_like(gain), alone / (1 + gain + leak_gain)
        for _ in range(SOLVER_STEPS):
            if abs(float(self.shared.bend)) > LEAST_BEND:
                response = _response(self.shared.bend, (u * few).sum(-2, keepdim=True) / strength)
            lost = ((response[..., None, :, :] * g + leak) * u[..., None, :, :]).sum(-2)
            u = u + (wire @ (few - lost) - u) / (1 + response * gain + leak_gain)
        return moments[..., 0, :] - ((response * few + leaking) * u).sum(-2)

    def _wire(self, rows: int) -> np.ndarray:
        """Λ [d + 1, d + 1]: the kernel of a bit line of ``rows``, projected onto the polynomials."""
        place = np.arange(rows)
        kernel = float(self.shared.switch) + float(self.shared.bit_line) * np.minimum.outer(place, place)
        inverse = np.linalg.pinv(legendre.legvander(_place(rows), self.degree))
        return np.asarray(inverse @ kernel @ inverse.T)


def _place(rows: int) -> np.ndarray:
    """Positions of rows in [−1, 1]."""
    return (2 * np.arange(rows) + 1) / rows - 1


@lru_cache
def _products(degree: int) -> np.ndarray:
    """Γ [(d + 1)², 2d + 1]: the products of two polynomials as polynomials."""
    unit = np.eye(degree + 1)
    products = [legendre.legmul(p, q) for p in unit for q in unit]
    return np.array([np.pad(c, (0, 2 * degree + 1 - len(c))) for c in products])


def _response(bend: Tensor, drop: Tensor) -> Tensor:
    """β of cells at ``drop``: what they lose, relative to their current, per drop."""
    drop = drop.clamp_min(LEAST_DROP)
    return (1 - relative_current(bend.to(drop), 1 - drop)) / drop


LEAST_DROP = 1e-4
"""Smaller ones are lost in the rounding of single precision."""
LEAST_BEND = 1e-6
"""Cells of less bend respond as linear ones, but for a third of it."""
