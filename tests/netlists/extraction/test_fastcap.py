"""FastCap2 in its own process: it agrees with the closed form, and what goes wrong with it says so."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from geometries import BLOCK_TABLE, block, by_fastcap, by_moments, cube, every_coupling, solid

from netlists.errors import InputError
from netlists.extraction import field
from netlists.extraction.fastcap import fastcap_columns
from netlists.extraction.field import RESOLUTIONS, solve_couplings
from netlists.extraction.panels import Geometry, Resolution, make_panels

PAIR = Geometry((cube(1.0, 0.5), solid("B%1,x", 1.4, 0, 0.3, 2.4, 1, 1.5)), 4.0, True)
COARSE = Resolution(1.5, edge=0.3)


@pytest.mark.parametrize("plane", [True, False])
def test_agrees_with_the_closed_form_on_the_same_panels(plane: bool) -> None:
    geometry = Geometry(PAIR.solids, 3.0, plane)
    panels, matrix = by_fastcap(geometry, COARSE)
    assert panels.terminals == ("A", "B%1,x")  # characters that mean something to FastCap2 do no harm
    np.testing.assert_allclose(matrix, by_moments(geometry, COARSE)[1], rtol=0.01)
    column = fastcap_columns(panels, ["B%1,x"], 3.0, plane, 60.0)
    np.testing.assert_allclose(column[:, 0], matrix[:, 1], rtol=0.005)


def test_refinement_ends_within_the_tolerance() -> None:
    alone = Geometry((cube(1.0, 0.5),), 4.0, True)
    found = solve_couplings(alone, ["A"], every_coupling, 0.01, 900.0)
    assert 0 < found.change <= 0.01
    assert found.panels > len(make_panels(alone, RESOLUTIONS[0]))
    assert found.total("A") == pytest.approx(by_moments(alone, Resolution(0.6, edge=0.1))[1][0, 0], rel=0.01, abs=0)


def test_no_convergence_names_change_and_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(field, "RESOLUTIONS", RESOLUTIONS[:2])
    with pytest.raises(InputError, match=r"still change by .* panels, more than 0\.0%: allow a larger"):
        solve_couplings(Geometry((cube(1.0, 0.5),), 4.0, True), ["A"], every_coupling, 1e-9, 900.0)


def test_too_many_panels_are_refused_before_they_are_solved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(field, "MAX_PANELS", 10)
    with pytest.raises(InputError, match="too many: use the analytic mode"):
        solve_couplings(PAIR, ["A"], every_coupling, 0.01, 900.0)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("import time; time.sleep(60)", r"did not finish \d+ panels within 1 s"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", r"ended with status -11 .*printed nothing"),
        ("raise MemoryError('no memory')", "no memory"),
        ("raise ImportError('none')", "fastcap2 is not installed: pip install fastcap2"),
    ],
)
def test_solver_that_hangs_dies_or_is_missing(
    body: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fastcap2.py").write_text(body, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{':'.join(path for path in sys.path if path)}")
    panels = make_panels(PAIR, COARSE)
    with pytest.raises(InputError, match=message):
        fastcap_columns(panels, ["A"], 4.0, True, 1.0 if "sleep" in body else 30.0)


HELD = """
import ctypes, os
open(os.environ["HELD"], "w").write(str(os.getpid()))
ctypes.PyDLL(None).sleep(60)  # returns to no Python code in between
"""
SOLVE = """
from geometries import cube
from netlists.extraction.fastcap import fastcap_columns
from netlists.extraction.panels import Geometry, Resolution, make_panels
fastcap_columns(make_panels(Geometry((cube(1.0, 0.5),), 4.0, True), Resolution(1.5)), ["A"], 4.0, True, 60.0)
"""


def test_a_solver_ends_with_the_process_it_works_for(tmp_path: Path) -> None:
    (tmp_path / "fastcap2.py").write_text(HELD, encoding="utf-8")
    held = tmp_path / "pid"
    paths = ":".join([str(tmp_path), str(Path(__file__).parent), *filter(None, sys.path)])
    parent = subprocess.Popen([sys.executable, "-c", SOLVE], env={**os.environ, "PYTHONPATH": paths, "HELD": str(held)})
    _wait_until(lambda: held.is_file() and held.read_text() != "")
    solver = Path("/proc") / held.read_text()
    assert parent.poll() is None and solver.is_dir()
    parent.kill()
    parent.wait()
    _wait_until(lambda: not solver.is_dir() or "State:\tZ" in (solver / "status").read_text())


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.long
def test_block_on_its_own_panels_and_on_finer_ones() -> None:
    """The table's gate couplings are 3 to 5 % low: uniform panels of 0.1 um do not resolve the edges of the gates. At
    its own panel sizes every value agrees within 1.5 %, converged ones within 5.5 %, and 1 % from mesh to mesh."""
    table, geometry = BLOCK_TABLE, block()

    def values(resolution: Resolution) -> dict[tuple[str, str], float]:
        panels, matrix = by_fastcap(geometry, resolution)
        index = panels.terminals.index
        return {(a, b): abs(matrix[index(a), index(b)]) * 1e18 for a, b in table}

    uniform = values(Resolution(0.5, edge=1.0, far=1.0))  # 0.1 to 0.14 um
    medium, fine = values(Resolution(1.0, edge=0.2)), values(Resolution(0.7, edge=0.2))
    for pair, value in table.items():
        assert uniform[pair] == pytest.approx(value, rel=0.03, abs=0), pair
        assert medium[pair] == pytest.approx(value, rel=0.03 if value != 4.0 else 0.04, abs=0), pair
        assert medium[pair] == pytest.approx(fine[pair], rel=0.01, abs=0), pair


