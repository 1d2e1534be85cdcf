"""Faults of campaigns, for real: signal 9, a full disk, a second campaign, damaged files, jumping clocks."""

from __future__ import annotations

import io
import os
import pickle
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from rich.console import Console

from cosim import cli
from cosim.campaigns.campaign import run_campaign, write_campaign
from cosim.campaigns.plan import Plan, PlanSize
from cosim.campaigns.samples import SampleStore
from cosim.errors import InputError
from cosim.files.dataset import load_dataset
from cosim.files.lock import locked
from cosim.files.measurements import load_measurements
from cosim.progress import Stages
from cosim.run_folder import pipeline
from cosim.run_folder.pipeline import Job, _simulate, run
from netlists.designfile import dump_design
from scripts.killing import Work, kill_often

ROWS, COLUMNS = 2, 2


@pytest.fixture
def design(make_design):
    """A design of tens of milliseconds a run."""
    return make_design(ROWS, COLUMNS, read={"t_max": "20 ns"})


def _plan(runs: int) -> Plan:
    rng = np.random.default_rng(0)
    duration = rng.uniform(2e-9, 20e-9, (runs, ROWS))
    duration[-1] = duration[0]  # equal runs
    return Plan(rng.uniform(1.15, 1.5, (2, ROWS, COLUMNS)), duration, np.arange(runs) % 2, ("fit",) * runs, 0)


def _same(a, b):
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in a.__dataclass_fields__)


def _killed(design, engine, folder, kills, seed):
    result = kill_often(Work(design, _plan(41), engine, folder), kills, seed)
    assert result.kills == kills
    assert result.in_samples > kills / 4  # most hit a campaign that was simulating
    assert max(result.recovery_seconds) < 2


def test_killed_at_random_moments_nothing_is_lost(design, engine, tmp_path):
    _killed(design, engine, tmp_path, 20, seed=1)


@pytest.mark.long
def test_killed_at_200_random_moments_nothing_is_lost(design, engine, tmp_path):
    _killed(design, engine, tmp_path, 200, seed=2)


