"""Capacitance per length: known values, limits, and what every matrix of capacitances obeys."""

from __future__ import annotations

import numpy as np
import pytest
from geometries import UM
from hypothesis import given, settings
from hypothesis import strategies as st

from netlists.errors import InputError
from netlists.extraction.cross_section import Bar, LineCapacitances, Slab, line_capacitances
from netlists.stack import VACUUM_PERMITTIVITY


def _bar(net: str, x0: float, z0: float, x1: float, z1: float) -> Bar:
    return Bar(net, (x0 * UM, z0 * UM), (x1 * UM, z1 * UM))


def _pair(width: float, gap: float, bottom: float = 1.23, thickness: float = 0.55) -> list[Bar]:
    top = bottom + thickness
    return [_bar("A", 0, bottom, width, top), _bar("B", width + gap, bottom, 2 * width + gap, top)]


UNIFORM = [Slab(0.0, 4.0)]


def test_two_lines_of_metal1() -> None:
    """100 um of 0.23 um wide lines at 0.23 um, z 1.23 to 1.78 um: 12.75 fF by another finite-element solution."""
    found = line_capacitances(_pair(0.23, 0.23), UNIFORM)
    assert found.between("A", "B") * 100 * UM == pytest.approx(12.75e-15, rel=0.03, abs=0)
    assert found.change < 0.003


def test_wide_line_is_a_plate_capacitor_in_layers() -> None:
    """A gap of 0.2 um with two dielectrics in series, a line of 40 um: the fringe is a few per cent."""
    slabs = [Slab(0.0, 2.0), Slab(0.1 * UM, 8.0)]
    errors = []
    for width in (10.0, 40.0):
        found = line_capacitances([_bar("A", 0, 0.2, width, 0.4)], slabs)
        plate = VACUUM_PERMITTIVITY * width * UM / (0.1 * UM / 2.0 + 0.1 * UM / 8.0)
        errors.append(found.to_plane("A") / plate - 1)
    assert 0 < errors[1] < 0.35 * errors[0]
    assert errors[1] < 0.07


@settings(max_examples=3)
@given(st.floats(0.2, 0.6), st.floats(0.2, 0.6), st.floats(1, 9))
def test_matrix_of_capacitances(width: float, gap: float, permittivity: float) -> None:
    found = line_capacitances(_pair(width, gap), [Slab(0.0, permittivity)], tolerance=0.02)
    matrix = found.farad_per_m
    np.testing.assert_allclose(matrix, matrix.T, rtol=1e-9)
    np.testing.assert_allclose(matrix, matrix[::-1, ::-1], rtol=1e-3)  # mirrored
    assert matrix[0, 1] < 0 < found.to_plane("A")
    doubled = line_capacitances(_pair(width, gap), [Slab(0.0, 2 * permittivity)], tolerance=0.02)
    np.testing.assert_allclose(doubled.farad_per_m, 2 * matrix, rtol=1e-9)
    larger = line_capacitances(_pair(3 * width, 3 * gap, 3 * 1.23, 3 * 0.55), [Slab(0.0, permittivity)], 0.02)
    np.testing.assert_allclose(larger.farad_per_m, matrix, rtol=1e-6)  # per length: no size


def test_coupling_falls_with_spacing() -> None:
    found = [line_capacitances(_pair(0.23, gap), UNIFORM, 0.02) for gap in (0.23, 0.46, 0.92, 1.84)]
    couplings = [pair.between("A", "B") for pair in found]
    assert couplings == sorted(couplings, reverse=True)
    grounds = [pair.to_plane("A") for pair in found]
    assert grounds == sorted(grounds)


def test_a_line_between_two_shields_them_and_a_slab_between_lines_counts() -> None:
    def outer(found: LineCapacitances) -> float:
        return found.between("A", "B")

    ends = [_bar("A", 0, 1, 0.3, 1.5), _bar("B", 1.2, 1, 1.5, 1.5)]
    shielded = line_capacitances([*ends, _bar("S", 0.6, 1, 0.9, 1.5)], UNIFORM, 0.02)
    bare = line_capacitances(ends, UNIFORM, 0.02)
    assert outer(shielded) < 0.3 * outer(bare)
    nitride = line_capacitances(ends, [Slab(0.0, 4.0), Slab(1.5 * UM, 7.0)], 0.02)
    assert outer(bare) < outer(nitride) < 7 / 4 * outer(bare)


@pytest.mark.parametrize(
    ("bars", "slabs", "message"),
    [
        ([], UNIFORM, "0 bars"),
        ([_bar("A", 0, 0, 1, 1)], UNIFORM, "no bar above the plane"),
        ([_bar("A", 0, 1, 1, 1)], UNIFORM, "no bar above the plane"),
        ([_bar("A", 0, 1, 1, 2), _bar("B", 0.5, 1, 2, 2)], UNIFORM, "A and B: overlap"),
        ([_bar("A", 0, 1, 1, 2)], [Slab(1.0, 4.0)], "let them rise from 0"),
        ([_bar("A", 0, 1, 1, 2)], [], "let them rise from 0"),
    ],
)
def test_bad_cross_sections(bars: list[Bar], slabs: list[Slab], message: str) -> None:
    with pytest.raises(InputError, match=message):
        line_capacitances(bars, slabs)


def test_no_convergence_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netlists.extraction.cross_section.REFINEMENTS", 2)
    with pytest.raises(InputError, match="still change by"):
        line_capacitances(_pair(0.23, 0.23), UNIFORM, tolerance=1e-9)
