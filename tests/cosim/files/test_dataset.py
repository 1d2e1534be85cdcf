"""Data sets: round trip, reading with h5py alone, and every way a file can be wrong."""

import dataclasses
import errno
import hashlib
import os
import re

import h5py
import numpy as np
import pytest

from cosim.errors import InputError
from cosim.files import dataset
from cosim.files.dataset import FORMAT, USER_BLOCK, DataSet, load_dataset, save_dataset

RUNS, ROWS, COLUMNS, MATRICES, SLOTS = 3, 4, 2, 2, 5


@pytest.fixture
def data():
    """A small data set of random numbers."""
    rng = np.random.default_rng(0)
    return DataSet(
        duration=rng.random((RUNS, ROWS)), cells=rng.random((MATRICES, ROWS, COLUMNS)),
        weights_index=np.array([0, 1, 1]), role=("fit", "patterns", "one_hot"), charge=rng.random((RUNS, COLUMNS)),
        slot_sample=np.array([0, 0, 1, 2, 2]), slot_active=rng.random((SLOTS, ROWS)) > 0.5,
        slot_current=rng.random((SLOTS, COLUMNS)), energy=rng.random(RUNS), attempt=np.array([0, 0, 1]),
        floating_gate_return=rng.random(RUNS), passes=np.array([0, 2, 3]), split_error=rng.random(RUNS),
        design_yaml="name: täst\nnotes: Ω\n", design_hash="d" * 64,
        simulator="ngspice-46 KLU", options='{"reltol": 0.0001}', deck_hash="e" * 64, code_version="fgcosim 0", seed=3,
    )  # fmt: skip


@pytest.fixture
def path(data, tmp_path):
    """The file that holds ``data``."""
    save_dataset(data, tmp_path / "data.h5")
    return tmp_path / "data.h5"


