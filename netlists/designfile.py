"""Design files: YAML in, :class:`~netlists.design.Design` out, errors that name file, line, key and remedy."""

from __future__ import annotations

import reprlib
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from netlists.design import Design
from netlists.errors import InputError

MAX_BYTES = 1_000_000


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
            if path.stat().st_size > MAX_BYTES:
                raise InputError(f"{path}: larger than {MAX_BYTES} bytes: not a design file")
            return parse_design(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text: not a design file ({error.reason})") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if str(source) in builtin_names():
        text = (resources.files("netlists") / "designs" / f"{source}.yaml").read_text(encoding="utf-8")
        return parse_design(text, f"{source}.yaml")
    raise InputError(f"{source}: no such design file; built-in designs are: {', '.join(builtin_names())}")


def parse_design(text: str, origin: str) -> Design:
    """The design in YAML ``text``; ``origin`` names it in errors."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        _refuse_aliases(text, origin)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InputError(f"{origin}{line}: not valid YAML: {problem}") from None
    except InputError:
        raise
    except (ValueError, RecursionError) as error:  # impossible dates and numbers, endless nesting
        raise InputError(f"{origin}: not valid YAML: {str(error)[:80]}") from None
    if not isinstance(data, dict):
        raise InputError(f"{origin}: expected sections such as 'array:' and 'cell:' at the top level")
    _refuse_duplicates(node, origin)
    try:
        return Design.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(_message(first, node, origin)) from None


def dump_design(design: Design) -> str:
    """``design`` as a design file that :func:`parse_design` reads back to the same design."""
    return yaml.safe_dump(design.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _refuse_aliases(text: str, origin: str) -> None:
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        if isinstance(token, yaml.AliasToken):
            line = token.start_mark.line + 1
            raise InputError(f"{origin}:{line}: YAML aliases are not used here: write the value out")


def _refuse_duplicates(node: Any, origin: str) -> None:
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, value in node.value:
        if key.value in seen:
            raise InputError(f"{origin}:{key.start_mark.line + 1}: {key.value}: given twice: keep one")
        seen.add(key.value)
        _refuse_duplicates(value, origin)


def _message(error: Any, root: yaml.Node, origin: str) -> str:
    path = [str(p) for p in error["loc"]]
    if len(path) > 1 and path[0] == "cell" and path[1] in ("mos", "resistive"):
        del path[1]
    line = _line(root, path)
    key = " ".join(".".join(path).split()) or "design"
    kind, text = error["type"], error["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        text = "unknown key: remove it or correct its spelling"
    elif kind == "missing":
        text = "missing: add it"
    elif kind not in ("value_error",):
        text = f"{text}, not {reprlib.repr(error.get('input'))}"
    return f"{origin}:{line}: {key}: {text}"


def _line(node: yaml.Node, path: list[str]) -> int:
    line = node.start_mark.line + 1
    for name in path:
        if not isinstance(node, yaml.MappingNode):
            break
        for key, value in node.value:
            if key.value == name:
                node, line = value, key.start_mark.line + 1
                break
        else:
            break
    return line
