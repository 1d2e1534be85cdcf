"""Numbers on the command lines of scripts."""

from __future__ import annotations

import argparse


def whole(text: str) -> int:
    """A whole number from 0 to a million. Raises ``ArgumentTypeError``, ``ValueError``."""
    value = int(text)
    if not 0 <= value <= 1_000_000:
        raise argparse.ArgumentTypeError("give a whole number from 0 up")
    return value


def count(text: str) -> int:
    """A whole number from 1 to a million. Raises as :func:`whole`."""
    if whole(text) == 0:
        raise argparse.ArgumentTypeError("give a whole number from 1 up")
    return int(text)
