"""SPEF (IEEE 1481): distributed nets with their capacitors and resistors.

Coupling capacitors that stand in the sections of both nets count once. Of a triplet ``best:typical:worst`` the middle
counts. Names are mapped, escapes resolved. Reduced nets (``*R_NET``), hierarchy (``*DEFINE``) and inductors are
refused: a simulation needs every node.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from netlists.parasitics.content import GROUND_NET, MAX_NAMES, Branch, Builder, Content, shown
from netlists.parasitics.textfile import numbered_lines

SAME = 0.01
"""Largest relative difference between the two entries of one coupling capacitor."""
HEADER = {"*SPEF", "*DESIGN", "*DATE", "*VENDOR", "*PROGRAM", "*VERSION", "*DESIGN_FLOW", "*BUS_DELIMITER"}
UNITS = {
    "*C_UNIT": {"F": 0, "UF": -6, "NF": -9, "PF": -12, "FF": -15, "AF": -18},
    "*R_UNIT": {"OHM": 0, "KOHM": 3},
    "*T_UNIT": {"S": 0, "MS": -3, "US": -6, "NS": -9, "PS": -12, "FS": -15},
    "*L_UNIT": {"HENRY": 0, "MH": -3, "UH": -6, "NH": -9, "PH": -12},
}
"""Powers of ten of the units of each kind."""
LISTS = {"*NAME_MAP", "*PORTS", "*PHYSICAL_PORTS", "*POWER_NETS", "*GROUND_NETS"}
PARTS = {"*CONN", "*CAP", "*RES", "*INDUC"}
REFUSED = {
    "*R_NET": "a reduced net has lost its nodes: extract distributed nets (*D_NET)",
    "*R_PNET": "a reduced net has lost its nodes: extract distributed nets (*D_NET)",
    "*D_PNET": "physical nets are not read: extract with logical names (*D_NET)",
    "*DEFINE": "hierarchical files are not read: extract the array flat",
    "*PDEFINE": "hierarchical files are not read: extract the array flat",
}
MAX_COMMENTS = 100_000
"""Most ``/* */`` comments of one file."""
MAX_WORDS = 1000
"""Most words of one entry."""

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)
_INDEX = re.compile(r"\*(\d{1,12})(.*)", re.ASCII)
_COMMENT = re.compile(r"""("[^"]*")|(?:(?<=\s)|(?<=\*/)|^)(//.*|/\*)""")
_ATTRIBUTES = {"*C", "*L", "*D", "*S", "*T", "*V", "*LL", "*UR", "*SC"}
"""Keys of what may follow a connection or an element."""
_KEYWORDS = PARTS | {"*END", "*D_NET", *REFUSED}


def spef_number(text: str) -> float | None:
    """``text`` as a number, of a triplet its middle; None where it is none."""
    if len(text) <= 64 and _NUMBER.fullmatch(text):
        return float(text)
    parts = text.split(":") if len(text) <= 200 else []
    return float(parts[1]) if len(parts) == 3 and all(map(_NUMBER.fullmatch, parts)) else None


def read_spef(path: Path) -> Content:
    """The content of a SPEF file. Raises :class:`~netlists.errors.InputError`."""
    reader = _Reader(Builder(str(path)))
    for number, words in _entries(path):
        reader.take(number, words)
    return reader.finish()


