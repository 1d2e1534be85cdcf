"""Runs that are interrupted, killed or damaged, and go on."""

import json
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tiny_run import EPOCHS, Shown, adam_recipe, data, images, recipe
from torch import nn

from surrogate.errors import InputError
from surrogate.fast.library import library
from surrogate.training.checkpoint import checkpoints, load_checkpoint
from surrogate.training.recipe import Adam, Distillation, TrainingRecipe
from surrogate.training.session import Observer, train_in
from surrogate.training.software import load_software, train_software
from surrogate.training.trainer import Trainer, held_out

ROOT = Path(__file__).parents[3]


class Stop(Observer):
    """Sends this process a signal after ``steps`` steps, and keeps what it is told."""

    def __init__(self, steps=None, kind=signal.SIGINT):
        self.steps, self.kind, self.told = steps, kind, []

    def step(self, done, total):
        if done == self.steps:
            os.kill(os.getpid(), self.kind)

    def message(self, text):
        self.told.append(text)


def comparable(folder):
    """What must not depend on interruptions: weights to the bit, curve, accuracies."""
    result = json.loads((folder / "result.json").read_text())
    for key in ("wall_s", "cpu_s"):
        del result[key]
    return (folder / "best.safetensors").read_bytes(), (folder / "curve.csv").read_bytes(), result


def train(folder, observer=None, chosen=None, seed=0):
    return train_software(chosen or recipe(), folder, data(), seed, observer=observer)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    train(folder)
    return folder


def test_equal_seeds_give_equal_bytes_and_other_seeds_others(whole, tmp_path):
    train(tmp_path / "same")
    assert comparable(tmp_path / "same") == comparable(whole)
    train(tmp_path / "other", seed=1)
    assert comparable(tmp_path / "other")[0] != comparable(whole)[0]


@pytest.mark.parametrize(("steps", "kind"), [(1, signal.SIGINT), (16, signal.SIGINT), (53, signal.SIGTERM)])
def test_stopped_in_the_middle_of_an_epoch_it_goes_on_to_the_bit(whole, tmp_path, steps, kind):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, Stop(steps, kind))
    assert checkpoints(tmp_path)[0].name == f"checkpoint-{steps:09d}.pt"
    told = Stop()
    train(tmp_path, told)
    assert any(f"{steps} steps in all" in text for text in told.told)
    assert comparable(tmp_path) == comparable(whole)


def test_adams_state_is_kept_too(tmp_path):
    train(tmp_path / "whole", chosen=adam_recipe())
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "parts", Stop(37), adam_recipe())
    train(tmp_path / "parts", chosen=adam_recipe())
    assert comparable(tmp_path / "parts") == comparable(tmp_path / "whole")


def test_the_handlers_of_signals_are_given_back(tmp_path):
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, Stop(3))
    assert signal.getsignal(signal.SIGINT) is before


