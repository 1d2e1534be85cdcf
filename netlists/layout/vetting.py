"""A large OASIS file tried in a process of its own: ``python -m netlists.layout.vetting PARENT FILE LAYER...``.

OASIS holds compressed blocks: a small file may be one of hours and of more memory than there is. Here it may take only
:data:`CPU_S` and :data:`MEMORY_BYTES`. LAYERs are ``NUMBER/DATATYPE``. Exit status 0 if it can be read, 2 with one line
on stdout that says why not; killed where it took too much.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from netlists.errors import InputError
from netlists.orphans import end_with_parent

CPU_S = 60
"""Seconds that a file may take."""
MEMORY_BYTES = 4_000_000_000
TOO_MUCH = "takes too long or too much memory to read: export the array alone, uncompressed"
REFUSED = 2
"""Exit status."""


def vet(path: Path, layers: Iterable[str]) -> None:
    """Raises :class:`InputError` where ``path`` cannot be read with those of its ``layers`` within bounds."""
    command = [sys.executable, "-P", "-m", __name__, str(os.getpid()), str(path), *layers]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode == REFUSED:
        raise InputError(done.stdout.decode(errors="replace").strip())
    if done.returncode != 0:
        raise InputError(f"{path}: {TOO_MUCH}")


def main(parent: str, path: str, *layers: str) -> int:
    """Try ``path``; returns the exit status."""
    from netlists.layout.files import load_bounded

    end_with_parent(int(parent))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    try:
        load_bounded(Path(path), layers)
    except InputError as error:
        print(error)
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
