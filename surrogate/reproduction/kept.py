"""Results of stages in files: computed once, used again as long as what they depend on is the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from surrogate.atomic import replacing

Result = dict[str, Any]


def digest(content: Any) -> str:
    """A hash of what JSON can hold."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def kept(path: Path, depends: Any, compute: Callable[[], Result]) -> Result:
    """The result in ``path`` where it was made from ``depends`` (of JSON's types), else what ``compute`` gives, which
    is written there. A file that is damaged or was made from something else is replaced. Raises ``OSError``."""
    key = digest(depends)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["key"] == key and isinstance(found["result"], dict):
            return dict(found["result"])
    except (OSError, ValueError, LookupError, TypeError):
        pass
    result = compute()
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps({"key": key, "result": result}, indent=1) + "\n", encoding="utf-8")
    return result
