"""A real Dask cluster of separate processes on this machine, for tests that kill them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

DASK = [sys.executable, "-W", "ignore", "-m", "dask"]


class Cluster:
    """A scheduler and its workers, each a process group of its own; ``environment`` is added to the workers'."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, environment
        self.file = folder / "scheduler.json"
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self.started = 0
        forgive_nothing = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}  # a dead worker's runs fail at once
        self.scheduler = self._start(
            "scheduler", "--port", "0", "--scheduler-file", str(self.file), environment=forgive_nothing
        )
        self._wait_for(self.file.exists)

    @property
    def address(self) -> str:
        """For ``--scheduler``."""
        return str(json.loads(self.file.read_text())["address"])

    def add(self, environment: dict[str, str] | None = None) -> str:
        """Start a worker of one thread and return its name; it joins when it is ready."""
        self.started += 1
        name = f"w{self.started}"
        self.workers[name] = self._start(
            "worker", "--scheduler-file", str(self.file), "--nthreads", "1", "--no-nanny", "--name", name,
            "--memory-limit", "0", "--local-directory", str(self.folder / name), environment=environment or {},
        )  # fmt: skip
        return name

    def kill(self, name: str) -> None:
        """End a worker and its ngspice with signal 9."""
        _kill(self.workers.pop(name))

    def restart_dead(self) -> None:
        """Start a worker for each that has died by itself."""
        for name in [name for name, process in self.workers.items() if process.poll() is not None]:
            self.kill(name)
            self.add()

    def close(self) -> None:
        """End everything."""
        for process in (*self.workers.values(), self.scheduler):
            _kill(process)

    def _start(self, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        with (self.folder / "cluster.log").open("ab") as log:
            return subprocess.Popen(
                [*DASK, *arguments, "--host", "127.0.0.1", "--no-dashboard"],
                stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, "TMPDIR": str(self.folder), **self.environment, **(environment or {})},
            )  # fmt: skip

    def _wait_for(self, condition) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert self.scheduler.poll() is None and time.monotonic() < deadline, "the scheduler did not start"
            time.sleep(0.05)


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
