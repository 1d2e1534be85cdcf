"""Measurement files: what is written is read; everything else is refused with file, line and remedy."""

import hashlib
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cosim.errors import InputError
from cosim.files import measurements
from cosim.files.measurements import load_measurements, save_measurements

IN_FIXTURE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
HEADER = "T_0,T_1,Q_0\n"


def write(tmp_path, content):
    path = tmp_path / "chip.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refused(path):
    with pytest.raises(InputError) as caught:
        load_measurements(path)
    text = str(caught.value)
    assert text.startswith(f"{path}:")
    assert "\n" not in text
    return text


@given(
    duration=arrays(np.float64, (3, 2), elements=st.floats(1e-15, 1e3) | st.just(0.0)),
    charge=arrays(np.float64, (3, 4), elements=st.floats(1e-90, 1e3).flatmap(lambda q: st.sampled_from([q, -q, 0.0]))),
)
@IN_FIXTURE
def test_round_trip_is_exact(tmp_path, duration, charge):
    path = tmp_path / "chip.csv"
    save_measurements(duration, charge, path)
    read = load_measurements(path)
    assert np.array_equal(read.duration, duration)
    assert np.array_equal(read.charge, charge)
    assert read.hash == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "text",
    [
        "T_0,T_1,Q_0\n1e-6,0,2e-13\n0,5e-7,-1e-15\n",
        "T_0, T_1 , Q_0\r\n1e-6, 0, 2e-13\r\n0,5e-7,-1e-15",
        "\ufeffT_0,T_1,Q_0\n\n1e-6,0,2e-13\n\n0,5e-7,-1e-15\n\n",
        '"T_0","T_1","Q_0"\n"1e-6","0","2e-13"\n+0,.5E-6,-1.0e-15\n',
    ],
    ids=["plain", "spaces and CRLF", "byte-order mark and blank lines", "quotes"],
)
def test_files_as_spreadsheets_write_them(tmp_path, text):
    read = load_measurements(write(tmp_path, text))
    assert read.duration.tolist() == [[1e-6, 0.0], [0.0, 5e-7]]
    assert read.charge.tolist() == [[2e-13], [-1e-15]]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1e-6,0", "2 values under 3 names"),
        ("1e-6,0,1e-13,7", "4 values under 3 names"),
        ("1e-6,zero,1e-13", "T_1: 'zero' is no number"),
        ("1e-6,,1e-13", "T_1: '' is no number"),
        ("1e-6,0,1 pC", "Q_0: '1 pC' is no number"),
        ("-1e-6,0,1e-13", "T_0: -1e-06 s is negative"),
        ("nan,0,1e-13", "T_0: 'nan' is not finite"),
        ("0,0,inf", "Q_0: 'inf' is not finite"),
        ("0,0,1e999", "Q_0: '1e999' is not finite"),
        ("   ", "1 values under 3 names"),
        ("1e-20,0,1e-13", "T_0: 1e-20 is not 0 nor 1e-15 to 1000: give seconds and coulombs"),
        ("1e4,0,1e-13", "T_0: 10000 is not 0 nor 1e-15 to 1000: give seconds and coulombs"),
        ("0,0,1e300", "Q_0: 1e+300 is not 0 nor"),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path, row, message):
    path = write(tmp_path, f"{HEADER}1e-6,0,1e-13\n\n{row}\n0,0,0\n")
    assert refused(path).startswith(f"{path}:4: {message}")


@pytest.mark.parametrize(
    "header",
    ["", "Q_0,T_0,T_1", "T_0,T_2,Q_0", "T_1,T_0,Q_0", "T_0,Q_0,Q_2", "T_0,T_1", "Q_0", "t_0,t_1,q_0", "1e-6,0,1e-13",
     "T_0;T_1;Q_0", "T_0,T_0,Q_0", "T_0,Q_0,T_1", "T_0,T_1,Q_0,", "T_00,T_1,Q_0"],
)  # fmt: skip
def test_a_wrong_header_is_refused(tmp_path, header):
    path = write(tmp_path, f"{header}\n1e-6,0,1e-13\n")
    assert refused(path).startswith(f"{path}:1: ")


