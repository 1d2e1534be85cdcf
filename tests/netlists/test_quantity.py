"""Quantities: every prefix and unit, refusals, exactness and the round trip through text."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlists import quantity as q

POWERS = {
    "a": -18, "f": -15, "p": -12, "n": -9, "u": -6, "µ": -6, "μ": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9,
}  # fmt: skip
DIMENSIONS = [q.VOLTAGE, q.CURRENT, q.CAPACITANCE, q.RESISTANCE, q.TIME, q.LENGTH, q.TEMPERATURE, q.DECIBEL]
SCALED = [d for d in DIMENSIONS if d.offset == 0]
finite = st.floats(allow_nan=False, allow_infinity=False)


def test_all_prefixes_are_tested():
    assert set(POWERS) == set(q.PREFIXES)


@pytest.mark.parametrize("prefix", POWERS)
@pytest.mark.parametrize("dimension", SCALED, ids=lambda d: d.name)
def test_prefix_is_an_exact_power_of_ten(dimension, prefix):
    for unit in dimension.units:
        expected = float(f"24.5e{POWERS[prefix]}")
        assert dimension.parse(f"24.5 {prefix}{unit}") == expected
        assert dimension.parse(f" +24.5{prefix}{unit}\n") == expected
        assert dimension.parse(f"-2.45e1 {prefix}{unit}") == -expected


def test_prefixes_tell_case_apart():
    assert q.RESISTANCE.parse("1 mohm") * 1e9 == pytest.approx(q.RESISTANCE.parse("1 Mohm"))


def test_temperature_is_kelvin_inside():
    assert q.TEMPERATURE.parse("27 degC") == 300.15
    assert q.TEMPERATURE.parse("-40 °C") == pytest.approx(233.15)


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=lambda d: d.name)
def test_own_example_is_right(dimension):
    assert math.isfinite(dimension.parse(dimension.example))


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=lambda d: d.name)
def test_foreign_unit_is_refused_with_the_example(dimension):
    for other in DIMENSIONS:
        if other is not dimension:
            with pytest.raises(ValueError, match=dimension.name) as caught:
                dimension.parse(other.example)
            assert dimension.example in str(caught.value)


@pytest.mark.parametrize("value", [1, 1.5, True, None, [], {}, math.nan, b"1 V"])
def test_numbers_without_unit_are_refused(value):
    with pytest.raises(ValueError, match="needs a unit"):
        q.VOLTAGE.parse(value)


@pytest.mark.parametrize(
    "text", ["", "1", "1.2.3 V", "V", "one V", "1,2 V", "1 V V", "1 xV", "1 k V", "nan V", "inf V", "1e999 V", "0x10 V",
             "1 mmV", "1 v", "1 VV", "--1 V", "1 V;", "1e V"]
)  # fmt: skip
def test_malformed_text_is_refused(text):
    with pytest.raises(ValueError):
        q.VOLTAGE.parse(text)


def test_temperature_takes_no_prefix():
    with pytest.raises(ValueError):
        q.TEMPERATURE.parse("27 mdegC")


@pytest.mark.parametrize("dimension", SCALED, ids=lambda d: d.name)
@given(value=finite)
def test_text_reads_back_to_the_same_number(dimension, value):
    assert dimension.parse(dimension.text(value)) == value


@given(celsius=st.floats(-273.15, 500))
def test_temperature_text_is_stable(celsius):
    kelvin = q.TEMPERATURE.parse(f"{celsius!r} degC")
    assert q.TEMPERATURE.parse(q.TEMPERATURE.text(kelvin)) == kelvin


@given(text=st.text(max_size=30))
def test_any_text_is_a_finite_number_or_a_value_error(text):
    try:
        assert math.isfinite(q.CAPACITANCE.parse(text))
    except ValueError as error:
        assert str(error)
