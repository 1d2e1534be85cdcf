"""`fgcosim train` on the digits, as a user calls it."""

import json
import sys

import pytest
from rich.console import Console

from cosim import cli
from cosim.commands.train import train
from cosim.files.lock import locked
from netlists.errors import InputError as FolderError
from surrogate.errors import InputError

RECIPE = """
name: small
data: digits
network: {kind: mlp, sizes: [64, 16, 10]}
training: {epochs: 2, validation: 200, optimiser: {kind: adam, rate: 0.01}}
"""


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(RECIPE)
    return path


def called(monkeypatch, *arguments):
    """Exit status of the command line with ``arguments``."""
    monkeypatch.setattr(sys, "argv", ["fgcosim", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


def test_it_trains_tells_and_leaves_its_files(recipe, tmp_path, monkeypatch, capsys):
    out = tmp_path / "run"
    assert called(monkeypatch, "train", recipe, "-o", out, "--seed", 3) == 0
    told = capsys.readouterr().out
    assert "epoch 1: loss" in told and "validation" in told and "of 540 test images right" in told
    result = json.loads((out / "result.json").read_text())
    assert result["seed"] == 3 and result["test_images"] == 540 and 0.5 < result["test_accuracy_best"] <= 1
    names = {path.name for path in out.iterdir()}
    assert {"recipe.yaml", "best.safetensors", "curve.csv", "curve.svg", "result.json"} <= names
    assert called(monkeypatch, "train", recipe, "-o", out) == 2
    assert "seed 3 instead of 0: choose another folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere",), "nowhere: no such recipe"),
        (("lenet5", "--data", "/nowhere/at/all"), "--data=/nowhere/at/all: no such folder"),
        (("mlp", "--device", "cuda"), "--device cuda: torch sees no such device"),
        (("mlp", "--device", "toaster"), "--device toaster: choose cpu or cuda"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, says, tmp_path, monkeypatch, capsys):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.chdir(tmp_path)
    assert called(monkeypatch, "train", *arguments) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_two_trainings_cannot_share_a_folder(recipe, tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    with locked(out / "train.lock"), pytest.raises(FolderError, match="in use by process"):
        train(str(recipe), out, None, 0, None, "cpu", Console())


def test_a_file_in_the_place_of_the_folder_is_refused(recipe, tmp_path):
    with pytest.raises(InputError, match="is no folder"):
        train(str(recipe), recipe, None, 0, None, "cpu", Console())