def _refused(path, says=""):
    with pytest.raises(InputError) as caught:
        load_dataset(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    assert says in message


def _same(a, b):
    for field in dataclasses.fields(a):
        one, other = getattr(a, field.name), getattr(b, field.name)
        assert type(one) is type(other)
        assert np.array_equal(one, other)
        assert getattr(one, "dtype", None) == getattr(other, "dtype", None)


def test_round_trip(data, path):
    _same(load_dataset(path), data)
    assert load_dataset(path).hash == data.hash


def test_round_trip_without_slots(data, tmp_path):
    empty = dataclasses.replace(
        data, slot_sample=data.slot_sample[:0], slot_active=data.slot_active[:0], slot_current=data.slot_current[:0]
    )
    save_dataset(empty, tmp_path / "data.h5")
    _same(load_dataset(tmp_path / "data.h5"), empty)


def test_round_trip_of_long_notes(data, tmp_path):
    long = dataclasses.replace(data, design_yaml="x" * 200_000)
    save_dataset(long, tmp_path / "data.h5")
    assert load_dataset(tmp_path / "data.h5").design_yaml == long.design_yaml


def test_h5py_alone_reads_names_units_and_provenance(data, path):
    with h5py.File(path, "r") as file:
        shapes = {name: file[name].shape for name in ("duration", "fg_voltage", "weights_index", "charge", "energy")}
        assert shapes == {"duration": (RUNS, ROWS), "fg_voltage": (MATRICES, ROWS, COLUMNS), "weights_index": (RUNS,),
                          "charge": (RUNS, COLUMNS), "energy": (RUNS,)}  # fmt: skip
        assert set(file["slot"]) == {"sample", "active", "current"}
        units = {"duration": "s", "fg_voltage": "V", "charge": "C", "slot/current": "A", "energy": "J"}
        assert {name: file[name].attrs["unit"] for name in units} == units
        assert file.attrs["format"] == FORMAT
        assert file.attrs["hash"] == data.hash
        for name in ("design_yaml", "design_hash", "deck_hash", "simulator", "options", "code_version", "seed"):
            assert file.attrs[name] == getattr(data, name)


def test_runs_by_role(data):
    assert data.runs("fit").tolist() == [0]
    assert data.runs("one_hot", "patterns").tolist() == [1, 2]
    assert data.runs("network").size == 0
    assert len(data) == RUNS


@pytest.mark.parametrize("name", ["duration", "cells", "weights_index", "charge", "slot_current"])
def test_the_hash_sees_every_number(data, name):
    array = getattr(data, name).copy()
    array.flat[-1] += 1
    assert dataclasses.replace(data, **{name: array}).hash != data.hash
    assert dataclasses.replace(data, design_hash="f" * 64).hash != data.hash


def test_every_altered_byte_is_refused(path):
    whole = path.read_bytes()
    for k in [*range(USER_BLOCK // 2), *range(USER_BLOCK // 2, len(whole), 23), len(whole) - 1]:
        altered = bytearray(whole)
        altered[k] ^= 0x01
        path.write_bytes(altered)
        _refused(path)


def test_every_truncation_is_refused(path):
    whole = path.read_bytes()
    for size in [0, 1, 7, 8, 100, USER_BLOCK, USER_BLOCK + 8, *range(USER_BLOCK, len(whole), 101), len(whole) - 1]:
        path.write_bytes(whole[:size])
        _refused(path)


def test_appended_bytes_are_refused(path):
    with path.open("ab") as handle:
        handle.write(b"\0")
    _refused(path, "altered")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89HDF\r\n\x1a\n", bytes(2000), b"PK\x03\x04" + bytes(600)])
def test_foreign_files_are_refused(path, content):
    path.write_bytes(content)
    _refused(path, "no data set of this program")


def test_foreign_hdf5_is_refused(path):
    with h5py.File(path, "w") as file:
        file["x"] = np.zeros(3)
    _refused(path, "fgcosim generate")


def test_absent_file_and_folder_are_refused(tmp_path):
    _refused(tmp_path / "none.h5", "no such data set")
    _refused(tmp_path, "no such data set")


def _tampered(path, change):
    """Alter the HDF5 part with h5py and sign it again, as a program that writes this format wrongly would."""
    with h5py.File(path, "r+") as file:
        change(file)
    body = path.read_bytes()[USER_BLOCK:]
    path.write_bytes(dataset._user_block(hashlib.sha256(body).hexdigest()) + body)


def _replace(name, value):
    def change(file):
        del file[name]
        file[name] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.__delitem__("charge"),
        lambda file: file.__delitem__("slot"),
        lambda file: file.__delitem__("role"),
        lambda file: file.attrs.__delitem__("seed"),
        lambda file: file.attrs.__delitem__("design_yaml"),
        lambda file: file.attrs.__setitem__("seed", "seven"),
        _replace("charge", np.zeros(3)),
        _replace("charge", np.zeros((RUNS, COLUMNS), dtype="f4")),
        _replace("weights_index", np.zeros(RUNS)),
        _replace("role", np.array([b"\xff\xfe"])),
        _replace("energy", "text"),
    ],
)
def test_files_of_the_wrong_make_are_refused(path, change):
    _tampered(path, change)
    _refused(path)


def test_a_group_in_place_of_an_array_is_refused(path):
    def change(file):
        del file["charge"]
        file.create_group("charge")

    _tampered(path, change)
    _refused(path)


def test_oversized_files_are_not_read(path, monkeypatch):
    monkeypatch.setattr(dataset, "MAX_BYTES", 100)
    _refused(path, "larger than 100 bytes")


def test_a_full_disk_leaves_nothing(data, tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_dataset(data, tmp_path / "data.h5")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_keeps_what_was_there(data, path, monkeypatch):
    before = path.read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_dataset(dataclasses.replace(data, seed=9), path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["data.h5"]


def test_a_real_size_limit_of_the_system_leaves_nothing(data, tmp_path):
    """As a full disk, but by the kernel: no file of this process may grow beyond 4 KiB."""
    resource, signal = pytest.importorskip("resource"), pytest.importorskip("signal")
    save_dataset(data, tmp_path / "data.h5")  # h5py's own modules are loaded before the limit holds
    (tmp_path / "data.h5").unlink()
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
        with pytest.raises(OSError):
            save_dataset(data, tmp_path / "data.h5")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert not list(tmp_path.iterdir())


def test_saving_over_a_file_replaces_it_whole(data, path):
    save_dataset(dataclasses.replace(data, seed=9), path)
    assert load_dataset(path).seed == 9
    assert [p.name for p in path.parent.iterdir()] == ["data.h5"]


def test_the_user_block_is_readable(path):
    assert re.match(rb"fgcosim-dataset-1 sha256 [0-9a-f]{64}\n\0+$", path.read_bytes()[:USER_BLOCK])
