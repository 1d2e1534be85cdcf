"""ngspice's raw files: round trip, what ngspice puts before them, and damage of every kind."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.spice import rawfile
from cosim.spice.ngspice import run_deck
from cosim.spice.rawfile import read_raw


def _raw(vectors, flags="real", title="a title"):
    names = "".join(f"\t{k}\t{name}\t{'time' if k == 0 else 'voltage'}\n" for k, name in enumerate(vectors))
    values = np.array(list(vectors.values()), dtype="<f8")
    header = (
        f"Title: {title}\nDate: today\nPlotname: Transient Analysis\nFlags: {flags}\nNo. Variables: {len(vectors)}\n"
        f"No. Points: {values.shape[1]}\nVariables:\n{names}Binary:\n"
    )
    return header.encode() + values.T.tobytes()


SMALL = {"time": [0.0, 1.0, 2.0], "v(a)": [3.0, -4.0, 5e-20], "i(vclamp_0)": [1e-9, 2e-9, 3e-300]}


def _read(tmp_path, content):
    path = tmp_path / "x.raw"
    path.write_bytes(content)
    return read_raw(path)


def _same(vectors, expected):
    return list(vectors) == list(expected) and all(np.array_equal(vectors[k], expected[k]) for k in expected)


@given(points=st.integers(1, 20), count=st.integers(1, 10), seed=st.integers(0, 1000))
def test_round_trip(tmp_path_factory, points, count, seed):
    rng = np.random.default_rng(seed)
    vectors = {f"v(n_{k})": rng.standard_normal(points) for k in range(count)}
    assert _same(_read(tmp_path_factory.mktemp("raw"), _raw(vectors)), vectors)


def test_names_become_lower_case(tmp_path):
    assert list(_read(tmp_path, _raw({"TIME": [1.0], "V(Fg_0_0)": [2.0]}))) == ["time", "v(fg_0_0)"]


def test_lines_before_the_header_are_tolerated(tmp_path):
    assert _same(_read(tmp_path, b"Note: something\nWarning: else\n" + _raw(SMALL)), SMALL)


def test_the_last_of_several_plots_counts(tmp_path):
    assert _same(_read(tmp_path, _raw({"time": [7.0]}) + _raw(SMALL)), SMALL)


def test_trailing_bytes_are_tolerated(tmp_path):
    assert _same(_read(tmp_path, _raw(SMALL) + b"\n"), SMALL)


def test_every_truncation_is_an_error(tmp_path):
    whole = _raw(SMALL)
    for size in range(len(whole)):
        with pytest.raises(ValueError, match="raw"):
            _read(tmp_path, whole[:size])


def test_damaged_bytes_give_numbers_or_a_value_error(tmp_path):
    whole = _raw(SMALL)
    for k in range(len(whole)):
        for flip in (0xFF, 0x01, 0x20):
            damaged = bytearray(whole)
            damaged[k] ^= flip
            try:
                vectors = _read(tmp_path, bytes(damaged))
            except ValueError:
                continue
            assert len(vectors) == len(SMALL)


@pytest.mark.parametrize(
    "content", [b"", b"Title: x", b"\x89HDF\r\n", _raw(SMALL, flags="complex"), _raw({"time": []}),
                _raw(SMALL).replace(b"No. Points: 3", b"No. Points: 999999999999"),
                _raw(SMALL).replace(b"No. Variables: 3", b"No. Variables: 2"),
                _raw(SMALL).replace(b"v(a)", b"time")]
)  # fmt: skip
def test_foreign_or_senseless_files_are_refused(tmp_path, content):
    with pytest.raises(ValueError):
        _read(tmp_path, content)


def test_oversized_files_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(rawfile, "MAX_BYTES", 100)
    with pytest.raises(ValueError, match="larger"):
        _read(tmp_path, _raw(SMALL))


def test_what_ngspice_itself_writes(engine):
    """An RC low-pass after a step: names, the time axis and the end value are what the circuit says."""
    deck = (
        "RC\nV1 in 0 PULSE(0 1 1n 1n 1n 1 2)\nR1 in Out 1k\nC1 out 0 1p\n"
        ".save v(in) v(out) i(v1)\n.tran 1n 50n\n.end\n"
    )
    vectors = run_deck(engine, deck, 60)
    assert set(vectors) == {"time", "v(in)", "v(out)", "i(v1)"}
    assert np.all(np.diff(vectors["time"]) > 0)
    assert vectors["time"][-1] == pytest.approx(50e-9, rel=1e-6, abs=0)
    assert vectors["v(out)"][-1] == pytest.approx(1, rel=1e-3, abs=0)
    assert not re.search("[A-Z]", "".join(vectors))
