"""The built-in transistor: a short generic card of a 180-nm class process, thick (7 nm) oxide, BSIM3v3.

Cited facts: oxide capacitance 4.9 fF/µm² (tox 7 nm, ε₀·3.9/tox), overlap and junction capacitances of the class.
Everything not listed keeps BSIM3v3's own default. It is no foundry's model. Gate leakage does not exist in BSIM3.
"""

from __future__ import annotations

MODEL_NAMES = {"n": "fgn", "p": "fgp"}

OVERLAP_F_PER_M = 3e-10
"""Gate-to-source and gate-to-drain overlap capacitance per width, 0.3 fF/µm."""

DIFFUSION_LENGTH_M = 0.5e-6
"""Length of source and drain diffusions, for junction areas and perimeters."""

JUNCTION_F_PER_M2, JUNCTION_F_PER_M = 9e-4, 2e-10
"""Junction capacitance per area and per perimeter."""

_COMMON: dict[str, float | str] = {
    "level": 8, "version": "3.3.0", "tox": 7e-9, "xj": 1.5e-7, "capmod": 3,
    "cgso": OVERLAP_F_PER_M, "cgdo": OVERLAP_F_PER_M, "cgbo": 1e-12,
    "cj": JUNCTION_F_PER_M2, "mj": 0.36, "cjsw": JUNCTION_F_PER_M, "mjsw": 0.2, "js": 1e-8, "pb": 0.8,
}  # fmt: skip

MODEL_CARDS: dict[str, tuple[str, dict[str, float | str]]] = {
    "n": ("nmos", {**_COMMON, "vth0": 0.65, "u0": 420, "nch": 2.3e17, "vsat": 9e4}),
    "p": ("pmos", {**_COMMON, "vth0": -0.70, "u0": 120, "nch": 2.0e17, "vsat": 7e4}),
}
"""SPICE type and parameters of the n- and p-channel card."""


def drain_capacitance(width_m: float) -> float:
    """Capacitance of a transistor's drain, F: junction area, its perimeter and the gate's overlap, at zero bias."""
    area, perimeter = width_m * DIFFUSION_LENGTH_M, 2 * (width_m + DIFFUSION_LENGTH_M)
    return JUNCTION_F_PER_M2 * area + JUNCTION_F_PER_M * perimeter + OVERLAP_F_PER_M * width_m
