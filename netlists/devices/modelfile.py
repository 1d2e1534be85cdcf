"""Files of transistor models, read and checked: nothing in them may run, load or read anything else.

ngspice executes ``.control`` blocks and ``*#`` comments wherever they stand, also in included files; XSPICE and OSDI
elements run compiled code. Only cards that define models are let through, and every included file is checked as well.
"""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from netlists.devices.expressions import assignments
from netlists.errors import InputError

MAX_BYTES = 64_000_000
"""Of all that is read; a foundry's library has some ten megabytes."""
MAX_READS = 1024
"""Inclusions of files, the same one again among them."""
MAX_NESTING = 16
"""Files included by files."""

_CARDS = {
    ".model", ".subckt", ".ends", ".eom", ".param", ".params", ".parameter", ".func", ".include", ".inc", ".incl",
    ".lib", ".endl", ".global", ".option", ".options", ".opt", ".if", ".elseif", ".else", ".endif", ".end",
}  # fmt: skip
_INCLUDES = {".include", ".inc", ".incl"}
_OPTIONS = {"scale", "scalm", "parser", "tnom", "defl", "defw", "defad", "defas", "geoshrink", "wnflag"}
_COMPILED = {"a": "an XSPICE element", "n": "an OSDI element"}
_PATH = re.compile(r"[\w./+@%=,:-]+", re.ASCII)
_COMMENT = re.compile(r"(?:;|//|(?<=[\s,])\$).*$")
_MAY_COMMENT = re.compile("[;$/]").search


@dataclass(frozen=True)
class Statement:
    """One card with its continuation lines and without its comments, and where it stands."""

    file: Path
    line: int
    text: str

    @cached_property
    def words(self) -> list[str]:
        """The card's words in lower case."""
        return self.text.lower().split()

    def refusal(self, reason: str) -> InputError:
        """The error that names this card's file and line."""
        return InputError(f"{self.file}:{self.line}: {reason}")


@dataclass(frozen=True)
class Library:
    """What ngspice reads of a file (or of one of its sections) and of all that it includes."""

    file: Path
    section: str | None
    statements: tuple[Statement, ...]
    sha256: str
    """Of the contents of all files, in the order in which they are read; their paths do not matter"""
    stamps: tuple[tuple[Path, int, int], ...]
    """Path, time of change and size of every file"""

    def unchanged(self) -> bool:
        """Whether all files still have their times and sizes."""
        try:
            return all(_stamp(path) == (path, changed, size) for path, changed, size in self.stamps)
        except OSError:
            return False


def read_library(file: Path, section: str | None) -> Library:
    """The checked content of ``file`` (absolute), or of its ``section``. Read again only where a file has changed.

    Raises :class:`InputError` naming file, line and remedy.
    """
    library = _read_once(file, section)
    if not library.unchanged():
        _read_once.cache_clear()
        library = _read_once(file, section)
    return library


@lru_cache(maxsize=32)
def _read_once(file: Path, section: str | None) -> Library:
    reader = _Reader()
    statements = tuple(reader.read(file, section, ""))
    digest = hashlib.sha256(repr(section).encode())
    for path in reader.contents:
        digest.update(hashlib.sha256(reader.contents[path]).digest())
    return Library(file, section, statements, digest.hexdigest(), tuple(reader.stamps))


def _stamp(path: Path) -> tuple[Path, int, int]:
    status = path.stat()
    return path, status.st_mtime_ns, status.st_size


