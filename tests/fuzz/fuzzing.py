"""What all fuzz tests share: how many cases each runs, what a case may end in, and the values and mutations they draw.

A case ends in a usable value without a number that is not finite, or in ``ValueError`` (of which ``InputError`` is one)
with a line that says something; anything else, a ``RuntimeWarning`` included, fails the test.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

LONG = 9
"""A long run has this many times the default run's cases beside them."""
LONGEST_S = 20.0
"""For one case, on a busy machine."""

counted: dict[str, int] = {}
"""Cases of every fuzz test of the default run, by module and name."""


def fuzz(cases: int, strategy: st.SearchStrategy[Any]) -> Callable[[Callable[[Path, Any], object]], Any]:
    """Makes a function of a folder and a drawn case a test of that many ``cases`` (``LONG`` times as many beside them
    in a long run), all drawn the same way each time."""

    def decorate(one: Callable[[Path, Any], object]) -> Any:
        name = f"{one.__module__}.{one.__name__}"
        assert name not in counted, name
        counted[name] = cases

        @pytest.mark.parametrize("wanted", [cases, pytest.param(LONG * cases, marks=pytest.mark.long)])
        def test(wanted: int, tmp_path: Path) -> None:
            done = 0

            @settings(max_examples=wanted, deadline=None, suppress_health_check=list(HealthCheck))
            @given(case=strategy)
            def run(case: Any) -> None:
                nonlocal done
                done += 1
                began = time.perf_counter()
                one(tmp_path, case)
                assert time.perf_counter() - began < LONGEST_S

            run()
            assert done >= wanted, f"{done} of {wanted} cases were drawn"

        test.__doc__ = one.__doc__
        return test

    return decorate


def attempt(
    function: Callable[..., Any], *arguments: Any, errors: tuple[type[Exception], ...] = (ValueError,),
    finite: bool = True,
) -> Any:  # fmt: skip
    """The value of ``function``, every number in it ``finite``; None where it refuses the arguments in one line."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            value = function(*arguments)
        except errors as error:
            text = str(error)
            assert len(text) > 5 and "\n" not in text, f"{type(error).__name__}: {text!r}"
            return None
    if finite:
        assert_finite(value)
    return value


def assert_finite(value: Any, where: str = "result") -> None:
    """Fails on a number that is not finite anywhere in ``value``."""
    if isinstance(value, torch.nn.Module):
        assert_finite(dict(value.state_dict()), where)
    elif isinstance(value, torch.Tensor):
        assert bool(torch.isfinite(value).all()), where
    elif isinstance(value, np.ndarray):
        assert value.dtype.kind not in "fc" or bool(np.isfinite(value).all()), where
    elif isinstance(value, float):
        assert math.isfinite(value), where
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            assert_finite(getattr(value, field.name), f"{where}.{field.name}")
    elif isinstance(value, Mapping):
        for key, held in value.items():
            assert_finite(held, f"{where}[{key!r}]")
    elif isinstance(value, list | tuple):
        for k, held in enumerate(value):
            assert_finite(held, f"{where}[{k}]")


EDGE_FLOATS = [
    0.0, -0.0, 1.0, -1.0, 5e-324, -5e-324, 1e-310, 1e-30, 1e-9, 1e-6, 1e3, 1e30, 1e154, 1e300, 1.7e308, -1.7e308,
    math.nan, math.inf, -math.inf, 2.0**53, 0.1,
]  # fmt: skip
EDGE_TEXTS = [
    "", " ", "nan", "inf", "-1", "1e999", "1_000", "0x10", "1 V", "-1 V", "1e999 V", "1e-999 V", "1 ohm", "1 us", "0 s",
    "1 kV ", "x" * 300, "9" * 300, "a\nb", "\x00", "\x1b[2J", "\ud800", "ä", "../x", "{}", "[]", "null", "true", "١ V",
    "<script>", "{{7*7}}", "%s", "\u2028",
]  # fmt: skip
floats = st.sampled_from(EDGE_FLOATS) | st.floats()
integers = st.sampled_from([0, 1, -1, 2, 3, 17, 4096, 4097, 2**31, 2**63, -(2**63), 10**30, 10**400]) | st.integers()
texts = st.sampled_from(EDGE_TEXTS) | st.text(max_size=12)
odd = st.one_of(
    floats, integers, texts, st.sampled_from([None, True, False, [], {}, [[]], {"a": {}}, [1, 2], ["a"], [math.nan]])
)
"""A value that does not belong where it is put."""


@st.composite
def altered_bytes(draw: st.DrawFn, whole: bytes) -> bytes:
    """``whole`` with some bytes changed, cut out, repeated, put in or swapped, or cut short."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, max(len(content) - 1, 0)))
        end = min(start + draw(st.integers(1, 40)), len(content))
        kind = draw(st.sampled_from(["flip", "set", "cut", "repeat", "insert", "short", "swap"]))
        if kind == "flip" and content:
            content[start] ^= 1 << draw(st.integers(0, 7))
        elif kind == "set":
            content[start:end] = bytes([draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF, 0x0A]))]) * (end - start)
        elif kind == "cut":
            del content[start:end]
        elif kind == "repeat":
            content[start:start] = content[start:end] * draw(st.integers(1, 5))
        elif kind == "insert":
            content[start:start] = draw(st.binary(min_size=1, max_size=8) | texts.map(_encoded))
        elif kind == "short":
            del content[start:]
        else:
            content[start:end] = content[start:end][::-1]
    return bytes(content)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", errors="surrogatepass")


