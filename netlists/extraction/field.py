"""Coupling capacitances of a geometry by FastCap2, on meshes refined until they agree."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from netlists.errors import InputError
from netlists.extraction.fastcap import fastcap_columns
from netlists.extraction.panels import Geometry, Panels, Resolution, make_panels

Floats = NDArray[np.float64]

RESOLUTIONS = tuple(Resolution(size, edge) for size, edge in ((1.4, 0.14), (1.0, 0.1), (0.8, 0.07)))
"""Of successive meshes."""
MAX_PANELS = 60_000
"""Panels of one FastCap2 run at most: some gigabytes."""
MAX_ASYMMETRY = 0.05
"""Largest difference of a coupling's two directions, and largest coupling of the wrong sign, as shares of the driven
terminals' own capacitances: more is no matter of a mesh."""


@dataclass(frozen=True)
class Couplings:
    """Maxwell capacitances ``farad`` [terminals, driven]: charge of each of ``terminals`` per volt on each of the
    ``driven`` ones, F. ``change``: largest relative change in the last refinement (nan: not refined); ``panels``: of
    the last mesh."""

    terminals: tuple[str, ...]
    driven: tuple[str, ...]
    farad: Floats
    change: float
    panels: int

    def charge(self, on: str, by: Sequence[str]) -> float:
        """Charge in F on a terminal per volt on all the driven terminals ``by`` together."""
        row = self.farad[self.terminals.index(on)]
        return float(sum(row[self.driven.index(name)] for name in by))

    def between(self, driven: str, terminal: str) -> float:
        """Coupling of a driven terminal to another one, F."""
        return -self.charge(terminal, [driven])

    def total(self, driven: str) -> float:
        """Capacitance of a driven terminal to all others and the plane, F."""
        return self.charge(driven, [driven])

    def to_plane(self, driven: str) -> float:
        """Capacitance of a driven terminal to the grounded plane and infinity, F."""
        return float(self.farad[:, self.driven.index(driven)].sum())


Judged = Callable[[Couplings], tuple[Floats, Floats]]
"""What must converge: values read from couplings, and the size that the change of each is compared with."""


def solve_couplings(
    geometry: Geometry, driven: Sequence[str], judged: Judged, tolerance: float, timeout_s: float
) -> Couplings:
    """Couplings of the ``driven`` nets and parts to all nets by FastCap2, on meshes refined until what is ``judged``
    changes by no more than ``tolerance``, relative.

    Raises :class:`InputError` for geometries that overlap, where it does not converge, contradicts itself or needs
    more than ``timeout_s``, and where FastCap2 is missing or fails.
    """
    deadline = time.monotonic() + timeout_s
    previous: Couplings | None = None
    for resolution in RESOLUTIONS:
        panels = make_panels(geometry, resolution)
        if len(panels) * (1 + geometry.grounded_plane) > MAX_PANELS:
            break
        left = max(deadline - time.monotonic(), 1.0)
        matrix = fastcap_columns(panels, driven, geometry.permittivity, geometry.grounded_plane, left)
        couplings = couplings_of(panels, driven, matrix)
        if previous is not None:
            old, (new, scale) = judged(previous)[0], judged(couplings)
            couplings = replace(couplings, change=float((np.abs(new - old) / scale).max()))
            if couplings.change <= tolerance:
                return couplings
        previous = couplings
    if previous is None:
        raise InputError(f"field solver: {len(panels)} panels are too many: use the analytic mode or a simpler layout")
    raise InputError(
        f"field solver: couplings still change by {previous.change:.1%} at {previous.panels} panels, more than "
        f"{tolerance:.1%}: allow a larger tolerance, use the analytic mode or remove details far smaller than the cell"
    )


def couplings_of(panels: Panels, driven: Sequence[str], farad: Floats) -> Couplings:
    """``farad`` [terminals, driven] with its names, the mean of both directions between conductors. Raises
    :class:`InputError` where it is no matrix of capacitances: wrong signs, directions that differ.

    Parts of one conductor touch, so that what is between them grows without limit as panels shrink: they keep both
    directions, of which the sum over a driven line has no step in voltage and is right.
    """
    terminals = panels.terminals
    rows = [terminals.index(name) for name in driven]
    own = farad[rows, np.arange(len(rows))]
    if not np.isfinite(farad).all() or (own <= 0).any():
        raise InputError("field solver: a self-capacitance is not positive: check the layout for shapes that touch")
    wrong = farad > MAX_ASYMMETRY * own
    wrong[rows, np.arange(len(rows))] = False
    if wrong.any():
        n, k = np.argwhere(wrong)[0]
        raise InputError(
            f"field solver: {driven[k]} and {terminals[n]} have a negative coupling: use the analytic mode or a "
            "simpler layout"
        )
    both = farad[rows]
    nets = np.array([panels.nets[k] for k in rows])
    apart = nets[:, None] != nets
    differs = apart & (np.abs(both - both.T) > MAX_ASYMMETRY * np.sqrt(np.multiply.outer(own, own)))
    if differs.any():
        n, k = np.argwhere(differs)[0]
        raise InputError(
            f"field solver: the coupling of {driven[k]} and {driven[n]} differs by direction, {both[n, k]:g} and "
            f"{both[k, n]:g} F: use the analytic mode or a simpler layout"
        )
    farad = farad.copy()
    farad[rows] = np.where(apart, (both + both.T) / 2, both)
    return Couplings(terminals, tuple(driven), farad, float("nan"), len(panels))
