"""How far a transistor in saturation is inverted, from its current."""

from __future__ import annotations

import torch
from torch import Tensor


def inversion_charge(current: Tensor, specific: float) -> Tensor:
    """Normalised inversion charge q at the source of a saturated transistor: q² + q = ``current`` / ``specific``.

    Small in weak inversion, the square root of the ratio in strong; (g_m/I) / (g_m/I)_weak = 1/(1 + q) (Enz, Vittoz:
    Charge-Based MOS Transistor Modeling, 2006, chapter 4).
    """
    ratio = current / specific
    return 2 * ratio / (1 + torch.sqrt(1 + 4 * ratio))
