"""JSON files of a run folder, written atomically."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from surrogate.atomic import replacing


def write_json(content: Any, path: Path) -> None:
    """Write ``content`` to ``path``."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
