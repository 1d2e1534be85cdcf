"""Campaigns on a real Dask cluster of separate processes on this machine, whose workers are killed."""

from __future__ import annotations

import dataclasses
import json
import queue
import random
import re
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from cosim.campaigns import campaign, workers
from cosim.campaigns.campaign import run_campaign
from cosim.campaigns.plan import Plan
from cosim.campaigns.workers import open_pool
from cosim.errors import InputError, SimulationError
from tests.cosim.cluster import Cluster

ROWS, COLUMNS = 2, 2
POISON, DEADLY = 1.23456789, 1.34567891


@pytest.fixture(scope="module")
def design(make_design):
    """A design of tens of milliseconds a run."""
    return make_design(ROWS, COLUMNS, read={"t_max": "20 ns"})


def _plan(runs: int) -> Plan:
    rng = np.random.default_rng(0)
    duration = rng.uniform(2e-9, 20e-9, (runs, ROWS))
    duration[-1] = duration[1 % runs]  # equal runs
    return Plan(rng.uniform(1.15, 1.5, (2, ROWS, COLUMNS)), duration, np.arange(runs) % 2, ("fit",) * runs, 0)


@pytest.fixture(scope="module")
def ngspice_elsewhere(engine, tmp_path_factory) -> Path:
    """The real ngspice under another name, which finds a syntax error in the decks of poisoned cells and kills the
    worker that gives it deadly ones."""
    path = tmp_path_factory.mktemp("elsewhere") / "their-ngspice"
    spoil = f'grep -q "vfg={POISON}" "$5" && sed -i "s/^[.]tran.*/.tran x/" "$5"'
    kill = f'grep -q "vfg={DEADLY}" "$5" && kill -9 $PPID'
    path.write_text(f'#!/bin/sh\n[ "$1" = --version ] || {{ {spoil}; {kill}; }}\nexec "{engine.path}" "$@"\n')
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def cluster(ngspice_elsewhere, tmp_path_factory):
    """A scheduler and two workers that have an ngspice of their own."""
    made = Cluster(tmp_path_factory.mktemp("cluster"), {"FGCOSIM_NGSPICE": str(ngspice_elsewhere)})
    try:
        made.add()
        made.add()
        yield made
    finally:
        made.close()


def _same(a, b):
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in a.__dataclass_fields__)


def _samples(folder):
    return {p.name: p.read_bytes() for p in (folder / "samples").iterdir()}


def _survives(design, engine, cluster, folder, runs, kills, seed):
    """``runs`` runs while ``kills`` times, at random, a worker is killed and another one joins."""
    local = run_campaign(design, _plan(runs), engine, folder / "local", workers=2)
    rng, killed, orders = random.Random(seed), [], queue.Queue()
    moments = sorted(rng.choices(range(runs - 10), k=kills))

    def order(done: int, total: int) -> None:
        while moments and done >= moments[0]:
            orders.put(moments.pop(0))

    def obey() -> None:
        while orders.get() is not None:
            time.sleep(rng.uniform(0, 0.1))
            killed.append(rng.choice(sorted(cluster.workers)))
            cluster.kill(killed[-1])
            cluster.add()

    killer = threading.Thread(target=obey)
    killer.start()
    try:
        wide = run_campaign(design, _plan(runs), engine, folder / "wide", progress=order, scheduler=cluster.address)
    finally:
        orders.put(None)
        killer.join()
    assert len(killed) == kills
    assert len(_samples(folder / "wide")) == runs - 1
    assert _samples(folder / "wide") == _samples(folder / "local")
    assert _same(wide, local)


def test_workers_killed_at_random_cost_no_sample(design, engine, cluster, tmp_path):
    _survives(design, engine, cluster, tmp_path, runs=60, kills=3, seed=1)


@pytest.mark.long
def test_many_workers_killed_at_random_cost_no_sample(design, engine, cluster, tmp_path):
    _survives(design, engine, cluster, tmp_path, runs=700, kills=50, seed=2)


def test_the_client_writes_deck_log_and_reason_of_runs_that_fail_elsewhere(design, engine, cluster, tmp_path):
    plan = _plan(6)
    plan.cells[1] = POISON
    with pytest.raises(SimulationError, match=r"3 of 5 runs failed|2 of 5 runs failed"):
        run_campaign(design, plan, engine, tmp_path, scheduler=cluster.address)
    listed = [json.loads(line) for line in (tmp_path / "failures.jsonl").read_text().splitlines()]
    assert len(listed) + len(_samples(tmp_path)) == 5
    for failure in listed:
        assert failure["run"] % 2 == 1 and str(tmp_path / "decks" / failure["deck"]) in failure["reason"]
        assert f"vfg={POISON}" in (tmp_path / "decks" / failure["deck"]).read_text()
        assert (tmp_path / "decks" / failure["log"]).stat().st_size > 0
    assert {p.name for p in (tmp_path / "decks").glob("run-*.cir")} == {"run-0.cir", "run-2.cir", "run-4.cir"}


