"""A foreign program run within limits of time and output; nothing that it started outlives it."""

from __future__ import annotations

import os
import resource
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MAX_OUTPUT_BYTES = 16_000_000
"""More on stdout and stderr than any sound run prints."""
KEPT_OUTPUT_BYTES = 200_000
"""Of a program that printed too much, this much from the beginning is kept."""
MAX_FILE_BYTES = 8_000_000_000
"""Largest file that the program may write; the system ends it there (signal 25)."""
LONGEST_S = 2e6
"""More seconds the system cannot wait for."""
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Finished:
    """A program that ended by itself: its exit ``status`` (negative: the signal that ended it), all that it printed."""

    status: int
    output: str


class LimitExceeded(Exception):
    """A program that had to be stopped: the ``reason`` for one line, and what it had printed."""

    def __init__(self, reason: str, output: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.output = output


def run_limited(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], timeout_s: float
) -> Finished:
    """Run ``command`` in ``folder`` without input; ``output`` is stdout, then stderr.

    Raises :class:`LimitExceeded` where it (or a child that holds its output) has not ended after ``timeout_s`` or
    prints more than :data:`MAX_OUTPUT_BYTES`, ``OSError`` where it cannot be started. In every case its whole process
    group is killed before this returns.
    """
    deadline = time.monotonic() + min(timeout_s, LONGEST_S)
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder,
        env=dict(environment), start_new_session=True,
    )  # fmt: skip
    printed: dict[int, bytearray] = {}
    try:
        with suppress(ProcessLookupError):  # it may have ended already
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (MAX_FILE_BYTES, MAX_FILE_BYTES))
        if not _drain(process, printed, deadline):
            reason = f"printed more than {MAX_OUTPUT_BYTES} bytes"
            raise LimitExceeded(reason, _text(printed)[:KEPT_OUTPUT_BYTES])
        status = process.wait(max(deadline - time.monotonic(), 0.0))
    except subprocess.TimeoutExpired:
        raise LimitExceeded(f"did not finish within {timeout_s:g} s", _text(printed)) from None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with process:
            pass  # closes the pipes and waits
    return Finished(status, _text(printed))


def _drain(process: subprocess.Popen[bytes], printed: dict[int, bytearray], deadline: float) -> bool:
    """Read stdout and stderr into ``printed`` until they end; False where they are longer than allowed.

    Raises ``subprocess.TimeoutExpired`` at the ``deadline``.
    """
    with selectors.DefaultSelector() as selector:
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                printed[selector.register(pipe, selectors.EVENT_READ).fd] = bytearray()
        while selector.get_map():
            ready = selector.select(max(deadline - time.monotonic(), 0.0))
            if not ready:
                raise subprocess.TimeoutExpired(process.args, 0)
            for key, _ in ready:
                chunk = os.read(key.fd, _CHUNK)
                if not chunk:
                    selector.unregister(key.fileobj)
                printed[key.fd] += chunk
            if sum(map(len, printed.values())) > MAX_OUTPUT_BYTES:
                return False
    return True


def _text(printed: Mapping[int, bytearray]) -> str:
    return "".join(part.decode("utf-8", errors="replace") for part in printed.values())
