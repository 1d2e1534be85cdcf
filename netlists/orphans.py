"""No process outlives the one that it works for, however that ends."""

from __future__ import annotations

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1
"""Of prctl(2): the signal that a process gets when the thread that started it ends."""


def end_with_parent(parent: int) -> None:
    """Let the system kill this process as soon as its parent, the process with the id ``parent``, has ended.

    It needs no thread here, so that foreign code that never returns to Python ends, too. The parent's thread that
    started this process must live as long as it is needed. Raises ``OSError`` where the system refuses.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    if os.getppid() != parent:  # it ended before that
        os._exit(1)
