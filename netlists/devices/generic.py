"""The built-in transistor: a short generic card of a 180-nm class process, thick (7 nm) oxide, BSIM3v3.

Cited facts: oxide capacitance 4.9 fF/µm² (tox 7 nm, ε₀·3.9/tox), overlap and junction capacitances of the class.
Everything not listed keeps BSIM3v3's own default. It is no foundry's model. Gate leakage does not exist in BSIM3.

Noise: NOIMOD=2, thermal noise from the channel's charge (NOIMOD=1 takes it from the transconductances: 8/3·qI and more
in weak inversion) and the unified 1/f model, its parameters at BSIM3v3's defaults (BSIM3v3.3 manual, appendix A).
"""

from __future__ import annotations

import math

from netlists.devices.device import Device, diffusions, drain_capacitance

MODEL_NAMES = {"n": "fgn", "p": "fgp"}

OVERLAP_F_PER_M = 3e-10
"""Gate-to-source and gate-to-drain overlap capacitance per width, 0.3 fF/µm."""

JUNCTION_F_PER_M2, JUNCTION_F_PER_M = 9e-4, 2e-10
"""Junction capacitance per area and per perimeter."""

_COMMON: dict[str, float | str] = {
    "level": 8, "version": "3.3.0", "tox": 7e-9, "xj": 1.5e-7, "capmod": 3,
    "cgso": OVERLAP_F_PER_M, "cgdo": OVERLAP_F_PER_M, "cgbo": 1e-12,
    "cj": JUNCTION_F_PER_M2, "mj": 0.36, "cjsw": JUNCTION_F_PER_M, "mjsw": 0.2, "js": 1e-8, "pb": 0.8,
    "noimod": 2, "ef": 1.0, "em": 4.1e7,
}  # fmt: skip

_KINDS = {"n": "nmos", "p": "pmos"}
_VTH0, _U0 = {"n": 0.65, "p": -0.70}, {"n": 420, "p": 120}
_OTHERS: dict[str, dict[str, float]] = {
    "n": {"nch": 2.3e17, "vsat": 9e4, "noia": 1e20, "noib": 5e4, "noic": -1.4e-12},
    "p": {"nch": 2.0e17, "vsat": 7e4, "noia": 9.9e18, "noib": 2.4e3, "noic": 1.4e-12},
}

SLOW_VOLTS, SLOW_MOBILITY = 0.04, 0.95
"""A slow corner's rise of the threshold's magnitude, V, and factor of the mobility; a fast one does the opposite.
Assumed, of the size of those of sky130's 5-V devices (20 and 40 mV, 3 and 7 %)."""


def generic_card(channel: str, corner: str) -> tuple[str, dict[str, float | str]]:
    """SPICE type and parameters of the card of ``channel`` n or p in ``corner`` tt, ff, ss, fs or sf (n first)."""
    letter = corner["np".index(channel)]
    slow = {"t": 0, "s": 1, "f": -1}[letter]
    vth0: float = _VTH0[channel]
    u0: float = _U0[channel]
    if slow:
        vth0, u0 = math.copysign(abs(vth0) + slow * SLOW_VOLTS, vth0), u0 * SLOW_MOBILITY**slow
    return _KINDS[channel], {**_COMMON, "vth0": vth0, "u0": u0, **_OTHERS[channel]}


def generic_device(channel: str, width: float, length: float, corner: str) -> Device:
    """The built-in transistor of ``width`` and ``length`` m."""
    return Device(
        kind="M",
        model=MODEL_NAMES[channel],
        geometry={"w": width, "l": length, **diffusions(width)},
        drain_farads=drain_capacitance(width, JUNCTION_F_PER_M2, JUNCTION_F_PER_M, OVERLAP_F_PER_M),
        overlap_farads=OVERLAP_F_PER_M * width,
        card=generic_card(channel, corner),
    )