def test_a_killed_process_goes_on_to_the_bit(tmp_path):
    """Kill -9 a process of its own at whatever it is doing, and let this one end its run."""
    command = [sys.executable, str(Path(__file__).with_name("tiny_run.py")), str(tmp_path / "killed")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _wait_for_checkpoints(tmp_path / "killed", process, 3)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed" / "result.json").exists()
    told = Stop()
    train(tmp_path / "killed", told, recipe(EPOCHS))
    assert "going on after" in told.told[-1] and len(told.told) == 1, "it went on without a remark"
    train(tmp_path / "whole", chosen=recipe(EPOCHS))
    assert comparable(tmp_path / "killed") == comparable(tmp_path / "whole")
    assert not list((tmp_path / "killed").glob(".*.partial"))


def test_what_a_killed_writer_left_is_removed_and_what_another_writes_is_not(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    writers = [f"{platform.node()}.{pid}" for pid in (ended.pid, 10**20, os.getpid(), 1)] + [f"elsewhere.{ended.pid}"]
    places = [tmp_path / f".checkpoint-000000004.pt.{writer}.partial" for writer in writers]
    for place in places:
        place.touch()
    train_in(tmp_path, some_trainer())
    assert [place.exists() for place in places] == [False, False, True, True, True]


def _wait_for_checkpoints(folder, process, epochs):
    """Wait until ``epochs`` epochs of 16 steps are saved."""
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        if (found := checkpoints(folder)) and found[0].name >= f"checkpoint-{16 * epochs:09d}.pt":
            return
        time.sleep(0.005)
    raise AssertionError(f"no checkpoint of {epochs} epochs: {process.poll()}")


@pytest.mark.parametrize("damage", ["truncated", "flipped", "emptied"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(whole, tmp_path, damage):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, Stop(53))
    latest, before = checkpoints(tmp_path)
    _harm(latest, damage)
    told = Stop()
    train(tmp_path, told)
    assert str(latest) in told.told[0] and "SHA-256" in told.told[0]
    assert "48 steps" in told.told[1] and before.name == "checkpoint-000000048.pt"
    assert comparable(tmp_path) == comparable(whole)


def test_with_all_checkpoints_damaged_it_says_so_and_starts_again(whole, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, Stop(53))
    for path in checkpoints(tmp_path):
        _harm(path, "truncated")
    told = Stop()
    train(tmp_path, told)
    assert "starting again" in told.told[2]
    assert comparable(tmp_path) == comparable(whole)


def _harm(path, damage):
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 1
    path.write_bytes({"truncated": content[: len(content) // 2], "flipped": content, "emptied": b""}[damage])


def test_a_checkpoint_with_code_in_it_is_refused_and_not_run(tmp_path):
    import hashlib
    import pickle

    marker = tmp_path / "ran"

    class Code:
        def __reduce__(self):
            return (Path.touch, (marker,))

    content = pickle.dumps({"format": "fgcosim-checkpoint-1", "identity": "{}", "state": Code()}, protocol=2)
    path = tmp_path / "checkpoint-000000001.pt"
    path.write_bytes(content + hashlib.sha256(content).digest())
    with pytest.raises(ValueError, match="no checkpoint"):
        load_checkpoint(path)
    assert not marker.exists()


def test_a_folder_of_another_run_is_refused_with_what_differs(whole):
    with pytest.raises(InputError, match=r"training.seed 0 instead of 3: choose another folder"):
        train(whole, seed=3)
    with pytest.raises(InputError, match=r"training.recipe.epochs 6 instead of 7"):
        train(whole, chosen=recipe(7))
    with pytest.raises(InputError, match=r"training.images "):
        train_software(recipe(), whole, data()._replace(train=data().test), 0)


def some_trainer(count=320, start=0, seed=0, validation=0, **changes):
    with torch.random.fork_rng():
        torch.manual_seed(start)
        network = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    how = TrainingRecipe(epochs=2, validation=validation, optimiser=Adam(rate=0.01), **changes)
    return Trainer(network, held_out(images(count, 0), validation), how, seed)


def stopped_after_four_steps(folder, trainer):
    with pytest.raises(KeyboardInterrupt):
        train_in(folder, trainer, observer=Stop(4))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"count": 100}, "training.images "),
        ({"start": 1}, "training.start "),
        ({"seed": 1}, "training.seed 0 instead of 1"),
        ({"batch": 32}, "training.recipe.batch 64 instead of 32"),
        ({"validation": 20}, "training.recipe.validation 0 instead of 20"),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_a_run_is_known_by_seed_recipe_images_and_start_whatever_else_is_given(tmp_path, changes, says, whole):
    if whole:
        train_in(tmp_path, some_trainer())
    else:
        stopped_after_four_steps(tmp_path, some_trainer())
    with pytest.raises(InputError, match=rf"of a run with {says}.*choose another folder"):
        train_in(tmp_path, some_trainer(**changes))
    again = some_trainer()
    train_in(tmp_path, again)
    assert again.finished


def test_what_is_given_tells_runs_apart_too(tmp_path):
    train_in(tmp_path, some_trainer(), {"seed": 5})
    with pytest.raises(InputError, match="of a run with seed 5 instead of 6"):
        train_in(tmp_path, some_trainer(), {"seed": 6})


def test_a_network_to_learn_from_is_part_of_the_run(tmp_path):
    how = TrainingRecipe(epochs=1, optimiser=Adam(rate=0.01), distillation=Distillation())
    split = held_out(images(100, 0), 0)
    train_in(tmp_path, Trainer(some_trainer().network, split, how, 0, teacher=some_trainer(start=3).network))
    with pytest.raises(InputError, match=r"training.taught_by"):
        train_in(tmp_path, Trainer(some_trainer().network, split, how, 0, teacher=some_trainer(start=4).network))


def test_a_stopped_trainer_goes_on_itself(tmp_path):
    trainer = some_trainer()
    stopped_after_four_steps(tmp_path, trainer)
    train_in(tmp_path, trainer)
    assert trainer.finished


def test_weights_loaded_into_a_trainer_are_its_start(tmp_path):
    train_in(tmp_path, some_trainer())
    other = some_trainer()
    other.network.load_state_dict(some_trainer(start=1).network.state_dict())
    with pytest.raises(InputError, match=r"training.start"):
        train_in(tmp_path, other)


def test_states_of_longer_epochs_are_refused():
    """They would never come to the last step of one."""
    longer = some_trainer(320)
    with longer.own_generators():
        for _ in range(4):
            longer.step()
        state = longer.state()
        with pytest.raises(ValueError, match="step 4 of epochs of 2"):
            some_trainer(100).load_state(state)


def test_checkpoints_of_another_release_are_refused_and_kept(tmp_path, monkeypatch):
    with monkeypatch.context() as before:
        before.setattr("surrogate.training.checkpoint.FORMAT", "fgcosim-checkpoint-1")
        train_in(tmp_path, some_trainer())
    kept = checkpoints(tmp_path)
    with pytest.raises(InputError, match="fgcosim-checkpoint-1, not fgcosim-checkpoint-2: choose another folder"):
        train_in(tmp_path, some_trainer())
    assert checkpoints(tmp_path) == kept


def test_a_folder_in_a_checkpoints_place_gives_way_to_the_one_before(tmp_path):
    stopped_after_four_steps(tmp_path, some_trainer())
    (tmp_path / "checkpoint-000000099.pt").mkdir()
    told = Stop()
    train_in(tmp_path, some_trainer(), observer=told)
    assert "checkpoint-000000099.pt: Is a directory: going on from the one before" in told.told[0]
    assert "4 steps in all" in told.told[1]


def test_a_run_that_starts_again_keeps_its_own_checkpoints(tmp_path):
    """Not the unusable ones of more steps."""
    train_in(tmp_path, some_trainer())
    for path in checkpoints(tmp_path):
        _harm(path, "truncated")
    stopped_after_four_steps(tmp_path, some_trainer())
    assert [path.name for path in checkpoints(tmp_path)] == ["checkpoint-000000004.pt"]


@pytest.mark.parametrize(
    ("which", "here", "says"),
    [
        ("torch.get_num_threads", 7, "threads 1 instead of 7"),
        ("torch.backends.cpu.get_cpu_capability", "OLD", 'instead of "OLD"'),
        ("surrogate.training.session.library", None, 'instead of "none"'),
    ],
)
def test_another_start_is_told_where_circumstances_differ_too(tmp_path, monkeypatch, which, here, says):
    """What was calibrated elsewhere may differ in its last bits."""
    if library() is None and here is None:
        pytest.skip("no fused kernels here")
    train_in(tmp_path, some_trainer())
    monkeypatch.setattr(which, lambda: here)
    told = Stop()
    train_in(tmp_path, some_trainer(start=1), observer=told)
    assert says in told.told[0] and "training.start" in told.told[1]


def test_other_circumstances_are_told(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, Stop(15), recipe(1))
    torch.set_num_threads(2)
    try:
        told = Stop()
        train(tmp_path, told, recipe(1))
    finally:
        torch.set_num_threads(1)
    assert "threads 1 instead of 2" in told.told[0] and "last bits" in told.told[0]


def test_a_finished_run_only_tests_again(whole):
    before, spent = comparable(whole), json.loads((whole / "result.json").read_text())["wall_s"]
    train(whole)
    assert comparable(whole) == before
    assert json.loads((whole / "result.json").read_text())["wall_s"] < 1.5 * spent + 1
    assert len(checkpoints(whole)) == 2


def test_the_best_network_is_on_disk_with_its_recipe(whole):
    network, chosen = load_software(whole / "best.safetensors")
    result = json.loads((whole / "result.json").read_text())
    right = (network(data().test.pixels).argmax(-1) == data().test.labels).double().mean()
    assert float(right) == pytest.approx(result["test_accuracy_best"]) and float(right) > 0.8
    assert chosen == recipe()
    reached = [epoch["validation_accuracy"] for epoch in result["curve"]]
    assert result["best_epoch"] == 1 + reached.index(max(reached))
    assert (whole / "curve.svg").read_text().lstrip().startswith("<?xml")
    assert len((whole / "curve.csv").read_text().splitlines()) == 7


@pytest.mark.parametrize("content", [b"", b"no tensors", b"\x08\0\0\0\0\0\0\0{}      "])
def test_foreign_networks_are_refused(tmp_path, content):
    path = tmp_path / "best.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match="fgcosim train"):
        load_software(path)
    with pytest.raises(InputError, match="no such network"):
        load_software(tmp_path / "none.safetensors")


def test_the_global_generators_are_left_alone(tmp_path):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    train(tmp_path, Shown())
    assert torch.equal(torch.get_rng_state(), before)
