"""The ``parasitics`` section of a design: which file holds the array's wires and what its nets are called."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from netlists.section import Section

Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[!-~]+$")]
"""A name or pattern: printable ASCII without blanks."""

GROUND_NAMES = ("0", "gnd*", "vss*", "vdd*", "vcc*", "sub*", "shield*", "dwl_*", "dbl_*", "dfg_*")
"""Nets that are constant in time unless the design says otherwise: supplies, shields and dummy lines."""

Kind = Literal["wl", "bl", "fg", "cell", "wl_driver", "bl_switch"]
PLACES: dict[Kind, str] = {"wl": "i", "bl": "j", "fg": "ij", "cell": "ij", "wl_driver": "i", "bl_switch": "j"}
"""Which of row i and column j every pattern holds."""


class Parasitics(Section):
    """Which extracted file holds the array's wires and capacitances, and what it calls them.

    ``{i}`` and ``{j}`` in a pattern stand for the number of a row and a column, counted from ``first``; case does not
    matter. ``wl``, ``bl`` and ``fg`` are names of nets, ``cell`` of the transistors' instances, whose pins are
    ``wl_pin``, ``bl_pin`` and ``fg_pin``. Drivers and switches sit at the only port of a line, unless ``wl_driver`` and
    ``bl_switch`` name the instances that they are. ``ground``: other nets that may be there (``*`` stands for any
    characters); what couples to them counts as coupled to ground. ``loops``: whether resistors of a net may form rings.
    ``negligible``: elements may be dropped as long as no charge changes by more than this fraction.
    ``sha256`` of the file, filled in where a design is loaded.
    """

    file: Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[^\x00-\x1f\x7f]+$")]
    format: Literal["auto", "spef", "dspf", "spice"] = "auto"
    wl: Text = "WL_{i}"
    bl: Text = "BL_{j}"
    fg: Text = "FG_{i}_{j}"
    cell: Text = "M_{i}_{j}"
    wl_pin: Text = "S"
    bl_pin: Text = "D"
    fg_pin: Text = "G"
    wl_driver: Text | None = None
    bl_switch: Text | None = None
    first: Annotated[int, Field(ge=0, le=1, strict=True)] = 0
    ground: Annotated[tuple[Text, ...], Field(max_length=100)] = GROUND_NAMES
    loops: Literal["refuse", "allow"] = "refuse"
    negligible: Annotated[float, Field(ge=0, le=0.1, strict=True)] = 0.0
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None

    @model_validator(mode="after")
    def _patterns_count(self) -> Self:
        for name, wanted in PLACES.items():
            pattern = getattr(self, name)
            if pattern is None:
                continue
            held = re.findall(r"\{(.*?)\}", pattern)
            if sorted(held) != list(wanted):
                places = " and ".join(f"{{{k}}} once" for k in wanted)
                raise ValueError(f"{name}: {pattern!r} must hold {places}: correct the pattern")
            if "}{" in pattern:
                raise ValueError(f"{name}: {pattern!r} has nothing between two numbers: put a separator there")
        if len({self.wl_pin.lower(), self.bl_pin.lower(), self.fg_pin.lower()}) < 3:
            raise ValueError("wl_pin, bl_pin and fg_pin must differ: correct them")
        return self

    def index(self, kind: Kind, name: str) -> tuple[int, ...] | None:
        """Row, column or both, from 0 (or below where ``first`` is 1), that ``name`` stands for; None where the
        pattern of ``kind`` does not match."""
        pattern = getattr(self, kind)
        match = None if pattern is None else _compiled(pattern).fullmatch(name)
        return None if match is None else tuple(int(match[k]) - self.first for k in "ij" if k in match.groupdict())

    def name(self, kind: Kind, *place: int) -> str:
        """The name of row, column or cell ``place``, counted from 0; for messages and for writing."""
        text: str = getattr(self, kind)
        for key, number in zip(PLACES[kind], place, strict=True):
            text = text.replace(f"{{{key}}}", str(number + self.first))
        return text

    def is_ground(self, net: str) -> bool:
        """Whether ``net`` is one of ``ground``."""
        return any(_compiled(pattern).fullmatch(net) for pattern in self.ground)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    """``pattern`` as a regular expression in which nothing but places and ``*`` is special."""
    parts = re.split(r"(\{[ij]\}|\*+)", pattern)
    special = {"{i}": r"(?P<i>\d{1,6})", "{j}": r"(?P<j>\d{1,6})"}
    text = "".join(special.get(part) or (".*" if part.startswith("*") else re.escape(part)) for part in parts)
    return re.compile(text, re.IGNORECASE | re.ASCII)
