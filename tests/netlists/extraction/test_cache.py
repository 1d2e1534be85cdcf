"""The cache gives back what was stored, or nothing: never something else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netlists.extraction.cache import key_of, recall, remember

BODY = {"nets": ["A", "B"], "farad": [[1.5e-16, -2e-17], [-2e-17, 3e-16]], "change": None}


def test_what_is_stored_is_found(cache: Path) -> None:
    key = key_of({"a": 1})
    assert recall(key) is None
    remember(key, BODY)
    assert recall(key) == BODY
    assert recall(key_of({"a": 2})) is None
    assert [path.name for path in cache.iterdir()] == [f"{key}.json"]  # nothing partial is left


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.data())
def test_damaged_files_are_as_good_as_none(cache: Path, data: st.DataObject) -> None:
    key = key_of("x")
    remember(key, BODY)
    path = cache / f"{key}.json"
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(bytes(content))
    assert recall(key) in (None, BODY)  # white space may change


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"key": 1}', "[" * 100_000, "NaN"])
def test_foreign_files_are_as_good_as_none(cache: Path, text: str) -> None:
    key = key_of("x")
    remember(key, BODY)
    (cache / f"{key}.json").write_text(text, encoding="utf-8")
    assert recall(key) is None


def test_results_of_another_key_are_not_taken(cache: Path) -> None:
    remember(key_of("x"), BODY)
    record = json.loads((cache / f"{key_of('x')}.json").read_text(encoding="utf-8"))
    (cache / f"{key_of('y')}.json").write_text(json.dumps(record), encoding="utf-8")
    assert recall(key_of("y")) is None


def test_a_folder_that_cannot_be_written_to_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    remember(key_of("x"), BODY)
    assert recall(key_of("x")) is None
