"""Files and settings that people write: errors of pydantic in one line, YAML without surprises."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from surrogate.errors import InputError

MAX_BYTES = 100_000


@contextmanager
def first_error(source: str, content: Any) -> Iterator[None]:
    """Turns pydantic's errors about ``content`` into an :class:`InputError` with source, key, value and remedy."""
    try:
        yield
    except ValidationError as error:
        raise InputError(f"{source}: {_first_of(error, content)}") from None


def read_yaml(text: str, source: str, what: str, keys: str) -> dict[Any, Any]:
    """The object in ``text``. Raises :class:`InputError` where there is none; ``what`` and its ``keys`` tell what it
    should be."""
    try:
        content = yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{source}: no YAML ({' '.join(str(error).split())[:150]}): correct it") from None
    if not isinstance(content, dict):
        raise InputError(f"{source}: no {what}: give the keys {keys}")
    return content


def read_text(path: Path, what: str) -> str:
    """The text in ``path``. Raises :class:`InputError` where it is too large for ``what`` or no text."""
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path}: larger than {MAX_BYTES} bytes: this is no {what}")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: no UTF-8 text at byte {error.start}: save it as UTF-8") from None


def plain_number(text: str) -> float:
    """As ``float``, but for ``1_000`` and foreign digits, which Python alone would take for a number. Raises
    ``ValueError``."""
    if "_" in text or not text.isascii():
        raise ValueError(text)
    return float(text)


def _first_of(error: ValidationError, content: dict[Any, Any]) -> str:
    """Key, value and remedy of the first thing wrong in ``content``."""
    first = error.errors()[0]
    key = _key(content, first["loc"])
    if first["type"] == "union_tag_not_found":
        return f"{'.'.join([*key, first['ctx']['discriminator'].strip(chr(39))])}: missing: add it"
    if first["type"] == "missing":
        return f"{'.'.join([*key, str(first['loc'][-1])])}: missing: add it"
    if first["type"] == "extra_forbidden":
        return f"{'.'.join(key)}: unknown key: remove it or correct its spelling"
    if first["type"] == "value_error":
        return f"{'.'.join(key)}{': ' if key else ''}{first['ctx']['error']}"
    shown = f" {first['input']!r:.40}" if not isinstance(first["input"], dict) else ""
    return f"{'.'.join(key) or 'recipe'}{shown}: {_message(first)}: change it"


def _message(first: ErrorDetails) -> str:
    """What pydantic says, but 1e-18 for 0.000000000000000001."""
    message = " ".join(first["msg"].split())
    for name, value in first.get("ctx", {}).items():
        if name in ("ge", "gt", "le", "lt") and isinstance(value, float):
            message = f"{message.rpartition(' ')[0]} {value:g}"
    return message


def _key(content: Any, location: tuple[int | str, ...]) -> list[str]:
    """Those parts of pydantic's ``location`` that are keys and indices of ``content``: others name its own types."""
    parts: list[str] = []
    for part in location:
        known: Any = range(len(content)) if isinstance(content, list) else content
        if isinstance(content, (dict, list)) and part in known:
            content = content[part]  # type: ignore[index]
            parts.append(str(part))
    return parts


class _Loader(yaml.SafeLoader):
    """Safe YAML without aliases, which could blow up, and without repeated keys, of which one would be lost; 1e-9 is a
    number, as in YAML 1.2."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f"an alias in line {self.peek_event().start_mark.line + 1}: write the value out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]  # type: ignore[no-untyped-call]
        for key in keys:
            if isinstance(key, (dict, list)) or keys.count(key) > 1:
                raise yaml.YAMLError(f"key {str(key)[:40]} in line {node.start_mark.line + 1} twice or no name")
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(?:\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+0123456789.")
)
