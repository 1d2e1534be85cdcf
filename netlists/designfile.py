"""Design files: YAML in, :class:`~netlists.design.Design` out, errors that name file, line, key and remedy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from netlists.complaint import complaint
from netlists.design import Design
from netlists.errors import InputError
from netlists.parasitics.uniform import with_parasitics

MAX_BYTES = 40_000
"""Largest design file: reading one takes a second at most."""

MAX_DEPTH = 8
"""Deepest nesting of YAML collections; our files have four levels."""

Model = TypeVar("Model", bound=BaseModel)

_MAX_WORDS = 200
"""Longest key or reason, in characters, that an error message quotes."""


def builtin_names() -> list[str]:
    """Names of the designs that come with the package."""
    folder = resources.files("netlists") / "designs"
    return sorted(p.name.removesuffix(".yaml") for p in folder.iterdir() if p.name.endswith(".yaml"))


def load_design(source: str | Path) -> Design:
    """The design in the file ``source``, or the built-in one of that name.

    Raises :class:`InputError` naming file, line, key and remedy.
    """
    path = Path(source)
    try:
        if path.is_file():
            design = parse_design(read_text(path, "design"), str(path), path.parent)
            return design if design.parasitics is None else with_parasitics(design, path.parent)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if str(source) in builtin_names():
        text = (resources.files("netlists") / "designs" / f"{source}.yaml").read_text(encoding="utf-8")
        return parse_design(text, f"{source}.yaml")
    raise InputError(f"{source}: no such design file; built-in designs are: {', '.join(builtin_names())}")


def read_text(path: Path, kind: str) -> str:
    """Text of the ``kind`` (such as ``design``) file ``path``. Raises :class:`InputError` where it cannot be one."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: larger than {MAX_BYTES} bytes: not a {kind} file")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text: not a {kind} file ({error.reason})") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def parse_design(text: str, origin: str, folder: Path | None = None) -> Design:
    """The design in YAML ``text``; ``origin`` names it in errors.

    Raises :class:`InputError` on anything else, on tags, anchors and aliases, and on text that is too long.
    """
    return parse_yaml(text, origin, Design, "design", folder)


def parse_yaml(text: str, origin: str, model: type[Model], kind: str, folder: Path | None = None) -> Model:
    """The ``model`` in YAML ``text``, a ``kind`` (such as ``design``) file; otherwise as :func:`parse_design`."""
    if len(text) > MAX_BYTES:
        raise InputError(f"{origin}: larger than {MAX_BYTES} characters: not a {kind} file")
    try:
        _refuse_unplain(text, origin)
        loader = _PlainLoader(text)
        node = loader.get_single_node()
        data = None if node is None else loader.construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InputError(f"{origin}{line}: not valid YAML: {_words(problem)}") from None
    except InputError:
        raise
    except ValueError as error:  # numbers of too many digits
        raise InputError(f"{origin}: not valid YAML: {_words(str(error))}") from None
    if not isinstance(data, dict):
        keys = " and ".join([f"'{key}:'" for key in model.model_fields if key not in ("name", "notes")][:2])
        raise InputError(f"{origin}: expected sections such as {keys} at the top level")
    _refuse_duplicates(node, origin)
    try:
        return model.model_validate(data, context={"folder": folder})
    except ValidationError as error:
        wrong = complaint(error, data, model)
        key = _words(".".join(wrong.path)) or kind
        raise InputError(f"{origin}:{_line(node, wrong.path)}: {key}: {_words(wrong.reason)}") from None


def dump_design(design: Design) -> str:
    """``design`` as a design file that :func:`parse_design` reads back to the same design."""
    return yaml.safe_dump(design.model_dump(mode="json", exclude_none=True), sort_keys=False, allow_unicode=True)


class _PlainLoader(yaml.SafeLoader):
    """YAML of plain decimal numbers, truth values and text: ``010`` is no eight, ``1:30`` no ninety, ``1_6`` no 16."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[Any]]] = {}


for _kind, _pattern, _first in (
    ("bool", "yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF", "yYnNtTfFoO"),
    ("null", "~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan", "-+.0123456789"),
):  # fmt: skip
    _PlainLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(rf"^(?:{_pattern})$"), list(_first))


_OPENING = (yaml.BlockSequenceStartToken, yaml.BlockMappingStartToken, yaml.FlowSequenceStartToken,
            yaml.FlowMappingStartToken)  # fmt: skip
_CLOSING = (yaml.BlockEndToken, yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken)
_UNPLAIN = {
    yaml.AliasToken: "anchors and aliases", yaml.AnchorToken: "anchors and aliases", yaml.TagToken: "tags",
}  # fmt: skip


def _refuse_unplain(text: str, origin: str) -> None:
    """Refuse what no design needs and only harm does, before anything is built of it."""
    depth = 0
    for token in yaml.scan(text, Loader=_PlainLoader):
        line = token.start_mark.line + 1
        if type(token) in _UNPLAIN:
            raise InputError(f"{origin}:{line}: YAML {_UNPLAIN[type(token)]} are not used here: write the value out")
        depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
        if depth > MAX_DEPTH:
            raise InputError(f"{origin}:{line}: nested deeper than {MAX_DEPTH} levels: write it flatter")


def _refuse_duplicates(node: Any, origin: str) -> None:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_duplicates(item, origin)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, value in node.value:
        if key.value in seen:
            raise InputError(f"{origin}:{key.start_mark.line + 1}: {_words(key.value)}: given twice: keep one")
        seen.add(key.value)
        _refuse_duplicates(value, origin)


def _words(text: str) -> str:
    """``text`` as one line that a terminal shows as it is, shortened where it is long."""
    shown = "".join(c if c.isprintable() else " " for c in text[: _MAX_WORDS + 1])
    return " ".join(shown.split()) if len(text) <= _MAX_WORDS else " ".join(shown[:_MAX_WORDS].split()) + " …"


def _line(node: yaml.Node, path: Sequence[str]) -> int:
    line = node.start_mark.line + 1
    for name in path:
        if isinstance(node, yaml.SequenceNode) and name.isdecimal() and int(name) < len(node.value):
            node = node.value[int(name)]
            line = node.start_mark.line + 1
            continue
        if not isinstance(node, yaml.MappingNode):
            break
        for key, value in node.value:
            if key.value == name:
                node, line = value, key.start_mark.line + 1
                break
        else:
            break
    return line
