"""Boxes from conductors, and the outer surface of each net."""

from __future__ import annotations

import numpy as np
import pytest
from geometries import UM, cube, solid
from hypothesis import given
from hypothesis import strategies as st

from netlists.errors import InputError
from netlists.extraction.solids import Face, outer_faces, solids_of
from netlists.layout.conductors import Conductor
from netlists.stack import load_stack

STACK = load_stack("generic180")


def _area(faces: list[Face]) -> float:
    """um²"""
    total = 0.0
    for face in faces:
        u, v = (k for k in range(3) if k != face.axis)
        total += (face.high[u] - face.low[u]) * (face.high[v] - face.low[v]) / UM**2
    return total


@given(st.lists(st.tuples(*[st.integers(0, 12)] * 2, *[st.integers(1, 8)] * 2), min_size=1, max_size=6))
def test_surface_of_a_union_is_that_of_its_grid_cells(rectangles: list[tuple[int, int, int, int]]) -> None:
    filled = np.zeros((24, 24), dtype=int)
    boxes = []
    for x, y, w, h in rectangles:
        filled[x + 1 : x + 1 + w, y + 1 : y + 1 + h] = 1
        boxes.append(solid("A", x / 10, y / 10, 0.3, (x + w) / 10, (y + h) / 10, 0.8))
    sides = sum(int(np.abs(np.diff(filled, axis=k)).sum()) for k in (0, 1))
    assert _area(outer_faces(boxes)) == pytest.approx(2 * filled.sum() * 0.01 + sides * 0.1 * 0.5, rel=1e-9, abs=0)


@pytest.mark.parametrize("upper", [0.2, 1.0])
def test_stacked_boxes_have_no_faces_on_top_of_each_other(upper: float) -> None:
    pad, post = solid("A", 0, 0, 1, 1, 1, 2), solid("A", 0, 0, 2, upper, upper, 3)
    faces = outer_faces([pad, post])
    between = [f for f in faces if f.axis == 2 and f.low[2] == pytest.approx(2 * UM)]
    assert len(between) == 1  # the smaller box's lid is gone


def test_overlaps_and_empty_boxes_are_refused() -> None:
    with pytest.raises(InputError, match="B and A: overlap at 0\\.75, 0\\.75 um"):
        outer_faces([cube(1.0, 0.5), solid("B", 0.5, 0.5, 0.6, 1.5, 1.5, 0.9)])
    with pytest.raises(InputError, match="A: has overlapping boxes of different heights"):
        outer_faces([cube(1.0, 0.5), solid("A", 0.5, 0.5, 0.6, 1.5, 1.5, 0.9)])
    with pytest.raises(InputError, match="thinner than a nanometre"):
        outer_faces([solid("A", 0, 0, 1, 1, 1e-5, 2)])


def test_z_comes_from_the_stack() -> None:
    square = (0.0, 0.0, 1 * UM, 1 * UM)
    drawn = [Conductor("A", "poly", square), Conductor("A", "contact", square), Conductor("A", "metal1", square)]
    poly, contact, metal = solids_of(drawn, STACK)
    assert (poly.low[2], poly.high[2]) == (STACK.poly.height, STACK.poly.top)
    assert (contact.low[2], contact.high[2]) == (poly.high[2], metal.low[2])


def test_contact_on_diffusion_stands_above_the_plane_and_diffusion_is_part_of_it() -> None:
    square = (0.0, 0.0, 1 * UM, 1 * UM)
    (contact,) = solids_of([Conductor("A", "diffusion", square), Conductor("A", "contact", square)], STACK)
    assert 0 < contact.low[2] < STACK.poly.height


def test_contact_on_nothing_names_its_place() -> None:
    with pytest.raises(InputError, match=r"A: its contact at 0\.5, 0\.5 um stands on none of diffusion, poly"):
        solids_of([Conductor("A", "contact", (0.0, 0.0, 1 * UM, 1 * UM))], STACK)
    with pytest.raises(InputError, match="no layer is named 'metal9'"):
        solids_of([Conductor("A", "metal9", (0.0, 0.0, 1 * UM, 1 * UM))], STACK)
