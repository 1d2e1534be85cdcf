"""White noise of the channel: one cause, thermal motion in the channel, counted once.

In weak inversion it has the density 2qI, like shot noise, which it is then often called; in strong inversion
4kTγ·g_ms with γ near 2/3. They are two limits of one formula, not two sources that add.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from surrogate.errors import InputError
from surrogate.noise.inversion import inversion_charge

ELEMENTARY_CHARGE = 1.602176634e-19
"""C"""
LONG_CHANNEL = 2 / 3
"""γ of a long channel in saturation."""


@dataclass(frozen=True)
class ChannelNoise:
    """Thermal noise of a saturated transistor's channel.

    S(I) = 4kT·Γ·g_ms with Γ = (γq + 1/2)/(q + 1) and g_ms = I/(U_T(1 + q)), that is S = 2qₑI·(1 + 2γq)/(1 + q)², q the
    normalised inversion charge at the source (Enz, Vittoz 2006, section 6.2): 2qₑI in weak inversion, 4kTγ·g_ms in
    strong. For γ = 2/3 and in terms of g_m/I over its weak-inversion value, η, this is 2qₑI·η(4 − η)/3.
    Raises :class:`InputError` for parameters that are not positive.
    """

    specific_current: float
    """Current at which weak becomes strong inversion, A"""
    gamma: float = LONG_CHANNEL
    """γ in strong inversion; short channels have more than 2/3"""

    def __post_init__(self) -> None:
        for name in ("specific_current", "gamma"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"noise.channel.{name} {value!r}: give a positive number")

    def density(self, current: Tensor) -> Tensor:
        """Density of the noise of ``current`` A (any shape), A²/Hz."""
        q = inversion_charge(current, self.specific_current)
        return 2 * ELEMENTARY_CHARGE * current * (1 + 2 * self.gamma * q) / (1 + q).square()

    def charge_variance(self, current: Tensor, width: Tensor) -> Tensor:
        """Variance of the charge of a pulse of ``width`` s, C²: S·T/2, the integral of S·T²·sinc²(πfT) over all f ≥ 0.

        Charges of different pulses, cells and phases are independent.
        """
        return self.density(current) * width / 2
