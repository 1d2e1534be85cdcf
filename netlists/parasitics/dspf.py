"""DSPF and SPICE subcircuits of resistors and capacitors: the first is the second with comments that say the nets.

DSPF has no public standard; what is read here is what StarRC, Calibre, Quantus and open extractors write: ``*|NET``,
``*|P``, ``*|I`` and ``*|S`` comments beside R and C elements in one ``.subckt``. Devices are left out: a design brings
its own cells. Names do not depend on case, as in SPICE. Nothing in a file is executed, and no other file is opened.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from netlists.parasitics.content import GROUND_NET, MAX_NAMES, Builder, Content, shown
from netlists.parasitics.groups import Groups
from netlists.parasitics.textfile import numbered_lines
from netlists.spice_number import spice_number

MAX_JOINED = 1_000_000
"""Longest line in characters with all its continuations."""
DEVICES = "MXDQJ"
"""First letters of elements that are left out."""
HARMLESS = {"tc", "tc1", "tc2", "l", "w", "layer", "lvl", "x", "y", "x2", "y2"}
"""Parameters of elements that do not change their value at nominal temperature."""


def read_dspf(path: Path) -> Content:
    """The content of a DSPF file or of a SPICE subcircuit. Raises :class:`~netlists.errors.InputError`."""
    return _Reader(Builder(str(path))).run(_joined(path))


def _joined(path: Path) -> Iterator[tuple[int, str]]:
    """Lines with their continuations, without comments."""
    start, held = 0, ""
    for number, line in numbered_lines(path):
        text = line.strip()
        if not text or (text.startswith("*") and not text.startswith("*|")):
            continue
        if text.startswith("+"):
            held += " " + text[1:].strip()
            if len(held) > MAX_JOINED:
                raise Builder(str(path), number).error(f"continues a line beyond {MAX_JOINED} characters: split it")
            continue
        if held:
            yield start, held
        start, held = number, text
    if held:
        yield start, held


class _Reader:
    def __init__(self, builder: Builder) -> None:
        self.to = builder
        self.delimiter = ":"
        self.section: str | None = None
        self.subckt: list[str] | None = None
        self.closed = False
        self.devices = 0
        self.coefficients = 0
        self.spelling: dict[str, str] = {}

    def run(self, lines: Iterable[tuple[int, str]]) -> Content:
        for number, text in lines:
            self.to.line = number
            if text.startswith("*|"):
                self._comment(text)
            elif text.startswith("."):
                self._directive(text.split())
            else:
                self._element(_without_comment(text).split())
        if self.subckt is None:
            raise self.to.error("holds no .subckt: no DSPF file or SPICE subcircuit, or its beginning is lost")
        if not self.closed:
            raise self.to.error("ends before .ends: the file is cut short, extract or copy it again")
        return self._finish()

    def _finish(self) -> Content:
        to = self.to
        if self.devices:
            to.notes.append(f"{self.devices} devices of the file are left out: the design's cells take their place")
        if self.coefficients:
            to.notes.append(f"{self.coefficients} elements have temperature coefficients, which are left out")
        if not to.nets:
            self._nets_by_resistors()
        declared, pins = set(to.ports), {node for node, *_ in to.pins}
        for port in self.subckt or ():
            known = port in to.declared or port in to.hinted
            net = port if port in to.nets and known else to.declared.get(port)
            if net and net not in declared and port not in pins:
                to.port(port, net)
        return to.content(self.delimiter)

    def _nets_by_resistors(self) -> None:
        """A plain subcircuit says no nets: nodes that resistors join are one, called like a port or simple name."""
        to, groups = self.to, Groups()
        for branch in to.resistors:
            if GROUND_NET not in (branch.a, branch.b):
                groups.join(branch.a, branch.b)
        ports = {port: k for k, port in enumerate(self.subckt or ())}
        for nodes in groups.sets(list(to.hinted)):
            simple = [node for node in nodes if self.delimiter not in node]
            if simple:
                net = to.net(min(simple, key=lambda node: ports.get(node, len(ports))))
                for node in nodes:
                    to.hinted.pop(node, None)
                    to.node(node, net)

    def _name(self, text: str) -> str:
        """``text`` in the spelling in which it came first; names do not depend on case."""
        lower = text.lower()
        if lower in ("0", "gnd"):
            return GROUND_NET
        name = self.spelling.setdefault(lower, text)
        if len(self.spelling) > 2 * MAX_NAMES:
            raise self.to.error(f"more than {2 * MAX_NAMES} names: extract the array alone")
        return name

    def _comment(self, text: str) -> None:
        words = text.replace("(", " ").replace(")", " ").split()
        words = [word for word in words if not word.startswith("$")]
        key, values = words[0][2:].upper(), words[1:]
        if key == "DELIMITER":
            self.delimiter = self._one(values, "a delimiter").strip('"')
            if len(self.delimiter) != 1:
                raise self.to.error(f"delimiter {shown(self.delimiter)} is not one character: correct it")
        elif key == "GROUND_NET":
            self.to.grounds.add(self._name(self._one(values, "a net")))
        elif key == "NET":
            self.section = self.to.net(self._name(self._one(values, "a net")))
            total = spice_number(values[1]) if len(values) > 1 else 0.0
            if total is None:
                raise self.to.error(f"the net's capacitance {shown(values[1])} is no number: correct it")
            self.to.total(self.section, total)
        elif key in ("P", "I", "S"):
            self._node(key, values)

    def _node(self, key: str, values: list[str]) -> None:
        if self.section is None:
            raise self.to.error(f"*|{key} before any *|NET: put it into the section of its net")
        node = self._name(self._one(values, "a node"))
        if key == "I":
            if len(values) < 3:
                raise self.to.error("*|I needs node, instance and pin: complete it")
            self.to.pin(node, self._name(values[1]), values[2], self.section)
        elif key == "P":
            self.to.port(node, self.section)
        else:
            self.to.node(node, self.section)

    def _one(self, values: list[str], what: str) -> str:
        if not values:
            raise self.to.error(f"lacks {what}: complete the line")
        return values[0]

    def _directive(self, words: list[str]) -> None:
        key = words[0].lower()
        if key == ".subckt" and self.subckt is None:
            ports = [word for word in words[2:] if "=" not in word and word.lower() != "params:"]
            self.subckt = [self._name(word) for word in ports]
        elif key == ".subckt":
            raise self.to.error("a second or nested .subckt: extract the array flat, as one subcircuit")
        elif key == ".ends" and self.subckt is not None and not self.closed:
            self.closed = True
        elif key != ".end":
            raise self.to.error(f"{shown(words[0])} has no place among parasitics, nothing is executed: remove it")

    def _element(self, words: list[str]) -> None:
        if not words:
            return
        kind = words[0][0].upper()
        if self.subckt is None or self.closed:
            raise self.to.error(f"{shown(words[0])} stands outside of .subckt and .ends: move or remove it")
        if kind in DEVICES:
            self.devices += 1
        elif kind not in "RC":
            raise self.to.error(f"{shown(words[0])} is no resistor, capacitor or transistor: remove it")
        elif len(words) < 4:
            raise self.to.error(f"{shown(words[0])} needs two nodes and a value: complete the line")
        else:
            a, b = self._name(words[1]), self._name(words[2])
            # what couples two nets tells the net of neither
            section = self.section if kind == "R" or GROUND_NET in (a, b) else None
            value, what = self._value(kind.lower(), words[3:]), "resistance" if kind == "R" else "capacitance"
            branch = self.to.branch(self.to.seen(a, section), self.to.seen(b, section), value, what)
            (self.to.resistors if kind == "R" else self.to.capacitors).append(branch)

    def _value(self, key: str, words: list[str]) -> float:
        first = words[0].lower().removeprefix(f"{key}=")
        value = spice_number(first)
        if value is None:
            raise self.to.error(f"value {shown(words[0])} is no number: write it out")
        for word in words[1:]:
            name, equals, held = word.lower().partition("=")
            if not equals or (name not in HARMLESS and (name, held) != ("m", "1")):
                raise self.to.error(f"{shown(word)} after the value is not understood: remove it")
            self.coefficients += name.startswith("tc")
        return value


def _without_comment(text: str) -> str:
    """An element's line up to its comment, which ``$``, ``;`` or ``//`` at the start of a word begins."""
    match = re.search(r"(?:^|\s)(?:\$|//)|;", text)
    return text if match is None else text[: match.start()]
