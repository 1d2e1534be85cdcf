"""Capacitances of panels by FastCap2 (multipole-accelerated boundary elements), in a process that may be ended.

A grounded plane at z = 0 is exact: every panel has an image of opposite charge below it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netlists.errors import InputError
from netlists.extraction.fastcap_worker import MISSING
from netlists.extraction.panels import Panels

Floats = NDArray[np.float64]

EXPANSION_ORDER = 3
"""Order of the multipole expansions: 2 leaves 1 % of asymmetry in small capacitances, 3 none that matters."""
TOLERANCE = 1e-3
"""Residual at which its iterations stop."""
MICROMETRE = 1e-6


def fastcap_columns(
    panels: Panels, driven: Sequence[str], permittivity: float, grounded_plane: bool, timeout_s: float
) -> Floats:
    """Maxwell capacitances [terminals, driven] in F: charge of every terminal per volt on each of the ``driven``.

    ``permittivity`` is relative. Raises :class:`InputError` where FastCap2 is missing, fails or does not finish within
    ``timeout_s``, each with a remedy.
    """
    corners = _corners(panels) / MICROMETRE
    names, owner = list(panels.terminals), panels.owner
    # FastCap2 separates names at '%' and ','; numbers are safe.
    labels = [f"c{k}" for k in range(len(names))]
    if grounded_plane:
        corners = np.concatenate([corners, corners * [1.0, 1.0, -1.0]])
        owner = np.concatenate([owner, owner + len(names)])
        labels += [f"i{k}" for k in range(len(names))]
    columns = [names.index(name) for name in driven]
    with tempfile.TemporaryDirectory(prefix="fgcosim-field-") as folder:
        source, target = Path(folder) / "in.npz", Path(folder) / "out.npy"
        np.savez(
            source, corners=corners, owner=owner, names=labels, driven=[labels[k] for k in columns],
            permittivity=permittivity, order=EXPANSION_ORDER, tolerance=TOLERANCE,
        )  # fmt: skip
        _run(source, target, len(owner), timeout_s)
        matrix = np.load(target, allow_pickle=False)
    charges = matrix[: len(names)][:, columns]
    if grounded_plane:
        charges = charges - matrix[len(names) :][:, columns]
    return charges


def _corners(panels: Panels) -> Floats:
    """The panels' corners [n, 4, 3] in m, in order around each."""
    n = len(panels)
    rows = np.arange(n)
    u, v = np.where(panels.axis == 0, 1, 0), np.where(panels.axis == 2, 1, 2)
    corners = np.repeat(panels.low[:, None, :], 4, axis=1)
    for corner, (high_u, high_v) in enumerate(((0, 0), (1, 0), (1, 1), (0, 1))):
        if high_u:
            corners[rows, corner, u] = panels.high[rows, u]
        if high_v:
            corners[rows, corner, v] = panels.high[rows, v]
    return corners


def _run(source: Path, target: Path, panels: int, timeout_s: float) -> None:
    worker = [sys.executable, "-P", "-m", "netlists.extraction.fastcap_worker"]
    command = [*worker, str(os.getpid()), str(source), str(target)]
    try:
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        raise InputError(
            f"field solver: FastCap2 did not finish {panels} panels within {timeout_s:g} s: use the analytic mode, "
            "simplify the layout or allow more time"
        ) from None
    if done.returncode == MISSING:
        raise InputError("field solver: fastcap2 is not installed: pip install fastcap2, or use the analytic mode")
    if done.returncode != 0 or not target.is_file():
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["it printed nothing"]
        raise InputError(
            f"field solver: FastCap2 ended with status {done.returncode} on {panels} panels ({said[-1][:200]}): "
            "use the analytic mode or a coarser layout"
        )
