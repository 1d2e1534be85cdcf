"""The version of this program, for provenance."""

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("netlists", "cosim", "surrogate")
_SOURCES = {".py", ".cpp", ".h", ".j2", ".yaml"}


@cache
def code_version() -> str:
    """``fgcosim``, its release (``unknown`` where it is not installed) and a hash of its sources, such as
    ``fgcosim 0.1.0 (5f0c1a9e)``: between two releases, too, it says which code it was."""
    try:
        release = version("fgcosim")
    except PackageNotFoundError:
        release = "unknown"
    return f"fgcosim {release} ({_source_hash(Path(__file__).resolve().parents[1])[:8]})"


def _source_hash(root: Path) -> str:
    """SHA-256 over the names and contents of all sources of the packages in ``root``."""
    digest = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted(p for p in (root / package).rglob("*") if p.suffix in _SOURCES):
            content = path.read_bytes()
            digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()
