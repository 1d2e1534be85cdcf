"""What is no file of its kind is refused in one line by every reader: other formats, halves, folders, devices."""

import os
import pickle
import re
from pathlib import Path

import pytest
from readers import READERS

from cosim.errors import InputError
from cosim.files.measurements import load_durations, load_measurements

FOREIGN = {
    "empty": b"", "text": b"hello\n", "zeros": bytes(5000), "ones": b"\xff" * 5000, "pickle": pickle.dumps({"a": 1}),
    "zip": b"PK\x03\x04" + bytes(500), "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(2000), "script": b"#!/bin/sh\nexit 1\n",
    "json": b'{"a": 1}', "utf-16": "array:\n  rows: 4\n".encode("utf-16"), "gzip": b"\x1f\x8b\x08" + bytes(100),
    "no-break": "T_0\u2028Q_0\n1\u20282\n".encode(), "html": b"<script>alert(1)</script>",
}  # fmt: skip
every_reader = pytest.mark.parametrize("reader", READERS, ids=lambda r: r.kind)


@every_reader
def test_a_valid_file_is_read(reader, tmp_path):
    assert reader.refusal(reader.valid(tmp_path)) == ""


@every_reader
@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_foreign_content_is_refused(reader, content, tmp_path):
    path = reader.valid(tmp_path) if reader.kind.endswith("json") else tmp_path / reader.name
    path.write_bytes(content)
    assert reader.refusal(path)


@every_reader
def test_a_file_cut_short_is_refused_or_whole_as_far_as_it_goes(reader, tmp_path):
    path = reader.valid(tmp_path)
    whole = path.read_bytes()
    for size in [0, 1, 9, *(len(whole) * k // 9 for k in range(1, 9)), len(whole) - 1]:
        path.write_bytes(whole[:size])
        refused = reader.refusal(path)
        assert refused or reader.kind in ("measurements", "durations", "design") or len(whole) - size == 1


@every_reader
@pytest.mark.parametrize("make", [
    Path.mkdir, lambda path: path.symlink_to(path), lambda path: path.symlink_to("/dev/null"),
    lambda path: path.symlink_to("/dev/zero"), os.mkfifo,
], ids=["folder", "link to itself", "link to nothing", "link to zeros", "pipe"])  # fmt: skip
def test_what_is_no_plain_file_is_refused_without_waiting(reader, make, tmp_path):
    path = reader.valid(tmp_path)
    path.unlink()
    make(path)
    assert reader.refusal(path)


@pytest.mark.parametrize(
    "number", ["1_0", "\u0661", "0x1", "1e", "=1+1", "=cmd|' /C calc'!A0", "1,5", "True", "1j", "nan", "-inf"]
)
def test_what_is_no_plain_number_is_not_taken_for_one(number, tmp_path):
    path = tmp_path / "m.csv"
    path.write_text(f'T_0,Q_0\n1e-6,1e-12\n"{number}",2\n', encoding="utf-8")
    with pytest.raises(InputError, match=rf"{re.escape(str(path))}:3: T_0: "):
        load_measurements(path)
    path.write_text(f'T_0\n1e-6\n"{number}"\n', encoding="utf-8")
    with pytest.raises(InputError, match=rf"{re.escape(str(path))}:3: T_0: "):
        load_durations(path, 1)
