"""Recipes as YAML files: those of this package by name, or the user's own."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from surrogate.errors import InputError
from surrogate.training.recipe import Recipe

MAX_BYTES = 100_000


def built_in_recipes() -> list[str]:
    """Names of the recipes that come with the package."""
    folder = files("surrogate") / "recipes"
    return sorted(x.name.removesuffix(".yaml") for x in folder.iterdir() if x.name.endswith(".yaml"))


def load_recipe(source: str) -> Recipe:
    """The recipe in the YAML file ``source``, or the built-in one of that name.

    Raises :class:`InputError` with one line that names file, key, value and remedy.
    """
    path = Path(source)
    if not path.suffix and source in built_in_recipes():
        text = (files("surrogate") / "recipes" / f"{source}.yaml").read_text(encoding="utf-8")
    elif path.is_file():
        text = _read(path)
    else:
        raise InputError(f"{source}: no such recipe: give a file or one of {', '.join(built_in_recipes())}")
    return parse_recipe(text, source)


def parse_recipe(text: str, source: str) -> Recipe:
    """The recipe that ``text`` holds; ``source`` names it in errors. Raises :class:`InputError`."""
    try:
        content = yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{source}: no YAML ({' '.join(str(error).split())[:150]}): correct it") from None
    if not isinstance(content, dict):
        raise InputError(f"{source}: no recipe: give the keys {', '.join(Recipe.model_fields)}")
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{source}: {_first_of(error, content)}") from None


def recipe_text(recipe: Recipe) -> str:
    """``recipe`` as YAML with every default written out; reading it gives an equal one."""
    return yaml.safe_dump(recipe.model_dump(), sort_keys=False, allow_unicode=True)


def _read(path: Path) -> str:
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path}: larger than {MAX_BYTES} bytes: this is no recipe")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: no UTF-8 text at byte {error.start}: save it as UTF-8") from None


def _first_of(error: ValidationError, content: dict[Any, Any]) -> str:
    """Key, value and remedy of the first thing wrong in ``content``."""
    first = error.errors()[0]
    key = _key(content, first["loc"])
    if first["type"] == "missing":
        return f"{'.'.join([*key, str(first['loc'][-1])])}: missing: add it"
    if first["type"] == "extra_forbidden":
        return f"{'.'.join(key)}: unknown key: remove it or correct its spelling"
    shown = f" {first['input']!r:.40}" if not isinstance(first["input"], dict) else ""
    return f"{'.'.join(key) or 'recipe'}{shown}: {' '.join(first['msg'].split())}: change it"


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
    """Safe YAML without aliases, which could blow up, and without repeated keys, of which one would be lost."""

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
