"""Numbers as SPICE writes them."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,4})?)([a-z]*)", re.IGNORECASE | re.ASCII)
_SCALE = {"t": 12, "g": 9, "k": 3, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15, "a": -18}


def spice_number(text: str) -> float | None:
    """``text`` as SPICE reads a number: ``12.3FF`` is 12.3e-15, ``1MEG`` a million; None where it is none."""
    match = _NUMBER.fullmatch(text) if len(text) <= 64 else None
    if match is None:
        return None
    number, suffix = match.group(1), match.group(2).lower()
    if suffix.startswith("mil"):
        return float(number) * 25.4e-6
    mantissa, _, exponent = number.lower().partition("e")
    scale = 6 if suffix.startswith("meg") else _SCALE.get(suffix[:1], 0)
    return float(f"{mantissa}e{int(exponent or 0) + scale}")
