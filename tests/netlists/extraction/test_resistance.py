"""Resistance of wires: squares, vias in series and parallel, and points that nothing joins."""

from __future__ import annotations

import pytest
from geometries import UM
from hypothesis import given
from hypothesis import strategies as st

from netlists.errors import InputError
from netlists.extraction.resistance import resistance
from netlists.layout.conductors import Conductor
from netlists.stack import load_stack

STACK = load_stack("generic180")


def _box(layer: str, x0: float, y0: float, x1: float, y1: float, net: str = "W") -> Conductor:
    return Conductor(net, layer, (x0 * UM, y0 * UM, x1 * UM, y1 * UM))


def _via(x: float, y: float, layer: str = "via1") -> Conductor:
    half = STACK.cut(layer).size / UM / 2
    return _box(layer, x - half, y - half, x + half, y + half)


def _point(layer: str, x: float, y: float) -> tuple[str, float, float]:
    return layer, x * UM, y * UM


WIRE = [_box("metal1", 0, 0, 99.8, 0.23), _via(99.8, 0.115), _box("metal2", 99.8, -0.065, 149.8, 0.295)]


def test_wire_with_via() -> None:
    """99.8 um of 0.23 um metal1, a via, 50 um of 0.36 um metal2."""
    ohms = resistance(WIRE, STACK, _point("metal1", 0, 0.115), _point("metal2", 149.8, 0.115))
    assert ohms == pytest.approx(56.05, rel=1e-3, abs=0)


@given(st.integers(5, 90), st.integers(1, 60), st.integers(23, 200))
def test_squares(start: int, length: int, width: int) -> None:
    wire = [_box("metal1", 0, 0, 200, width / 100)]
    a, b = _point("metal1", start, width / 200), _point("metal1", start + length, width / 200)
    expected = 0.09 * length / (width / 100)
    assert resistance(wire, STACK, a, b) == pytest.approx(expected, rel=0.01, abs=0)
    assert resistance(wire, STACK, b, a) == pytest.approx(resistance(wire, STACK, a, b), rel=1e-9, abs=0)


def test_two_vias_halve_their_part() -> None:
    ends = _point("metal1", 0, 0.2), _point("metal2", 60, 0.2)
    one = [_box("metal1", 0, 0, 30, 0.4), _box("metal2", 29, 0, 60, 0.4), _via(29.5, 0.2)]
    single = resistance(one, STACK, *ends)
    assert single == pytest.approx(0.09 * (29.5 + 30.5) / 0.4 + 4.5, rel=0.01, abs=0)
    double = resistance([*one[:2], _via(29.2, 0.2), _via(29.8, 0.2)], STACK, *ends)
    assert double == pytest.approx(single - 2.25, abs=0.2)


def test_contacts_count_whatever_they_stand_on() -> None:
    for layer, sheet in (("poly", 7.3), ("diffusion", 6.3)):
        wire = [_box("metal1", 0, 0, 10, 0.3), _via(9.5, 0.15, "contact"), _box(layer, 9, 0, 20, 0.3)]
        ohms = resistance(wire, STACK, _point("metal1", 0.5, 0.15), _point(layer, 19.5, 0.15))
        assert ohms == pytest.approx(0.09 * 9 / 0.3 + 6 + sheet * 10 / 0.3, rel=0.01, abs=0)


@pytest.mark.parametrize(
    ("shapes", "end", "message"),
    [
        ([WIRE[0], WIRE[2]], _point("metal2", 149, 0.1), "W: nothing joins the two points"),
        (WIRE, _point("metal2", 10, 0.1), r"W: no shape on metal2 at 10, 0\.1 um"),
        (WIRE, _point("metal9", 10, 0.1), "no shape on metal9"),
        ([*WIRE, _box("metal1", 0, 1, 1, 2, "V")], _point("metal1", 5, 0.1), r"shapes of 2 nets \(V, W\)"),
        ([_box("metal9", 0, 0, 1, 1)], _point("metal1", 5, 0.1), "no layer is named 'metal9'"),
    ],
)
def test_bad_wires(shapes: list[Conductor], end: tuple[str, float, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        resistance(shapes, STACK, _point("metal1", 0.5, 0.1), end)
