"""SPICE's numbers, assignments and parameters."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlists.devices.expressions import Parameters, assignments
from netlists.errors import InputError
from netlists.spice_number import spice_number


@pytest.mark.parametrize(
    ("text", "value"),
    [("1.5u", 1.5e-6), ("2MEG", 2e6), ("3m", 3e-3), ("8E-6", 8e-6), ("1e3k", 1e6), ("5uF", 5e-6), ("-.5", -0.5)],
)
def test_numbers(text, value):
    assert spice_number(text) == value


@pytest.mark.parametrize("text", ["", "x", "{1}", "1+1", "1.2.3", "u"])
def test_what_is_no_number(text):
    assert spice_number(text) is None


def test_assignments():
    text = ".model nm nmos (level = 8, a={x*(1+y)} b='max(1, 2)' Cc=1u)"
    assert assignments(text) == {"level": "8", "a": "{x*(1+y)}", "b": "'max(1, 2)'", "cc": "1u"}
    assert assignments(".param p = {0.0+f*5.5e-09} + s*AGAUSS(0,1.5e-09,1)") == {
        "p": "{0.0+f*5.5e-09} + s*AGAUSS(0,1.5e-09,1)"
    }


def test_parameters_refer_to_each_other_and_random_ones_have_their_mean():
    known = Parameters({"a": "{2*b}", "b": "'w^2 + agauss(0, 1, 3)'", "c": "{sqrt(a)/-2}"}, {"w": 3.0})
    assert (known.value("{a}"), known.value("{c}"), known.value("1k")) == (18.0, -(18.0**0.5) / 2, 1000.0)


@pytest.mark.parametrize("text", ["{x}", "{a}", "{exec('x')}", "{1/0}", "{w.real}", "{(1,2)}", "{[1]}", "{" * 99])
def test_anything_else_is_refused(text):
    with pytest.raises(InputError):
        Parameters({"a": "{b}", "b": "{a}"}, {"w": 1.0}).value(text)


@given(text=st.text(alphabet="0123456789.+-*/^(){}eagsqrt,' ", max_size=40))
def test_any_text_has_a_value_or_is_refused(text):
    with suppress(InputError):
        assert isinstance(Parameters({}, {}).value(text), float)
