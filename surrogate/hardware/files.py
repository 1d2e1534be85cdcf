"""Hardware recipes as YAML files."""

from __future__ import annotations

from pathlib import Path

from surrogate.errors import InputError
from surrogate.hardware.error_table import with_tables
from surrogate.hardware.recipe import Hardware
from surrogate.validation import first_error, read_text, read_yaml


def load_hardware(path: Path) -> Hardware:
    """The recipe in the YAML file ``path``. Raises :class:`InputError` with one line that names file, key, value and
    remedy."""
    if not path.is_file():
        raise InputError(f"{path}: no such hardware recipe: give a YAML file")
    return parse_hardware(read_text(path, "hardware recipe"), str(path), path.parent)


def parse_hardware(text: str, source: str, folder: Path = Path()) -> Hardware:
    """The recipe that ``text`` holds; ``source`` names it in errors, files that it names are looked for from ``folder``
    on. Raises :class:`InputError`."""
    content = read_yaml(text, source, "hardware recipe", ", ".join(Hardware.model_fields))
    content = with_tables(content, folder, source)
    with first_error(source, content):
        return Hardware.model_validate(content)