def _entries(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Words of every line that is not empty, without comments."""
    inside = comments = 0
    for number, line in numbered_lines(path):
        words = line.split()
        if inside or "/" in line:
            kept, at = [], 0
            while at < len(line):
                if inside:
                    end = line.find("*/", at)
                    at, inside = (len(line), inside) if end < 0 else (end + 2, 0)
                    continue
                match = next((m for m in _COMMENT.finditer(line, at) if m.group(2)), None)
                kept.append(line[at : match.start() if match else len(line)])
                inside = number if match and match.group(2) == "/*" else 0
                comments += inside > 0
                if comments > MAX_COMMENTS:
                    raise Builder(str(path), number).error(f"more than {MAX_COMMENTS} comments: remove them")
                at = match.end() if match else len(line)
            words = " ".join(kept).split()
        if words:
            yield number, words
    if inside:
        raise Builder(str(path), inside).error("a comment that never ends: close it or extract again")


class _Reader:
    def __init__(self, builder: Builder) -> None:
        self.to = builder
        self.names: dict[int, str] = {}
        self.known: dict[str, str] = {}
        """Names by the words that stood for them, as far as the map is complete"""
        self.units: dict[str, float] = {}
        self.delimiter = ":"
        self.begun = False
        self.list = ""
        """The list of names that is being read."""
        self.net: str | None = None
        self.part = ""
        self.open: list[str] = []
        """Words of an entry that may go on in the next line."""
        self.open_line = 0
        self.coupling: list[tuple[str, Branch]] = []
        """Capacitors between two nodes, with the net in whose section they stand."""
        self.port_names: list[str] = []

    def take(self, number: int, words: list[str]) -> None:
        """One line's words: a new entry, or more of the one before."""
        if not self._goes_on(words[0]):
            self._flush()
            self.open_line = number
        self.open += words
        if len(self.open) > MAX_WORDS:
            self.to.line = number
            raise self.to.error(f"an entry of more than {MAX_WORDS} words: not a SPEF file")

    def _goes_on(self, key: str) -> bool:
        """Whether a line that begins with ``key`` continues the open entry."""
        if not self.open or key in _ATTRIBUTES:
            return bool(self.open)
        if self.part not in ("*CAP", "*RES") or self.open[-1][0] in "+-.0123456789":
            return False
        return self.open[0].upper() not in PARTS and key.upper() not in _KEYWORDS and _ATTRIBUTES.isdisjoint(self.open)

    def finish(self) -> Content:
        """The whole content."""
        self._flush()
        to = self.to
        if not self.begun:
            raise to.error("does not begin with *SPEF: no SPEF file, or its beginning is lost")
        if self.net is not None:
            raise to.error(f"ends inside net {shown(self.net)}, before *END: the file is cut short, extract it again")
        if not to.nets:
            raise to.error("holds no *D_NET: the file is cut short or of an empty design, extract it again")
        for name in self.port_names:
            if name in to.nets and name not in to.ports:
                to.port(name, name)
        to.capacitors += self._counted_once()
        return to.content(self.delimiter)

    def _counted_once(self) -> list[Branch]:
        """The coupling capacitors: where the sections of both nets list those between two nodes, one net's."""
        pairs: dict[tuple[str, str], dict[str, list[Branch]]] = {}
        for net, branch in self.coupling:
            ends = (min(branch.a, branch.b), max(branch.a, branch.b))
            pairs.setdefault(ends, {}).setdefault(net, []).append(branch)
        kept: list[Branch] = []
        for sections in pairs.values():
            first, *others = sections.values()
            for other in others:
                here, there = sum(b.value for b in other), sum(b.value for b in first)
                if len(others) > 1 or abs(here - there) > SAME * max(here, there):
                    worst = other[0]
                    raise self.to.error(
                        f"coupling of nodes {shown(worst.a)} and {shown(worst.b)} is {here:g} F here and {there:g} F "
                        f"at line {first[0].line}: correct one", worst.line,
                    )  # fmt: skip
            kept += first
        return kept

    def _flush(self) -> None:
        words, self.open = self.open, []
        if not words:
            return
        self.to.line = self.open_line
        key = words[0].upper()
        if not self.begun:
            if key != "*SPEF":
                raise self.to.error("does not begin with *SPEF: no SPEF file, or its beginning is lost")
            self.begun = True
        elif key in REFUSED:
            raise self.to.error(f"{key}: {REFUSED[key]}")
        elif self.net is not None:
            self._in_net(key, words)
        elif key == "*D_NET":
            self._begin_net(words)
        elif key in LISTS:
            self.list = key
            if len(words) > 1:
                self._list_entry(words[1:])
        elif self.list and (_INDEX.fullmatch(key) or not key.startswith("*")):
            self._list_entry(words)
        else:
            self._header(key, words)

    def _header(self, key: str, words: list[str]) -> None:
        self.list = ""
        if key in UNITS:
            self._unit(key, words)
        elif key in ("*DIVIDER", "*DELIMITER"):
            if len(words) != 2 or len(words[1]) != 1:
                raise self.to.error(f"{key} needs one character: correct it")
            if key == "*DELIMITER":
                self.delimiter = words[1]
        elif key not in HEADER and not key.startswith('"'):
            raise self.to.error(f"{shown(words[0])} is not known in this place: remove it or extract again")

    def _unit(self, key: str, words: list[str]) -> None:
        scale = spef_number(words[1]) if len(words) == 3 else None
        power = UNITS[key].get(words[2].upper()) if len(words) == 3 else None
        if scale is None or power is None or not 1e-6 <= scale <= 1e6:
            raise self.to.error(f"{key} needs a number and one of {', '.join(UNITS[key])}: correct it")
        value = float(f"{words[1]}e{power}") if _NUMBER.fullmatch(words[1]) and "e" not in words[1].lower() else 0.0
        value = value or scale * 10.0**power
        if self.units.setdefault(key, value) != value or self.to.nets:
            raise self.to.error(f"{key} is given twice or after the first net: keep the one that is right")

    def _list_entry(self, words: list[str]) -> None:
        if self.list == "*NAME_MAP":
            match = _INDEX.fullmatch(words[0])
            if match is None or match.group(2) or len(words) != 2:
                raise self.to.error("an entry of the name map is an index and a name, such as '*1 WL_0': correct it")
            index = int(match.group(1))
            self.known.clear()
            if self.names.setdefault(index, words[1]) != words[1]:
                raise self.to.error(f"index *{index} is mapped twice: keep one")
            self.to.name(words[1])
            if len(self.names) > MAX_NAMES:
                raise self.to.error(f"more than {MAX_NAMES} names: extract the array alone")
        elif self.list == "*PORTS":
            self.port_names.append(self._plain(words[0]))
            if len(self.port_names) > MAX_NAMES:
                raise self.to.error(f"more than {MAX_NAMES} ports: extract the array alone")
        elif self.list in ("*POWER_NETS", "*GROUND_NETS"):
            self.to.grounds.update(self._plain(word) for word in words)

    def _begin_net(self, words: list[str]) -> None:
        missing = next((unit for unit in ("*C_UNIT", "*R_UNIT") if unit not in self.units), None)
        if missing:
            raise self.to.error(f"a net before any {missing}: the header is lost, extract again")
        self.list = ""
        total = spef_number(words[2]) if len(words) > 2 else None
        if total is None:
            raise self.to.error("*D_NET needs a name and a total capacitance: complete it")
        self.net, self.part = self.to.net(self._plain(words[1])), "*D_NET"
        self.to.total(self.net, total * self.units["*C_UNIT"])

    def _in_net(self, key: str, words: list[str]) -> None:
        if key == "*END":
            self.net, self.part = None, ""
        elif key in PARTS:
            self.part = key
            if len(words) > 1:
                raise self.to.error(f"{shown(words[1])} after {key}: begin a new line")
        elif self.part == "*CONN":
            self._connection(key, words)
        elif self.part in ("*CAP", "*RES"):
            self._element(words)
        elif self.part == "*INDUC":
            raise self.to.error("inductors are not simulated: extract resistances and capacitances only")
        else:
            raise self.to.error(f"{shown(words[0])} is not known in a net: extract again")

    def _connection(self, key: str, words: list[str]) -> None:
        assert self.net is not None
        if key not in ("*I", "*P", "*N") or len(words) < 2:
            raise self.to.error(f"{shown(words[0])} is no connection (*P, *I or *N with a name): correct it")
        node = self._plain(words[1])
        if key == "*P":
            self.to.port(node, self.net)
        elif key == "*N":
            self.to.node(node, self.net)
        else:
            instance, found, pin = node.rpartition(self.delimiter)
            if not (found and instance and pin):
                raise self.to.error(f"pin {shown(node)} lacks its instance before '{self.delimiter}': correct it")
            self.to.pin(node, instance, pin, self.net)

    def _element(self, words: list[str]) -> None:
        assert self.net is not None
        if not _ATTRIBUTES.isdisjoint(words):
            words = words[: next(k for k, word in enumerate(words) if word in _ATTRIBUTES)]
        value = spef_number(words[-1])
        if value is None or len(words) not in ((3, 4) if self.part == "*CAP" else (4,)):
            what = "node, perhaps a second node," if self.part == "*CAP" else "two nodes"
            raise self.to.error(f"an entry of {self.part} is a number, {what} and a value: correct it")
        nodes = [self._plain(word) for word in words[1:-1]]
        # what couples two nets tells the net of neither
        section = None if self.part == "*CAP" and len(nodes) == 2 else self.net
        for node in nodes:
            self.to.seen(node, section)
        if self.part == "*RES":
            ohms = value * self.units["*R_UNIT"]
            self.to.resistors.append(self.to.branch(nodes[0], nodes[1], ohms, "resistance"))
        elif len(nodes) == 1:
            self.to.seen(GROUND_NET)
            self.to.capacitors.append(self.to.branch(nodes[0], GROUND_NET, value * self.units["*C_UNIT"]))
        else:
            self.coupling.append((self.net, self.to.branch(nodes[0], nodes[1], value * self.units["*C_UNIT"])))

    def _plain(self, word: str) -> str:
        """A name with its index resolved and its escapes removed, but before the delimiter of nodes."""
        if word in self.known:
            return self.known[word]
        name, match = word, _INDEX.fullmatch(word)
        if match is not None:
            mapped = self.names.get(int(match.group(1)))
            if mapped is None:
                raise self.to.error(f"index *{match.group(1)} is not in the name map: extract again")
            name = mapped + match.group(2)
        if "\\" in name:
            name = re.sub(r"\\(.)", lambda m: m.group(0) if m.group(1) == self.delimiter else m.group(1), name)
        if len(self.known) < MAX_NAMES:
            self.known[word] = self.to.name(name)
        return self.to.name(name)