def test_a_run_that_kills_its_workers_is_given_up(design, engine, cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(campaign, "MAX_LOSSES", 1)
    plan = dataclasses.replace(_plan(1), cells=np.full((1, ROWS, COLUMNS), DEADLY))
    try:
        with pytest.raises(SimulationError, match=r"1 of 1 runs failed.*failed-run-0\.cir: its workers died"):
            run_campaign(design, plan, engine, tmp_path, scheduler=cluster.address)
        assert f"vfg={DEADLY}" in (tmp_path / "decks" / "failed-run-0.cir").read_text()
    finally:
        cluster.restart_dead()


@pytest.mark.parametrize("scheduler, lines", [
    ("slurm", ["#SBATCH --cpus-per-task=8", "#SBATCH -t 08:00:00", "#SBATCH -p long"]),
    ("lsf", ["#BSUB -n 8", "#BSUB -W 08:00", "#BSUB -q long"]),
])  # fmt: skip
def test_the_guides_example_submits_what_it_should(scheduler, lines, monkeypatch, capsys):
    """The job script of the example in docs/training-data.md, and where it would run the campaign."""
    guide = (Path(__file__).parents[3] / "docs" / "training-data.md").read_text(encoding="utf-8")
    (example,) = [x for x in re.findall(r"```python\n(.*?)```", guide, re.DOTALL) if "dask_jobqueue" in x]
    started = []
    wanted = {"slurm": "sbatch", "lsf": "bsub"}[scheduler]
    monkeypatch.setattr("shutil.which", lambda name: name if name == wanted else None)
    monkeypatch.setattr("subprocess.run", lambda command, check: started.append(command))
    monkeypatch.setattr("dask_jobqueue.core.JobQueueCluster.adapt", lambda *_, **limits: started.append(limits))
    exec(compile(example, "training-data.md", "exec"), {})
    script = capsys.readouterr().out
    for line in (*lines, "export FGCOSIM_NGSPICE=$HOME/ngspice/bin/ngspice"):
        assert line in script
    assert re.search(r"dask_worker tcp://\S+ .*--nthreads 8 ", script)
    assert started[0]["maximum_jobs"] == 50
    assert started[1][:3] == ["fgcosim", "generate", "default"] and started[1][-1].startswith("tcp://")


def test_the_pool_is_as_wide_as_the_cluster(cluster):
    with open_pool(None, cluster.address) as pool:
        pool.client.wait_for_workers(len(cluster.workers), timeout=60)
        assert pool.size == len(cluster.workers)


def test_a_worker_with_another_ngspice_is_named(design, engine, cluster, tmp_path):
    other = tmp_path / "other-ngspice"
    other.write_text("#!/bin/sh\necho '** ngspice-41 : Circuit level simulation program'\n")
    other.chmod(0o755)
    for name in sorted(cluster.workers):
        cluster.kill(name)
    cluster.add({"FGCOSIM_NGSPICE": str(other)})
    with pytest.raises(InputError, match=f"worker tcp://127.*ngspice-41 .*other-ngspice.* {engine.label}"):
        run_campaign(design, _plan(4), engine, tmp_path / "c", scheduler=cluster.address)


def test_no_scheduler_no_address_and_a_lost_scheduler_are_said(design, engine, tmp_path, monkeypatch):
    cluster = Cluster(tmp_path, {"FGCOSIM_NGSPICE": engine.path})
    try:
        cluster.add()
        lost = threading.Event()

        def kill_after_some(done: int, total: int) -> None:
            if done >= 5 and not lost.is_set():
                lost.set()
                cluster.close()

        with pytest.raises(InputError, match=f"{cluster.address}: connection lost"):
            run_campaign(design, _plan(90), engine, tmp_path / "c", progress=kill_after_some, scheduler=cluster.address)
    finally:
        cluster.close()
    assert len(_samples(tmp_path / "c")) >= 5
    monkeypatch.setattr(workers, "CONNECT_SECONDS", 1)
    with pytest.raises(InputError, match="no Dask scheduler answers"):
        run_campaign(design, _plan(4), engine, tmp_path / "c", scheduler=cluster.address)
    with pytest.raises(InputError, match=r"'nonsense' is no address .*tcp://"):
        run_campaign(design, _plan(4), engine, tmp_path / "c", scheduler="nonsense")
