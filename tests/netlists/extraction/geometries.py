"""Geometries with known or simple capacitances, for the tests of this folder."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from netlists.extraction.fastcap import fastcap_columns
from netlists.extraction.field import Couplings
from netlists.extraction.moments import panel_charges, terminal_charges
from netlists.extraction.panels import Geometry, Panels, Resolution, make_panels
from netlists.extraction.solids import Solid

Floats = NDArray[np.float64]
UM = 1e-6

BLOCK_TABLE = {
    ("FG00", "FG01"): 5.8, ("FG00", "FG10"): 4.0, ("FG00", "WL0"): 24.5, ("FG00", "WL1"): 11.1, ("FG00", "BL0"): 2.8,
    ("FG00", "SUB"): 123.0, ("WL0", "WL1"): 53.0, ("BL0", "BL1"): 108.0, ("WL0", "BL0"): 64.0, ("FG00", "FG00"): 175.0,
}  # fmt: skip
"""aF; another program's solution of :func:`block` on uniform panels of 0.12 um, 0.1 um on the gates."""


def solid(net: str, x0: float, y0: float, z0: float, x1: float, y1: float, z1: float) -> Solid:
    """A box in micrometres."""
    return Solid(net, (x0 * UM, y0 * UM, z0 * UM), (x1 * UM, y1 * UM, z1 * UM))


def cube(side: float, above: float = 0.0, net: str = "A") -> Solid:
    """A cube in micrometres, ``above`` the plane."""
    return solid(net, 0, 0, above, side, side, above + side)


def plates(side: float, gap: float, net: str = "P") -> Solid:
    """A square plate, thin and ``gap`` above the plane z = 0, in micrometres."""
    return solid(net, 0, 0, gap, side, side, gap + side / 50)


def block() -> Geometry:
    """Two rows and two columns of word lines, bit lines and floating gates over a finite substrate plate."""
    boxes = [solid("SUB", -3, -3, -0.3, 5.8, 5.8, 0)]
    boxes += [solid(f"WL{r}", 0, 1.4 * r, 1.23, 2.8, 1.4 * r + 0.23, 1.78) for r in (0, 1)]
    boxes += [solid(f"BL{c}", 1.4 * c + 0.3, -0.5, 2.38, 1.4 * c + 0.58, 3.0, 2.93) for c in (0, 1)]
    boxes += [
        solid(f"FG{r}{c}", 1.4 * c + 0.2, 1.4 * r + 0.3, 0.32, 1.4 * c + 0.9, 1.4 * r + 0.7, 0.52)
        for r in (0, 1) for c in (0, 1)
    ]  # fmt: skip
    return Geometry(tuple(boxes), 4.0, grounded_plane=False)


def by_moments(geometry: Geometry, resolution: Resolution) -> tuple[Panels, Floats]:
    """All Maxwell capacitances in F, in closed form."""
    panels = make_panels(geometry, resolution)
    charges = panel_charges(panels, panels.terminals, geometry.permittivity, geometry.grounded_plane)
    return panels, terminal_charges(panels, charges)


def every_coupling(couplings: Couplings) -> tuple[Floats, Floats]:
    """All couplings, each judged by itself, or by a small part of the driven terminal's own where it is smaller."""
    sizes = np.abs(couplings.farad)
    return couplings.farad, np.maximum(sizes, 0.005 * sizes.max(axis=0))


def by_fastcap(geometry: Geometry, resolution: Resolution) -> tuple[Panels, Floats]:
    """All Maxwell capacitances in F, by FastCap2."""
    panels = make_panels(geometry, resolution)
    return panels, fastcap_columns(panels, panels.terminals, geometry.permittivity, geometry.grounded_plane, 300.0)