@pytest.mark.parametrize(
    ("content", "says"),
    [("", "1: empty: the header must be"), ("T_0,T_1\n1,2\n", "1: the header must be"), ("a,Q_0\n", "1: 'a': the")],
)
def test_a_header_that_is_not_there_is_not_quoted(tmp_path, content, says):
    path = write(tmp_path, content)
    assert refused(path).startswith(f"{path}:{says}")


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("0,1e-6,5e-13", []),
        ("0,1e-3,-1e-7", []),
        ("0,1,5e-13", [r"4: T_1: 1 s .*seconds\?"]),
        ("0,0.5,-0.4", [r"4: T_1: 0.5 s .*seconds\?", r"4: Q_0: -0.4 C .*coulombs\?"]),
        ("0,1e-6,0.5", [r"4: Q_0: 0.5 C .*coulombs\?"]),
        ("0,1e-9,5e-7", [r"4: Q_0: 5e-07 C in 1e-09 s is 500 A: seconds and coulombs\?"]),
        ("0,0,1e-9", []),
    ],
)
def test_units_that_no_array_has_are_warned_of(tmp_path, rows, says):
    path, lines = write(tmp_path, f"{HEADER}1e-6,0,1e-13\n\n{rows}\n"), []
    load_measurements(path, lines.append)
    for wanted, line in zip(says, lines, strict=True):
        assert re.fullmatch(rf"{re.escape(str(path))}:{wanted}", line)


@pytest.mark.parametrize("content", ["", HEADER, HEADER + "\n\n"])
def test_files_without_measurements_are_refused(tmp_path, content):
    refused(write(tmp_path, content))


@pytest.mark.parametrize("content", [b"\xff\xfe\x00T", bytes(range(256)), b"\x89HDF\r\n\x1a\n", b"\x00" * 50])
def test_binary_files_are_refused(tmp_path, content):
    refused(write(tmp_path, content))


def test_absent_files_and_folders_are_refused(tmp_path):
    assert "no such measurement file" in refused(tmp_path / "none.csv")
    assert "no such measurement file" in refused(tmp_path)


def test_oversized_files_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(measurements, "MAX_BYTES", 10)
    assert "larger than" in refused(write(tmp_path, HEADER + "1e-6,0,1e-13\n"))


def loads_or_refuses(path):
    try:
        read = load_measurements(path)
    except InputError as error:
        assert str(error).startswith(f"{path}")
    else:
        assert len(read.duration) == len(read.charge) > 0
        assert np.isfinite(read.duration).all() and np.isfinite(read.charge).all()
        assert (read.duration >= 0).all()


@given(st.binary(max_size=200))
@example(b'T_0,Q_0\n"')
@example(b"T_0,Q_0\r1,2\r")
@example(b"T_0,Q_0\n" + b"1" * 200_000 + b",2\n")
@IN_FIXTURE
def test_any_bytes_are_read_or_refused(tmp_path, content):
    loads_or_refuses(write(tmp_path, content))


@given(st.text(alphabet="0123456789.,-+eE \n\r\"'_TQnaif\t\0\u0661", max_size=60))
@IN_FIXTURE
def test_any_rows_are_read_or_refused(tmp_path, rows):
    loads_or_refuses(write(tmp_path, "T_0,Q_0\n" + rows))


@pytest.mark.parametrize(
    ("duration", "charge"),
    [([[1e-6]], [[1e300]]), ([[-1e-6]], [[1e-12]]), ([[np.nan]], [[1e-12]]), ([[1e-6]], [[np.inf]]), ([1e-6], [1e-12]),
     ([[1e-6]], [[1e-12], [0]]), ([[]], [[1e-12]]), ([[1e-20]], [[1e-12]])],
)  # fmt: skip
def test_measurements_in_memory_are_checked_too(duration, charge):
    with pytest.raises(InputError, match="measurements: "):
        measurements.Measurements(np.array(duration), np.array(charge), "")
