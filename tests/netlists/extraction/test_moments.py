"""The closed form: known capacitances, and what every matrix of capacitances obeys."""

from __future__ import annotations

import math

import numpy as np
import pytest
from geometries import BLOCK_TABLE, UM, block, by_moments, cube, plates, solid
from hypothesis import given, settings
from hypothesis import strategies as st

from netlists.errors import InputError
from netlists.extraction import moments
from netlists.extraction.field import couplings_of
from netlists.extraction.moments import panel_charges, plane_charge
from netlists.extraction.panels import Geometry, Resolution, make_panels
from netlists.stack import VACUUM_PERMITTIVITY

COARSE = Resolution(1.5, edge=0.3)


def test_cube_in_free_space() -> None:
    _, matrix = by_moments(Geometry((cube(1.0),), 1.0, False), Resolution(0.25, edge=0.2))
    assert matrix[0, 0] == pytest.approx(0.660678 * 4 * math.pi * VACUUM_PERMITTIVITY * UM, rel=0.0025, abs=0)


def test_wide_plate_near_the_plane_is_a_plate_capacitor() -> None:
    errors = []
    for side in (5.0, 20.0):
        _, matrix = by_moments(Geometry((plates(side, 0.5),), 4.0, True), Resolution(4.0, edge=0.3))
        errors.append(matrix[0, 0] / (4 * VACUUM_PERMITTIVITY * (side * UM) ** 2 / (0.5 * UM)) - 1)
    assert 0 < errors[1] < 0.35 * errors[0]
    assert errors[1] < 0.25


@settings(max_examples=12)
@given(st.integers(30, 200), st.integers(20, 100), st.integers(20, 100), st.floats(1, 8), st.booleans())
def test_matrix_of_capacitances(gap: int, width: int, height: int, permittivity: float, plane: bool) -> None:
    a = solid("A", 0, 0, 0.4, 1, width / 100, 0.4 + height / 100)
    b = solid("B", 0, (width + gap) / 100, 0.6, 1, (width + gap) / 100 + 0.3, 1.0)
    _, matrix = by_moments(Geometry((a, b), permittivity, plane), COARSE)
    own = np.sqrt(np.multiply.outer(np.diag(matrix), np.diag(matrix)))
    assert np.abs(matrix - matrix.T).max() < 0.01 * own.max()
    assert (np.diag(matrix) > 0).all() and matrix[0, 1] < 0 and (matrix.sum(axis=0) > 0).all()
    _, doubled = by_moments(Geometry((a, b), 2 * permittivity, plane), COARSE)
    np.testing.assert_allclose(doubled, 2 * matrix, rtol=1e-9)


def test_capacitance_grows_as_the_size() -> None:
    small, large = (
        by_moments(Geometry((cube(s, 0.7 * s), solid("B", 2 * s, 0, s, 3 * s, s, 2 * s)), 4.0, True), COARSE)[1]
        for s in (0.5, 1.5)
    )
    np.testing.assert_allclose(large, 3 * small, rtol=1e-6)


@pytest.mark.parametrize("plane", [True, False])
def test_coupling_falls_with_distance(plane: bool) -> None:
    couplings = []
    for gap in (0.2, 0.4, 0.8, 1.6):
        boxes = (cube(1.0, 0.5), solid("B", 1 + gap, 0, 0.5, 2 + gap, 1, 1.5))
        couplings.append(-by_moments(Geometry(boxes, 4.0, plane), COARSE)[1][0, 1])
    assert couplings == sorted(couplings, reverse=True) and couplings[-1] > 0


def test_what_ends_on_the_plane_is_all_there_is() -> None:
    geometry = Geometry((cube(1.0, 0.5), solid("B", 2, 0, 0.5, 3, 1, 1.5)), 4.0, True)
    panels = make_panels(geometry, COARSE)
    charges = panel_charges(panels, ["A"], 4.0, True)[:, 0]
    far = 1e4 * UM
    assert plane_charge(panels, charges, (-far, -far), (far, far)) == pytest.approx(-charges.sum(), rel=1e-3, abs=0)
    left = plane_charge(panels, charges, (-far, -far), (0.3 * UM, far))
    right = plane_charge(panels, charges, (0.3 * UM, -far), (far, far))
    assert left + right == pytest.approx(-charges.sum(), rel=1e-3, abs=0)
    assert left < 0 and right < 0


def test_far_panels_may_stand_as_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    geometry = Geometry((cube(1.0, 0.5), solid("B", 1.3, 0, 0.5, 3, 1, 1.5)), 4.0, True)
    fast = by_moments(geometry, COARSE)[1]
    monkeypatch.setattr(moments, "FAR", 1e9)
    np.testing.assert_allclose(fast, by_moments(geometry, COARSE)[1], rtol=2e-4)


def test_block_is_within_three_percent_of_another_program() -> None:
    panels, matrix = by_moments(block(), Resolution(2.0, edge=0.2, far=1.0))
    for (a, b), table in BLOCK_TABLE.items():
        value = abs(matrix[panels.terminals.index(a), panels.terminals.index(b)]) * 1e18
        assert value == pytest.approx(table, rel=0.03, abs=0), (a, b)


def test_too_many_panels_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moments, "MAX_PANELS", 10)
    panels = make_panels(Geometry((cube(1.0, 0.5),), 4.0, True), COARSE)
    with pytest.raises(InputError, match="panels are more than 10: solve fewer cells"):
        panel_charges(panels, ["A"], 4.0, True)


def test_wrong_matrices_are_refused() -> None:
    panels = make_panels(Geometry((cube(1.0, 0.5), solid("B", 2, 0, 0.5, 3, 1, 1.5)), 4.0, True), COARSE)
    good = np.array([[3.0, -1.0], [-1.0, 3.0]]) * 1e-16
    assert couplings_of(panels, ["A", "B"], good).between("A", "B") == pytest.approx(1e-16, abs=0)
    for bad, message in (
        ([[3, -1], [-2, 3]], "differs by direction"), ([[3, 1], [1, 3]], "negative coupling"),
        ([[-3, -1], [-1, 3]], "not positive"), ([[3, math.nan], [-1, 3]], "not positive"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            couplings_of(panels, ["A", "B"], np.array(bad) * 1e-16)