@pytest.fixture
def fgcosim(monkeypatch, capsys):
    """The command line: exit status, and what it says on stderr but for the stages."""

    def run(*arguments: object) -> tuple[int, list[str]]:
        monkeypatch.setattr(sys, "argv", ["fgcosim", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), [x for x in capsys.readouterr().err.splitlines() if not x.endswith("…")]

    return run


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 100 KiB, and a function that gives it another size."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def mount(*options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(disk)]
        try:
            return subprocess.run(command, capture_output=True, check=False).returncode == 0
        except OSError:
            return False

    if not mount("size=100k"):
        pytest.skip("this user may not mount a tmpfs")
    yield disk, lambda size: mount("remount", f"size={size}")
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_keeps_what_is_finished_and_it_goes_on_with_space(design, fgcosim, small_disk, tmp_path):
    disk, resize = small_disk
    (tmp_path / "d.yaml").write_text(dump_design(design))
    command = ("simulate", tmp_path / "d.yaml", "--vmms", 40, "--workers", 2, "--out")
    status, said = fgcosim(*command, disk / "q.csv")
    assert status == 2 and len(said) == 1 and "No space left on device" in said[0]
    store = SampleStore(disk / "q-decks" / "samples")
    kept = {p.stem: (p.stat().st_ino, p.read_bytes()) for p in store.folder.glob("*.sample")}
    assert len(kept) >= 3 and all(store.load(key) is not None for key in kept)
    assert not (disk / "q.csv").exists() and not list(disk.rglob("*.partial"))
    assert resize("10m")
    assert fgcosim(*command, disk / "q.csv") == (0, [])
    assert all((p.stat().st_ino, p.read_bytes()) == kept[p.stem] for p in map(store.path, kept))
    assert fgcosim(*command, tmp_path / "whole.csv") == (0, [])
    assert (disk / "q.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert len(load_measurements(disk / "q.csv").charge) == 40


def test_a_disk_that_fills_while_the_data_set_is_written(design, engine, small_disk, tmp_path):
    disk, resize = small_disk
    plan = _plan(60)
    write_campaign(design, plan, engine, tmp_path / "c", tmp_path / "whole.h5", workers=2)
    whole = (tmp_path / "whole.h5").read_bytes()
    for size in range(4096, len(whole), 4096):
        assert resize(size)
        with pytest.raises(OSError, match="No space left"):
            write_campaign(design, plan, engine, tmp_path / "c", disk / "data.h5", workers=1)
        assert not list(disk.iterdir())
    assert resize("1m")
    write_campaign(design, plan, engine, tmp_path / "c", disk / "data.h5", workers=1)
    assert (disk / "data.h5").read_bytes() == whole


ALONE = """
import pickle, sys
from cosim import cli
from cosim.run_folder import pipeline
from cosim.campaigns.campaign import run_campaign
run_campaign(**pickle.load(sys.stdin.buffer))
"""


def test_a_second_campaign_in_the_folder_is_refused_while_the_first_lives(design, fake_ngspice, tmp_path):
    go, began = tmp_path / "go", tmp_path / "began"
    engine = fake_ngspice(f'touch {began}; [ -e {go} ] || sleep 60; exec "$REAL" "$@"')
    arguments = {"design": design, "plan": _plan(3), "engine": engine, "folder": tmp_path / "c", "workers": 1}
    first = subprocess.Popen([sys.executable, "-c", ALONE], stdin=subprocess.PIPE, start_new_session=True)
    try:
        first.stdin.write(pickle.dumps(arguments))
        first.stdin.close()
        deadline = time.monotonic() + 60
        while not began.exists():
            assert first.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        with pytest.raises(InputError) as refused:
            run_campaign(**arguments)
        assert f"{tmp_path}/c: in use by process {first.pid} on {os.uname().nodename}: " in str(refused.value)
        assert "\n" not in str(refused.value)
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    go.touch()
    assert (tmp_path / "c" / "samples.lock").exists()
    assert len(run_campaign(**arguments)) == 3  # the lock of a killed process is void


def _damaged(content: bytes, rng: random.Random) -> bytes:
    """``content`` with a few bits wrong, or cut."""
    damaged = bytearray(content)
    for at in rng.sample(range(len(content)), rng.randint(1, 3)):
        damaged[at] ^= 1 << rng.randrange(8)
    return bytes(damaged) if rng.random() < 0.8 else content[: rng.randrange(len(content))]


def test_damaged_samples_are_simulated_again(design, engine, tmp_path):
    plan, rng = _plan(8), random.Random(0)
    first = run_campaign(design, plan, engine, tmp_path, workers=1)
    store = SampleStore(tmp_path / "samples")
    whole = {p: p.read_bytes() for p in sorted(store.folder.iterdir())}
    for path, content in whole.items():
        for _ in range(100):
            path.write_bytes(_damaged(content, rng))
            assert store.load(path.stem) is None
    assert _same(run_campaign(design, plan, engine, tmp_path, workers=1), first)
    assert {p: p.read_bytes() for p in whole} == whole


def test_a_damaged_data_set_is_refused_and_made_again_from_the_samples(design, engine, tmp_path):
    plan, rng, out = _plan(4), random.Random(0), tmp_path / "data.h5"
    write_campaign(design, plan, engine, tmp_path, out, workers=1)
    whole = out.read_bytes()
    for _ in range(60):
        out.write_bytes(_damaged(whole, rng))
        with pytest.raises(InputError, match=r"data\.h5: .*make"):
            load_dataset(out)
    write_campaign(design, plan, engine, tmp_path, out, workers=1)
    assert out.read_bytes() == whole


def test_a_run_makes_its_damaged_data_set_again_and_says_so(design, engine, tmp_path, monkeypatch):
    said = io.StringIO()
    stages = Stages(Console(file=said, width=500))
    job = Job(design, tmp_path, size=PlanSize(fit=1, fit_matrices=1, patterns=1, weights=1, network=1), workers=1)
    monkeypatch.setattr(pipeline, "network_durations", lambda _: _plan(4).duration)  # spares training a network
    first, path = _simulate(job, engine, stages), tmp_path / "data.h5"
    whole, inodes = path.read_bytes(), {p: p.stat().st_ino for p in (tmp_path / "samples").iterdir()}
    path.write_bytes(whole[:-1])
    assert _same(_simulate(job, engine, stages), first)
    assert path.read_bytes() == whole and {p: p.stat().st_ino for p in inodes} == inodes
    assert "data.h5: truncated or altered" in said.getvalue()


def test_two_runs_in_one_folder_are_refused(design, tmp_path):
    with locked(tmp_path / "run.lock"), pytest.raises(InputError, match=f"in use by process {os.getpid()} "):
        run(Job(design, tmp_path), Stages(Console(file=io.StringIO())))
    assert not (tmp_path / "samples").exists()


def test_a_jumping_clock_changes_nothing(design, engine, tmp_path, monkeypatch):
    """Hours and years back and forth between any two looks at the clock, and files dated long before or after."""
    plan, rng = _plan(9), random.Random(0)
    write_campaign(design, plan.only("fit"), engine, tmp_path / "a", tmp_path / "a.h5", workers=1)
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: rng.choice([0.0, 1e9, 4e9]) + rng.uniform(-1e8, 1e8))
        patch.setattr(time, "time_ns", lambda: int(1e9 * time.time()))
        write_campaign(design, plan, engine, tmp_path / "b", tmp_path / "b.h5", workers=2)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    inodes = {}
    for k, path in enumerate(sorted((tmp_path / "b").rglob("*"))):
        os.utime(path, (4e9, 4e9) if k % 2 else (0, 0))
        inodes[path] = path.stat().st_ino
    write_campaign(design, plan, engine, tmp_path / "b", tmp_path / "b.h5", workers=1)
    assert {path: path.stat().st_ino for path in inodes} == inodes  # nothing was simulated again
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
