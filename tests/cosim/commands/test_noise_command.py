"""``fgcosim noise``: its table, its JSON, and one line where something is wrong."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from cosim.commands.noise import noise
from cosim.errors import InputError
from cosim.progress import Stages
from surrogate.errors import InputError as SurrogateInputError
from surrogate.noise import CellNoise

USUAL = {"since": 3600.0, "window": 1.0, "bits": None, "full_scale": 1.0, "traps": None, "check": False}


def run(tmp_path: Path, **changes: object) -> dict:  # type: ignore[type-arg]
    out = tmp_path / "noise.json"
    given = {**USUAL, **changes}
    assert noise("default", **given, as_json=False, out=out, stages=Stages())  # type: ignore[arg-type]
    content: dict = json.loads(out.read_text(encoding="utf-8"))  # type: ignore[type-arg]
    return content


def test_table_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = run(tmp_path, traps=(0.003, 1e-5, 2e-5))
    shown = capsys.readouterr().out
    assert "16 rows" in shown and "2qI" in shown
    assert CellNoise.of(content["noise"]).channel is not None
    for row in (*content["cells"], *content["columns"]):
        parts = [row[f"{name}_c"] for name in ("white", "1/f", "telegraph")]
        assert row["total_c"] == pytest.approx(math.hypot(*parts), rel=1e-9, abs=0)
    longest, middle, shortest = content["columns"]
    assert longest["white_c"] == pytest.approx(10 * shortest["white_c"], rel=1e-6, abs=0), "as the root of the width"
    assert longest["1/f_c"] > 90 * shortest["1/f_c"] * 0.85, "nearly as the width"
    assert middle["total_lsb"] == pytest.approx(middle["total_c"] / content["lsb_c"], rel=1e-9, abs=0)


def test_one_over_f_noise_grows_with_the_time_since_the_calibration(tmp_path: Path) -> None:
    early, late = (run(tmp_path, since=t)["columns"][0] for t in (10.0, 1e5))
    assert late["1/f_c"] > early["1/f_c"]
    assert late["white_c"] == early["white_c"]


def test_more_bits_make_smaller_steps(tmp_path: Path) -> None:
    coarse, fine = (run(tmp_path, bits=b) for b in (4, 8))
    assert coarse["lsb_c"] == pytest.approx(17 * fine["lsb_c"], rel=1e-9, abs=0)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"full_scale": 0.0}, "--full-scale"),
        ({"since": -1.0}, "noise.calibration.since"),
        ({"window": 1e-6}, "noise.calibration"),
        ({"traps": (2.0, 1.0, 1.0)}, "noise.telegraph.amplitude"),
    ],
)
def test_bad_input_is_named(tmp_path: Path, changes: dict, named: str) -> None:  # type: ignore[type-arg]
    with pytest.raises((InputError, SurrogateInputError), match=named):
        run(tmp_path, **changes)
