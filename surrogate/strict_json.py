"""JSON objects from files that others may have written: of bounded length, every number finite."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

MAX_LENGTH = 10_000_000
"""Longest text in characters."""


def parse_json(text: str) -> dict[str, Any]:
    """The JSON object in ``text``. Raises ``ValueError`` in one line on anything else."""
    if len(text) > MAX_LENGTH:
        raise ValueError(f"JSON of more than {MAX_LENGTH} characters")
    try:
        content = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None
    if not isinstance(content, dict):
        raise ValueError("no JSON object")
    return content


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name[:20]} is no finite number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        _refuse(text)
    return value
