"""Recipes as YAML files: those of this package by name, or the user's own."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import yaml

from surrogate.errors import InputError
from surrogate.training.recipe import Recipe
from surrogate.validation import first_error, read_text, read_yaml


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
        text = read_text(path, "recipe")
    else:
        raise InputError(f"{source}: no such recipe: give a file or one of {', '.join(built_in_recipes())}")
    return parse_recipe(text, source)


def parse_recipe(text: str, source: str) -> Recipe:
    """The recipe that ``text`` holds; ``source`` names it in errors. Raises :class:`InputError`."""
    content = read_yaml(text, source, "recipe", ", ".join(Recipe.model_fields))
    with first_error(source, content):
        return Recipe.model_validate(content)


def recipe_text(recipe: Recipe) -> str:
    """``recipe`` as YAML with every default written out; reading it gives an equal one."""
    return yaml.safe_dump(recipe.model_dump(), sort_keys=False, allow_unicode=True)
