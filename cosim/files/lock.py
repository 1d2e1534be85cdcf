"""One writer a folder: a lock that the system drops when its process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cosim.errors import InputError


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file ``path`` for as long as the context lasts.

    The file stays behind, unlocked: what counts is the lock, which a killed process cannot leave behind. Raises
    ``InputError`` naming the process that holds it.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(handle, 200, 0).decode(errors="replace").strip() or "another process"
            raise InputError(f"{path.parent}: in use by {owner}: wait until it ends or choose another place") from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)
