"""Surrogate files: whole, truncated, foreign, altered, and writes that fail."""

import json
import os
from dataclasses import fields, replace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file
from synthetic import PASSED, random_state, surrogate

from surrogate import files
from surrogate.errors import InputError
from surrogate.files import FORMAT, load_surrogate, save_surrogate


def measured():
    return replace(
        surrogate(report=None),
        state_map=None,
        state=random_state(8, 6),
        state_error=torch.full((8, 6), 0.1, dtype=torch.float64),
        ideal_one_hot=None,
        ideal_least_squares=random_state(8, 6, seed=1),
    )


def assert_same(a, b):
    for field in fields(a):
        x, y = getattr(a, field.name), getattr(b, field.name)
        if isinstance(x, torch.Tensor):
            assert torch.equal(x, y), field.name
        elif field.name == "state_map" and x is not None:
            assert torch.equal(x.coefficients, y.coefficients)
            assert (x.centre, x.unit) == (y.centre, y.unit)
        else:
            assert x == y, field.name


@pytest.mark.parametrize(
    "given",
    [
        surrogate(report=None),
        surrogate(report={**PASSED, "roles": {"patterns": {"ser_db": 61.25, "median_cell_error": None}}, "µ": "Ω"}),
        measured(),
        measured().with_report({"passed": False, "failed": ["ser"]}),
    ],
    ids=["programmed", "with report", "measured", "failed"],
)
def test_round_trip(given, tmp_path):
    path = tmp_path / "array.safetensors"
    save_surrogate(given, path)
    assert_same(given, load_surrogate(path))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_later_save_replaces_the_file(tmp_path):
    path = tmp_path / "array.safetensors"
    save_surrogate(surrogate(report=None), path)
    save_surrogate(load_surrogate(path).with_report(PASSED), path)
    load_surrogate(path).require_passed()


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "array.safetensors"
    save_surrogate(surrogate(), path)
    return path


def refused(path, match=None):
    with pytest.raises(InputError, match=match) as caught:
        load_surrogate(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text


def altered(path, header=None, tensors=None, drop=(), form=FORMAT):
    """Write the file again with changes to its header (a function or text) and its tensors."""
    with safe_open(path, framework="pt") as file:
        old = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        text = json.loads(file.metadata()["header"])
    if callable(header):
        header(text)
    text = header if isinstance(header, str) else json.dumps(text)
    values = {name: t for name, t in {**old, **(tensors or {})}.items() if name not in drop}
    save_file(values, path, metadata={"format": form, "header": text})


def test_absent_and_folder(tmp_path):
    refused(tmp_path / "none.safetensors", "no such surrogate")
    refused(tmp_path, "no such surrogate")


@pytest.mark.parametrize("keep", [0, 4, 8, 100, 0.5, -1])
def test_truncated(saved, keep):
    raw = saved.read_bytes()
    saved.write_bytes(raw[: int(keep * len(raw)) if isinstance(keep, float) else keep])
    refused(saved)


@pytest.mark.parametrize("raw", [b"", b"hello", b"\xff" * 1000, b"\x89HDF\r\n\x1a\n" + bytes(600), b"PK\x03\x04" * 50])
def test_foreign_bytes(tmp_path, raw):
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(raw)
    refused(path)


def test_safetensors_of_another_program(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file({"weight": torch.ones(3)}, path)
    refused(path, "no surrogate of this program")
    save_file({"weight": torch.ones(3)}, path, metadata={"format": "fgcosim-surrogate-99"})
    refused(path, "no surrogate of this program")
    save_file({"weight": torch.ones(3)}, path, metadata={"format": FORMAT})
    refused(path)


def test_parameters_of_another_version(saved):
    altered(saved, lambda h: h["parameters"].pop())
    assert "another version" in refused(saved)


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h.pop("domain"),
        lambda h: h.pop("time_scale"),
        lambda h: h.pop("state_map"),
        lambda h: h["domain"].pop("rows"),
        lambda h: h["domain"].update(rows="many"),
        lambda h: h["domain"].update(rows=7.5) or h["domain"].update(state_max=float("nan")),
        lambda h: h["domain"].update(extra=1),
        lambda h: h.update(domain=None),
        lambda h: h.update(domain=[1, 2]),
        lambda h: h.update(current_scale=float("nan")),
        lambda h: h.update(current_scale=10**400),
        lambda h: h.update(time_scale=[1]),
        lambda h: h.update(state_map=[1.0]),
        lambda h: h.update(state_map=[float("inf"), 1.0]),
        lambda h: h.update(provenance="here"),
        lambda h: h.update(report=["passed"]),
        lambda h: h.update(parameters=None),
    ],
)
def test_altered_header(saved, change):
    altered(saved, change)
    refused(saved)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", '"x"', "[" * 100_000, '{"parameters": NaN}'])
def test_header_that_is_no_header(saved, text):
    altered(saved, text)
    refused(saved)


@pytest.mark.parametrize(
    "tensors",
    [
        {"shared": torch.zeros(3, dtype=torch.float64)},
        {"shared": surrogate().shared.float()},
        {"shared": surrogate().shared * float("nan")},
        {"shared_error": torch.zeros(2, 2, dtype=torch.float64)},
        {"state_map": torch.zeros(5, dtype=torch.float64)},
        {"state_map": torch.full((4,), float("inf"), dtype=torch.float64)},
        {"state": torch.zeros(3, 3, dtype=torch.float64)},
        {"stowaway": torch.zeros(1, dtype=torch.float64)},
    ],
)
def test_altered_tensors(saved, tensors):
    altered(saved, tensors=tensors)
    refused(saved)


@pytest.mark.parametrize("name", ["shared", "shared_error"])
def test_missing_tensors(saved, name):
    altered(saved, drop=(name,))
    refused(saved, name)


@given(st.data())
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_flipped_bytes_load_or_are_refused(tmp_path, data):
    path = tmp_path / "array.safetensors"
    save_surrogate(surrogate(), path)
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)
    try:
        load_surrogate(path)
    except InputError as error:
        assert str(error).startswith(f"{path}: ")


def test_oversized_files_are_not_read(saved, monkeypatch):
    monkeypatch.setattr(files, "MAX_BYTES", 100)
    refused(saved, "larger than")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(saved, monkeypatch):
    before = saved.read_bytes()

    def fail(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="No space"):
        save_surrogate(surrogate(report=None), saved)
    assert saved.read_bytes() == before
    assert [p.name for p in saved.parent.iterdir()] == [saved.name]


def test_a_failed_sync_leaves_the_old_file_and_nothing_else(saved, monkeypatch):
    before = saved.read_bytes()

    def fail(handle):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        save_surrogate(surrogate(report=None), saved)
    assert saved.read_bytes() == before
    assert [p.name for p in saved.parent.iterdir()] == [saved.name]


def test_a_folder_that_does_not_exist_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="none"):
        save_surrogate(surrogate(), tmp_path / "none" / "array.safetensors")
