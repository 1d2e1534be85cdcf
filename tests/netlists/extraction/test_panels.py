"""Panels tile the surface, take the terminals of the parts they lie in, and are never slivers."""

from __future__ import annotations

import numpy as np
import pytest
from geometries import UM, cube, solid
from hypothesis import given
from hypothesis import strategies as st

from netlists.extraction.panels import Geometry, Panels, Part, Resolution, make_panels


def _areas(panels: Panels) -> np.ndarray:
    """um²"""
    extent = (panels.high - panels.low) / UM
    return np.where(extent > 0, extent, 1.0).prod(axis=1)


@given(st.tuples(*[st.integers(5, 300)] * 3), st.floats(0.4, 4), st.floats(0.05, 1), st.booleans())
def test_panels_tile_a_box(sides: tuple[int, int, int], coarseness: float, edge: float, plane: bool) -> None:
    a, b, c = (n / 100 for n in sides)
    geometry = Geometry((solid("A", 0, 0, 0.3, a, b, 0.3 + c),), 4.0, plane)
    panels = make_panels(geometry, Resolution(coarseness, edge))
    assert _areas(panels).sum() == pytest.approx(2 * (a * b + b * c + c * a), rel=1e-9, abs=0)
    extent = np.sort(panels.high - panels.low, axis=1)[:, 1:]
    assert extent.min() > 0.02 * edge * coarseness * min(a, b, c, 0.45) * UM
    assert extent.max() <= coarseness * min(a, b, c) * UM * (1 + 1e-9)


def test_smaller_coarseness_and_edges_give_more_panels() -> None:
    geometry = Geometry((cube(1.0, 0.5),), 4.0, True)
    counts = [len(make_panels(geometry, Resolution(c, e))) for c, e in ((2.0, 1.0), (1.0, 1.0), (1.0, 0.2), (0.5, 0.1))]
    assert counts == sorted(set(counts))


def test_parts_own_the_panels_within_them() -> None:
    line = solid("A", 0, 0, 1, 3, 0.3, 1.5)
    part = Part("A/1", "A", (1 * UM, -1.0, 0.0), (2 * UM, 1.0, 1.0))
    panels = make_panels(Geometry((line,), 4.0, True, (part,)), Resolution(1.0))
    mine = panels.owner == panels.terminals.index("A/1")
    assert panels.low[mine, 0].min() == pytest.approx(1 * UM)
    assert panels.high[mine, 0].max() == pytest.approx(2 * UM)
    assert _areas(panels)[mine].sum() == pytest.approx(1 * 2 * (0.3 + 0.5))


def test_a_border_beside_an_edge_by_rounding_cuts_no_sliver() -> None:
    box = cube(1.4, 0.3)
    part = Part("A/0", "A", (0.0, 0.0, 0.0), (1.4 * UM * (1 - 1e-12), 1.0, 1.0))
    panels = make_panels(Geometry((box,), 4.0, True, (part,)), Resolution(1.0))
    assert np.sort(panels.high - panels.low, axis=1)[:, 1].min() > 0.01 * UM


def test_panels_are_larger_away_from_the_focus_and_smaller_at_gaps() -> None:
    line = solid("A", 0, 0, 1, 9, 0.3, 1.3)
    focus = ((0.0, -UM, 0.0), (2 * UM, UM, 1.0))
    panels = make_panels(Geometry((line,), 4.0, True, (), focus), Resolution(1.0))
    length = (panels.high - panels.low)[:, 0]
    near = panels.high[:, 0] <= 2 * UM * (1 + 1e-9)
    assert length[near].max() <= 0.3 * UM * (1 + 1e-9) < length[~near].max()
    with_gap = Geometry((line, solid("B", 0, 0.34, 1, 9, 0.7, 1.3)), 4.0, True)
    alone = make_panels(Geometry((line,), 4.0, True), Resolution(1.0))
    assert len(make_panels(with_gap, Resolution(1.0))) > 4 * len(alone)
