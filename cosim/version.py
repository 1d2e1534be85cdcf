"""The version of this program, for provenance."""

from importlib.metadata import PackageNotFoundError, version


def code_version() -> str:
    """``fgcosim`` and its version; ``unknown`` where the package is run uninstalled."""
    try:
        return f"fgcosim {version('fgcosim')}"
    except PackageNotFoundError:
        return "fgcosim unknown"