@st.composite
def altered_tree(draw: st.DrawFn, whole: Any) -> Any:
    """Nested dicts and lists with one or two entries replaced, left out, renamed or doubled."""
    tree = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 2))):
        places = [*_places(tree)]
        if not places:
            return draw(odd)
        holder, key = draw(st.sampled_from(places))
        kind = draw(st.sampled_from(["replace", "replace", "leave out", "rename", "wrap", "scale"]))
        if kind == "leave out":
            del holder[key]
        elif kind == "rename" and isinstance(holder, dict):
            holder[draw(texts)] = holder.pop(key)
        elif kind == "wrap":
            value = holder[key]
            holder[key] = draw(st.sampled_from([[value], {"x": value}, [value] * 3, str(value)]))
        elif kind == "scale" and isinstance(holder[key], int | float):
            holder[key] = holder[key] * draw(st.sampled_from([-1, 0, 1e-20, 1e20, 0.5, 2, 1.0000001]))
        else:
            holder[key] = draw(odd)
    return tree


def _places(tree: Any) -> Any:
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        yield tree, key
        if isinstance(value, dict | list):
            yield from _places(value)


@st.composite
def altered_array(draw: st.DrawFn, whole: np.ndarray) -> np.ndarray:
    """``whole`` with an entry, a row or all of it replaced, or of another shape or type."""
    array = np.array(whole)
    kind = draw(st.sampled_from(["entry", "entry", "all", "scale", "flat", "short", "more", "type", "empty"]))
    if kind == "entry" and array.size:
        array.flat[draw(st.integers(0, array.size - 1))] = _fitting(draw(floats), array.dtype)
    elif kind == "all":
        array[...] = _fitting(draw(floats), array.dtype)
    elif kind == "scale":
        with np.errstate(all="ignore"):
            array = (array * draw(st.sampled_from([-1.0, 0.0, 1e-300, 1e300, 1e-12, 1e12]))).astype(array.dtype)
    elif kind == "flat":
        array = array.reshape(-1)
    elif kind == "short":
        array = array[:-1] if array.ndim else array
    elif kind == "more":
        array = np.concatenate([array, array]) if array.ndim else array[None]
    elif kind == "type":
        array = array.astype(draw(st.sampled_from(["f4", "i8", "i1", "?", "c16", "S8", "U8", ">f8"])), casting="unsafe")
    elif kind == "empty":
        array = array[:0] if array.ndim else np.zeros(0)
    return array


def _fitting(value: float, dtype: np.dtype[Any]) -> Any:
    """``value`` in ``dtype``, clipped where it does not fit."""
    if dtype.kind in "iu":
        return int(max(min(value, 2**62), -(2**62))) if math.isfinite(value) else -1
    if dtype.kind == "b":
        return bool(value)
    return value if dtype.itemsize == 8 or not 3e38 < abs(value) < math.inf else math.inf
