"""The ngspice program: which one, what it can do, and one batch process per deck."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosim.errors import InputError
from cosim.spice.process import LimitExceeded, run_limited
from cosim.spice.rawfile import read_raw
from netlists.circuits.deck import Options

OLDEST = 39
VERSION_TIMEOUT_S = 30.0
INSTALL_HINT = "install it (Debian, Ubuntu: sudo apt-get install ngspice) or set FGCOSIM_NGSPICE to its path"
_FATAL = re.compile(
    r"singular matrix|timestep too small|simulation\(s\) aborted|doanalyses:|no convergence|unknown (?:subckt|model)|"
    r"could not find a valid modelname|syntax error|fatal",
    re.IGNORECASE,
)
_TITLE = re.compile(r"\s*(?:Circuit|Title):")
"""A line that repeats the deck's title, which the design's name is part of."""


@dataclass(frozen=True)
class Ngspice:
    """An ngspice binary: ``path``, its release ``version`` and whether it has the KLU solver."""

    path: str
    version: int
    klu: bool
    trtol: float = 30.0
    """ngspice's factor on the estimated truncation error: larger means fewer time points."""
    monolithic: bool = False
    """Simulate every array as a whole, never split into blocks of columns."""

    @property
    def name(self) -> str:
        """For provenance, e.g. ``ngspice-46``."""
        return f"ngspice-{self.version}"

    @property
    def label(self) -> str:
        """Name, solver and method, e.g. ``ngspice-46 KLU`` or ``ngspice-39 monolithic``."""
        return self.name + (" KLU" if self.klu else "") + (" monolithic" if self.monolithic else "")

    def options(self) -> dict[str, float | str | None]:
        """Simulator options of a campaign: better than 90 dB against much tighter ones (``scripts/bench_spice``).

        One thread: ngspice's own OpenMP slows these circuits down. Gear of order 1 (backward Euler), because the
        trapezoidal rule makes the currents through the coupling capacitors ring, and order 2 rings a little, too: with
        charges integrated afterwards by the trapezoidal rule, order 1 is 15 dB better at fewer time points. The charge
        of a floating gate is some 1e-15 C. No source stepping: it can end at an operating point whose floating gates
        are not at their stored charge (states above 2 V); the pseudo-transient that follows does not.
        """
        options: dict[str, float | str | None] = {
            "num_threads": 1, "method": "gear", "maxord": 1, "trtol": self.trtol, "gmin": 1e-15, "reltol": 1e-4,
            "abstol": 1e-14, "vntol": 1e-7, "chgtol": 1e-15, "srcsteps": 0,
        }  # fmt: skip
        if self.klu:
            options["klu"] = None
        return options


def without_klu(options: Options) -> Options:
    """``options`` with ngspice's other solver, for what KLU cannot do or does badly."""
    return {name: value for name, value in options.items() if name != "klu"}


class RunFailure(Exception):
    """Why one ngspice process gave no usable result: a ``reason`` for one line, and ngspice's ``log``."""

    def __init__(self, reason: str, log: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.log = log


def find_ngspice(monolithic: bool = False) -> Ngspice:
    """The binary that ``FGCOSIM_NGSPICE`` names, else ``ngspice`` on the path; it simulates whole arrays where
    ``monolithic``.

    Raises :class:`InputError` with the remedy where there is none or it is older than release 39.
    """
    wanted = os.environ.get("FGCOSIM_NGSPICE") or "ngspice"
    found = shutil.which(wanted)
    if found is None:
        raise InputError(f"ngspice: '{wanted}' not found: {INSTALL_HINT}")
    path = str(Path(found).absolute())  # decks run in folders of their own
    try:
        text = run_limited([path, "--version"], Path.cwd(), os.environ, VERSION_TIMEOUT_S).output
    except OSError as error:
        raise InputError(f"ngspice: {path} does not run ({error}): {INSTALL_HINT}") from None
    except LimitExceeded as limit:
        raise InputError(f"ngspice: {path} --version {limit.reason}: {INSTALL_HINT}") from None
    match = re.search(r"ngspice-(\d+)", text)
    if not match:
        raise InputError(f"ngspice: {path} --version names no release: {INSTALL_HINT}")
    version = int(match.group(1))
    if version < OLDEST:
        raise InputError(f"ngspice: {path} is release {version}, at least {OLDEST} is needed: {INSTALL_HINT}")
    return Ngspice(path=path, version=version, klu="KLU" in text, monolithic=monolithic)


def run_deck(
    engine: Ngspice, deck: str, timeout_s: float, keep: Path | None = None, plot: str = ""
) -> dict[str, NDArray[np.float64]]:
    """Run ``deck`` in a folder of its own and return the vectors of its last plot whose name begins with ``plot``;
    ``keep`` also writes the deck there.

    Raises :class:`RunFailure` unless ngspice ends by itself, reports no fatal error and leaves a whole raw file.
    """
    with tempfile.TemporaryDirectory(prefix="fgcosim-") as folder:
        deck_path, raw_path = Path(folder) / "deck.cir", Path(folder) / "deck.raw"
        deck_path.write_text(deck, encoding="utf-8")
        if keep is not None:
            keep.parent.mkdir(parents=True, exist_ok=True)
            keep.write_text(deck, encoding="utf-8")
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_THREAD_LIMIT": "1", "LC_ALL": "C"}
        command = [engine.path, "-n", "-b", "-r", str(raw_path), str(deck_path)]
        try:
            done = run_limited(command, Path(folder), environment, timeout_s)
        except LimitExceeded as limit:
            raise RunFailure(limit.reason, limit.output) from None
        except OSError as error:
            raise RunFailure(f"could not be started: {error}") from None
        log = done.output
        fatal = next((line for line in log.splitlines() if _FATAL.search(line) and not _TITLE.match(line)), None)
        if fatal is not None:
            raise RunFailure(f"reported '{fatal.strip()[:120]}'", log)
        if done.status != 0:
            raise RunFailure(f"ended with status {done.status}", log)
        try:
            return read_raw(raw_path, plot)
        except (OSError, ValueError) as error:
            raise RunFailure(f"left no whole raw file ({type(error).__name__})", log) from None
