"""The designer's own transistor model: a model or subcircuit in a file that the deck includes where it lies."""

from __future__ import annotations

from pathlib import Path

from netlists.devices.device import Device, diffusions
from netlists.devices.expressions import assignments
from netlists.devices.generic import JUNCTION_F_PER_M, JUNCTION_F_PER_M2, OVERLAP_F_PER_M
from netlists.devices.modelfile import Library, Statement, read_library
from netlists.devices.section import ModelChoice
from netlists.devices.structure import model, models, subcircuit, transistors
from netlists.errors import InputError
from netlists.spice_number import spice_number

NO_SUBTHRESHOLD = (1, 6)
"""Levels of models that carry no current below threshold."""
WITH_SHIFT = (8, 49, 14, 54)
"""Levels of BSIM3 and BSIM4, whose instances take ``delvto`` and ``mulu0``."""
_TYPES = {"n": "nmos", "p": "pmos"}

LARGER = 2.0
"""Capacitances of an unknown model's drain and gate overlap over those of the built-in one. Only how long a line is
given to settle depends on it, so it may be too large."""


def foundry_device(choice: ModelChoice, channel: str, width: float, length: float) -> Device:
    """The transistor of ``width`` and ``length`` m that ``choice`` names.

    Raises :class:`InputError` where the file is not the one whose content the design was made with, is refused, or
    its model cannot hold a charge: too simple (level 1, 6), or with leakage of the gate.
    """
    library = checked_library(choice)
    per = {"m": 1.0, "um": 1e6}[choice.units]
    if choice.name is not None:
        cards = model(library, choice.name)
        takes_shift = _check_cards(cards, channel) in WITH_SHIFT
        size = {k: v * (per**2 if k in ("ad", "as") else per) for k, v in diffusions(width).items()}
        kind, inner, name = "M", "", choice.name
    else:
        inner, takes_shift, size = _inside(library, str(choice.subckt), channel), False, {}
        kind, name = "X", str(choice.subckt)
    size = {"w": width * per, "l": length * per, **size}
    overlap = LARGER * OVERLAP_F_PER_M * width
    junction = diffusions(width)
    return Device(
        kind="M" if kind == "M" else "X",
        model=name,
        geometry={key: float(f"{value:.12g}") for key, value in size.items()},
        drain_farads=overlap + LARGER * (JUNCTION_F_PER_M2 * junction["ad"] + JUNCTION_F_PER_M * junction["pd"]),
        overlap_farads=overlap,
        file=Path(choice.file),
        section=choice.section,
        inner=inner,
        takes_shift=takes_shift,
    )


def checked_library(choice: ModelChoice) -> Library:
    """The content of the file of ``choice``. Raises :class:`InputError` where it is not the design's."""
    library = read_library(Path(choice.file), choice.section)
    if library.sha256 != choice.sha256:
        raise InputError(
            f"{choice.file}: its content is not that of cell.model.sha256 {str(choice.sha256)[:12]}: restore the file, "
            "or remove the key sha256 to use the changed model as a new design"
        )
    return library


def _inside(library: Library, name: str, channel: str) -> str:
    """Path of the one transistor in subcircuit ``name``, checked."""
    top = subcircuit(library, name)
    if len(top.ports) != 4:
        raise top.header.refusal(f"{len(top.ports)} nodes: a cell needs four: drain, gate, source, bulk")
    found = {path: (card, within) for path, card, within in transistors(library, top)}
    if len(found) != 1:
        raise top.header.refusal(f"{len(found)} transistors inside: a cell needs one: name a subcircuit of one")
    ((path, (card, within)),) = found.items()
    words = card.text.lower().partition("=")[0].split()
    wanted = words[-2] if "=" in card.text else words[-1]
    cards = models(within.body, wanted) or model(library, wanted)
    _check_cards(cards, channel)
    return path


def _check_cards(cards: list[Statement], channel: str) -> int:
    """Level of the model of ``cards``. Raises :class:`InputError` where it cannot be a cell's."""
    level = 1
    for card in cards:
        values = assignments(card.text)
        level = int(spice_number(values.get("level", "1")) or 0)
        kind = card.words[2].partition("(")[0]
        if kind != _TYPES[channel]:
            raise card.refusal(f"{card.words[1]} is {kind}, cell.channel {channel}: change the channel or the model")
        if level in NO_SUBTHRESHOLD:
            raise card.refusal(f"{card.words[1]} is level {level}, without subthreshold current: use BSIM3 or BSIM4")
        for leak in ("igcmod", "igbmod"):
            if spice_number(values.get(leak, "0")) != 0 and spice_number(values.get(leak, "0")) is not None:
                raise card.refusal(
                    f"{card.words[1]} has {leak}={values[leak]}: its floating gate would discharge through the oxide: "
                    f"use a copy of the model with {leak}=0 (retention is not simulated)"
                )
    return level
