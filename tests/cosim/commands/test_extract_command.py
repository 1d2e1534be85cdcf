"""fgcosim extract: from the drawn layout to a netlist whose charges are those of the array built directly."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from cosim.cli import main
from cosim.commands.extract import extract_design
from cosim.errors import InputError
from cosim.progress import Stages
from cosim.vmm.simulate import simulate
from netlists.designfile import dump_design, load_design

STAGES = Stages()


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """One cache for all tests of this file."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "extract-cache"))


@pytest.fixture
def design(tmp_path: Path) -> str:
    """The built-in design's layout in a small array, as a file."""
    path = tmp_path / "small.yaml"
    path.write_text(dump_design(load_design("default").resized(4, 3)), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("edges", [False, True])
def test_drawn_extracted_written_read_and_simulated(design, tmp_path, engine, edges):
    assert extract_design(design, tmp_path / "extracted.yaml", "analytic", STAGES)
    assert extract_design(design, tmp_path / "x.spef", "analytic", STAGES, edges=edges, check=True)
    text = (tmp_path / "extracted.yaml").read_text(encoding="utf-8")
    (tmp_path / "imported.yaml").write_text(text + "parasitics:\n  file: x.spef\n", encoding="utf-8")
    direct, imported = (load_design(tmp_path / name) for name in ("extracted.yaml", "imported.yaml"))
    assert direct.coupling != load_design(design).coupling
    cells = np.random.default_rng(0).uniform(1.5, 1.9, (4, 3))
    duration = np.array([20e-9, 0, 1e-6, 90e-9])
    charges = [simulate(d, cells, duration, engine).charge for d in (direct, imported)]
    change = np.abs(charges[1] / charges[0] - 1).max()
    assert change < 0.1 and (change > 1e-4) == edges


def test_a_second_extraction_is_the_same_to_the_byte(design, tmp_path):
    for name in ("a.dspf", "b.dspf"):
        extract_design(design, tmp_path / name, "analytic", STAGES)
    assert (tmp_path / "a.dspf").read_bytes() == (tmp_path / "b.dspf").read_bytes()


def test_what_cannot_be_done_is_refused_before_anything_is_solved(design, tmp_path, make_design):
    bare = tmp_path / "bare.yaml"
    bare.write_text(dump_design(make_design(3, 2)), encoding="utf-8")
    for source, name, edges, says in (
        (str(bare), "x.spef", False, "no section layout"), (design, "x.txt", False, r"no format.* or \*\.yaml$"),
        (design, "no/x.yaml", False, "folder"), (design, "x.yaml", True, "--edges"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=says):
            extract_design(source, tmp_path / name, "field", STAGES, edges=edges)
    assert not list(tmp_path.glob("x.*"))


def test_a_missing_field_solver_is_one_line(design, tmp_path, monkeypatch, capsys):
    (tmp_path / "fastcap2.py").write_text("raise ImportError('none')", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{':'.join(path for path in sys.path if path)}")
    monkeypatch.setattr("sys.argv", ["fgcosim", "extract", design, "-o", str(tmp_path / "x.spef")])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().err.strip().splitlines()
    assert ended.value.code == 2 and "pip install fastcap2" in said[-1] and "Traceback" not in "".join(said)