@dataclass
class _Reader:
    contents: dict[Path, bytes] = field(default_factory=dict)
    stamps: list[tuple[Path, int, int]] = field(default_factory=list)
    reads: int = 0
    bytes: int = 0

    def read(self, path: Path, section: str | None, asked: str, nesting: int = 0) -> Iterator[Statement]:
        """Statements of ``path``; ``asked`` says in errors who wants it."""
        if nesting > MAX_NESTING:
            raise InputError(f"{asked}{path}: files include each other deeper than {MAX_NESTING} levels: flatten them")
        inside, found, sections = section is None, section is None, list[str]()
        for statement in _statements(path, self._text(path, asked)):
            _refuse(statement)
            words = statement.words
            if words[0] == ".lib" and len(words) == 2:
                sections.append(words[1])
                inside = section is not None and words[1] == section.lower()
                found = found or inside
            elif words[0] == ".endl":
                inside = section is None
            elif inside and words[0] in _INCLUDES:
                yield from self.read(_path(statement, 1, 2), None, _by(statement), nesting + 1)
            elif inside and words[0] == ".lib":
                wanted = _path(statement, 1, 3)
                yield from self.read(wanted, statement.text.split()[2].strip("'\""), _by(statement), nesting + 1)
            elif inside:
                yield statement
        named = ", ".join(sections[:12])
        if not found:
            raise InputError(f"{asked}{path} has no section '{section}', but {named or 'none at all'}: name one of it")
        if section is None and sections:
            raise InputError(f"{asked}{path} has sections {named}: name one, as cell.model.section or by .lib")

    def _text(self, path: Path, asked: str) -> str:
        self.reads += 1
        if self.reads > MAX_READS:
            raise InputError(f"{asked}{path}: more than {MAX_READS} inclusions: flatten them")
        if path not in self.contents:
            try:
                if not stat.S_ISREG(path.stat().st_mode):
                    raise InputError(f"{asked}{path} is no file: name the file of the model")
                self.stamps.append(_stamp(path))
                with path.open("rb") as opened:
                    self.contents[path] = opened.read(MAX_BYTES + 1)
            except OSError as error:
                raise InputError(f"{asked}{path} cannot be read ({error.strerror}): correct the path") from None
        content = self.contents[path]
        self.bytes += len(content)
        if self.bytes > MAX_BYTES:
            raise InputError(f"{asked}{path}: more than {MAX_BYTES} bytes are read by now: cut out the model's part")
        if b"\0" in content:
            raise InputError(f"{asked}{path} is not text: name the file of the model")
        return content.decode("latin-1")


def _by(statement: Statement) -> str:
    return f"{statement.file}:{statement.line}: "


def _statements(path: Path, text: str) -> Iterator[Statement]:
    """The cards of ``text`` as ngspice joins them: a comment between a card and its continuation does not end it."""
    begun, parts = 0, list[str]()
    for line, raw in enumerate(text.split("\n"), start=1):
        words = raw.strip()
        if words.startswith("*#"):
            raise InputError(f"{path}:{line}: '*#' is a command that ngspice executes: remove the line")
        body = _COMMENT.sub("", words).strip() if _MAY_COMMENT(words) else words
        if body != words and (body.lower().split() or [""])[0] in {*_INCLUDES, ".lib"}:
            raise InputError(f"{path}:{line}: '{words[:80]}': remove the comment: ngspice may read it as the path")
        if not body or body.startswith("*"):
            continue
        if body.startswith("+"):
            parts.append(body[1:])
            continue
        if parts:
            yield Statement(path, begun, " ".join(parts))
        begun, parts = line, [body]
    if parts:
        yield Statement(path, begun, " ".join(parts))


def _refuse(statement: Statement) -> None:
    """Refuse what no model needs."""
    word = statement.words[0]
    if word.startswith(".") and word not in _CARDS:
        raise statement.refusal(f"'{word[:40]}' has no place in a file of models: remove it")
    if word[0] in _COMPILED:
        raise statement.refusal(f"'{word[:40]}' is {_COMPILED[word[0]]}, which runs compiled code: use a plain model")
    if word in (".option", ".options", ".opt"):
        names = set(assignments(statement.text)) or set(statement.words[1:])
        if other := sorted(names - _OPTIONS):
            raise statement.refusal(f"option '{other[0]}' is set here: remove it, simulator options are fgcosim's")


def _path(statement: Statement, place: int, words: int) -> Path:
    """The file that ``statement`` includes, beside the file it stands in as for ngspice."""
    given = statement.text.split()
    if len(given) != words:
        raise statement.refusal(f"'{statement.text[:80]}': write {given[0]} with a path without blanks on one line")
    name = given[place].strip("'\"")
    check_path(name, _by(statement))
    return statement.file.parent / name


def check_path(name: str, where: str) -> None:
    """Raise :class:`InputError` where ngspice would not take ``name`` literally as a path."""
    if not _PATH.fullmatch(name):
        raise InputError(
            f"{where}path '{name[:80]}': ngspice reads only letters, digits and ./_+@%=,:- there: rename or link it"
        )
