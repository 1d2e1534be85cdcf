"""Subcircuits and models in a library's statements, found by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from netlists.devices.modelfile import Library, Statement
from netlists.errors import InputError

MAX_NESTING = 16
"""Subcircuits inside subcircuits."""


@dataclass(frozen=True)
class Subcircuit:
    """A subcircuit's header and the statements of its body."""

    header: Statement
    body: tuple[Statement, ...]

    @property
    def ports(self) -> list[str]:
        """Names of its nodes."""
        words = self.header.text.lower().replace("=", " = ").split()[2:]
        ends = (k for k, word in enumerate(words) if word == "params:" or words[k + 1 : k + 2] == ["="])
        return words[: next(ends, len(words))]


def subcircuit(library: Library, name: str) -> Subcircuit:
    """The subcircuit ``name``. Raises :class:`InputError` where there is none."""
    lines = library.statements
    starts = [k for k, s in enumerate(lines) if s.words[0] == ".subckt" and s.words[1:2] == [name.lower()]]
    if not starts:
        raise _unknown(library, "subcircuit", name, _names(library, ".subckt"))
    begin, depth = starts[-1], 0
    for k in range(begin, len(lines)):
        depth += {".subckt": 1, ".ends": -1, ".eom": -1}.get(lines[k].words[0], 0)
        if depth == 0:
            return Subcircuit(lines[begin], tuple(lines[begin + 1 : k]))
    raise lines[begin].refusal("subcircuit without .ends: complete it")


def outside_subcircuits(library: Library) -> Iterator[Statement]:
    """Statements that stand in no subcircuit."""
    depth = 0
    for statement in library.statements:
        step = {".subckt": 1, ".ends": -1, ".eom": -1}.get(statement.words[0], 0)
        if depth == 0 and step == 0:
            yield statement
        depth += step


def models(statements: Sequence[Statement], name: str) -> list[Statement]:
    """The ``.model`` cards ``name``, or its bins ``name.1``, ``name.2`` …"""
    found = []
    for statement in statements:
        words = statement.words
        if words[0] == ".model" and len(words) > 2:
            stem, _, bin_number = words[1].partition(".")
            if words[1] == name.lower() or (stem == name.lower() and bin_number.isdigit()):
                found.append(statement)
    return found


def model(library: Library, name: str) -> list[Statement]:
    """The cards of model ``name`` outside subcircuits. Raises :class:`InputError` where there is none."""
    outside = list(outside_subcircuits(library))
    found = models(outside, name)
    if not found:
        names = [s.words[1] for s in outside if s.words[0] == ".model" and len(s.words) > 1]
        raise _unknown(library, "model", name, names)
    return found


def transistors(library: Library, top: Subcircuit) -> list[tuple[str, Statement, Subcircuit]]:
    """Every MOS transistor inside ``top``: its path as ngspice names it, its card, and the subcircuit it stands in."""
    return list(_transistors(library, top, "", 0))


def _transistors(
    library: Library, within: Subcircuit, path: str, nesting: int
) -> Iterator[tuple[str, Statement, Subcircuit]]:
    if nesting > MAX_NESTING:
        raise within.header.refusal(f"subcircuits deeper than {MAX_NESTING} levels: flatten them")
    depth = 0
    for statement in within.body:
        words = statement.words
        depth += {".subckt": 1, ".ends": -1, ".eom": -1}.get(words[0], 0)
        if depth == 0 and words[0][0] == "m":
            yield path + words[0], statement, within
        elif depth == 0 and words[0][0] == "x":
            plain = [w for w in statement.text.lower().partition("=")[0].split() if w != "params:"]
            name = plain[-2] if "=" in statement.text else plain[-1]
            yield from _transistors(library, subcircuit(library, name), f"{path}{words[0]}.", nesting + 1)


def _names(library: Library, card: str) -> list[str]:
    return [s.words[1] for s in library.statements if s.words[0] == card and len(s.words) > 1]


def _unknown(library: Library, what: str, name: str, names: list[str]) -> InputError:
    near = difflib.get_close_matches(name.lower(), names, 3, 0.4) or names[:3]
    there = f"there is {', '.join(near)}" if near else "there is none"
    where = f"{library.file}" + (f", section {library.section}" if library.section else "")
    return InputError(f"{where}: no {what} '{name}': {there}: correct cell.model")
