"""An array written as SPEF, read back and simulated gives the charges of the one built directly."""

import json
from dataclasses import replace

import numpy as np
import pytest

from cosim.cli import main
from cosim.commands.extract import extract_design
from cosim.errors import InputError
from cosim.progress import Stages
from cosim.vmm.simulate import simulate
from netlists.designfile import dump_design, load_design
from tests.netlists.parasitics.extracted_network import SECTION, network, spef
from tests.netlists.parasitics.parasitic_designs import imported


def _pair(design, folder, name):
    path = folder / "direct.yaml"
    path.write_text(dump_design(design), encoding="utf-8")
    assert extract_design(str(path), folder / name, "given", Stages())
    path = folder / "imported.yaml"
    path.write_text(dump_design(design) + f"parasitics:\n  file: {name}\n", encoding="utf-8")
    return path, load_design(path)


@pytest.mark.parametrize("name", ["x.spef", "x.dspf.gz", "x.sp"])
@pytest.mark.parametrize("cell", ["n", "resistive"])
def test_small_arrays_give_the_same_charges(make_design, engine, tmp_path, name, cell):
    design = make_design(4, 3, cell)
    _, again = _pair(design, tmp_path, name)
    cells = np.random.default_rng(0).uniform(1.5, 1.9, (4, 3)) * (1e-6 if cell == "resistive" else 1)
    duration = np.array([20e-9, 0, 200e-9, 90e-9])
    charges = [simulate(d, cells, duration, engine).charge for d in (design, again)]
    assert charges[1] == pytest.approx(charges[0], rel=1e-6, abs=0)


def test_the_built_in_design_in_blocks_of_columns(engine, tmp_path):
    design = load_design("default")
    _, again = _pair(design, tmp_path, "x.spef")
    rng = np.random.default_rng(0)
    cells = rng.uniform(1.5, 1.9, (16, 16))  # some nA to µA
    duration = rng.uniform(design.read.t_edge, design.read.t_max, 16)
    samples = [simulate(d, cells, duration, engine) for d in (design, again)]
    assert all(sample.passes > 0 for sample in samples)
    assert samples[1].charge == pytest.approx(samples[0].charge, rel=1e-4, abs=0)


def test_an_uneven_array_in_blocks_of_columns(make_design, engine, tmp_path):
    """Stubs, lines of unequal resistance: the blocks take their drops from the file."""
    rng = np.random.default_rng(0)
    design = imported(tmp_path, make_design(12, 12), spef(network(12, 12)), **SECTION)
    cells, duration = rng.uniform(1.5, 1.85, (12, 12)), rng.uniform(2e-8, 2e-7, 12)
    split, whole = (simulate(design, cells, duration, e) for e in (engine, replace(engine, monolithic=True)))
    assert split.passes > 0 == whole.passes
    assert split.charge == pytest.approx(whole.charge, rel=3 * split.split_error, abs=0) and split.split_error < 1e-4


def test_the_commands_say_what_is_wrong(make_design, tmp_path, capsys):
    path, _ = _pair(make_design(3, 2), tmp_path, "x.spef")
    stages = Stages()
    assert extract_design(str(path), None, "field", stages, check=True)
    assert "6 cells" in (text := capsys.readouterr().out) and "sound" in text
    assert extract_design(str(path), None, "field", stages, check=True, as_json=True)
    assert json.loads(capsys.readouterr().out)["passed"] is True
    for out, says in ((tmp_path / "x.txt", "no format"), (tmp_path / "no" / "x.spef", "does not exist")):
        with pytest.raises(InputError, match=says):
            extract_design("default", out, "given", stages)
    with pytest.raises(InputError, match="--out"):
        extract_design("default", None, "given", stages)
    assert extract_design(str(path), tmp_path / "y.sp", "given", stages, check=True)
    assert "sound" in capsys.readouterr().out


def test_an_unsound_file_is_refused_with_its_line(make_design, tmp_path, capsys, monkeypatch):
    path, _ = _pair(make_design(3, 2), tmp_path, "x.spef")
    text = (tmp_path / "x.spef").read_text(encoding="utf-8")
    (tmp_path / "x.spef").write_text(text.replace("*RES\n1 ", "*RES\n1 -", 1), encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["fgcosim", "extract", str(path), "--check"])
    with pytest.raises(SystemExit) as ended:
        main()
    out = capsys.readouterr()
    assert ended.value.code == 2 and "x.spef:" in out.err and out.err.count("\n") == 1
