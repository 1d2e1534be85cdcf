"""Campaigns: every finished run is safe, an interrupted campaign goes on, and its data set is the same."""

import errno
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from cosim.campaign import _load, run_campaign, run_key, simulate_many
from cosim.dataset import load_dataset, save_dataset
from cosim.ngspice import Ngspice
from cosim.plan import Plan
from netlists.designfile import dump_design

ROWS, COLUMNS, RUNS = 3, 2, 6
COUNT = 'echo run >> "$0.count"; exec "$REAL" "$@"'


@pytest.fixture
def design(make_design):
    """A small design."""
    return make_design(ROWS, COLUMNS, read={"t_max": "50 ns"})


@pytest.fixture
def plan():
    """Six different runs of two matrices."""
    rng = np.random.default_rng(0)
    cells = rng.uniform(1.15, 1.5, (2, ROWS, COLUMNS))
    duration = rng.uniform(5e-9, 50e-9, (RUNS, ROWS))
    index = np.arange(RUNS, dtype=np.int64) % 2
    return Plan(cells, duration, index, ("fit", "fit", "patterns", "weights", "network", "one_hot"), seed=7)


@pytest.fixture
def counted(fake_ngspice, tmp_path):
    """The real ngspice, and how often it was started since the last look."""
    engine = fake_ngspice(COUNT)
    count = tmp_path / "fake-ngspice.count"

    def runs():
        number = len(count.read_text().split()) if count.exists() else 0
        count.unlink(missing_ok=True)
        return number

    return engine, runs


def _same(a, b):
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in a.__dataclass_fields__)


def _samples(folder):
    return sorted((folder / "samples").iterdir())


def test_the_data_set_holds_plan_results_and_provenance(design, plan, engine, tmp_path):
    data = run_campaign(design, plan, engine, tmp_path, workers=1)
    assert np.array_equal(data.duration, plan.duration)
    assert np.array_equal(data.cells, plan.cells)
    assert data.role == plan.role
    assert data.charge.shape == (RUNS, COLUMNS) and (data.charge > 0).all()
    assert (data.energy > 0).all() and (data.attempt == 0).all()
    assert (np.diff(data.slot_sample) >= 0).all() and set(data.slot_sample) <= set(range(RUNS))
    assert data.slot_active.shape == (len(data.slot_sample), ROWS)
    assert data.slot_current.shape == (len(data.slot_sample), COLUMNS)
    for k, active in zip(data.slot_sample, data.slot_active, strict=True):
        on = data.duration[k][active]
        assert on.size and (data.duration[k] >= on.min()).sum() == on.size  # the rows that last longest
    assert (data.design_hash, data.seed) == (design.hash, 7)
    assert data.simulator.startswith(engine.name)
    assert json.loads(data.options)["num_threads"] == 1
    assert len(data.deck_hash) == 64


def test_decks_are_kept(design, plan, engine, tmp_path):
    run_campaign(design, plan, engine, tmp_path, workers=1)
    assert {p.name for p in (tmp_path / "decks").iterdir()} == {f"run-{k}.cir" for k in range(RUNS)}


def test_a_finished_campaign_runs_nothing(design, plan, counted, tmp_path):
    engine, runs = counted
    first = run_campaign(design, plan, engine, tmp_path / "c", workers=1)
    assert runs() == RUNS
    assert _same(run_campaign(design, plan, engine, tmp_path / "c", workers=1), first)
    assert runs() == 0


def test_only_missing_runs_are_made_up(design, plan, counted, tmp_path):
    engine, runs = counted
    first = run_campaign(design, plan, engine, tmp_path / "c", workers=1)
    for path in _samples(tmp_path / "c")[::3]:
        path.unlink()
    runs()
    assert _same(run_campaign(design, plan, engine, tmp_path / "c", workers=1), first)
    assert runs() == 2


def test_damaged_samples_are_made_again(design, plan, counted, tmp_path):
    engine, runs = counted
    first = run_campaign(design, plan, engine, tmp_path / "c", workers=1)
    paths = _samples(tmp_path / "c")
    paths[0].write_bytes(paths[0].read_bytes()[:-40])
    paths[1].write_bytes(b"")
    paths[2].write_bytes(b"not a zip file at all")
    altered = bytearray(paths[3].read_bytes())
    altered[200] ^= 0xFF
    paths[3].write_bytes(altered)
    np.savez(paths[4], foreign=np.zeros(3))
    runs()
    assert _same(run_campaign(design, plan, engine, tmp_path / "c", workers=1), first)
    assert runs() == 5


def test_a_damaged_sample_never_gives_other_numbers(design, plan, engine, tmp_path):
    run_campaign(design, plan.only("fit"), engine, tmp_path, workers=1)
    path = _samples(tmp_path)[0]
    whole, sample = path.read_bytes(), _load(path)
    for k in range(len(whole)):
        damaged = bytearray(whole)
        damaged[k] ^= 0xFF
        path.write_bytes(damaged)
        read = _load(path)
        assert read is None or _same(read, sample)


def test_plans_share_samples(design, plan, counted, tmp_path):
    engine, runs = counted
    run_campaign(design, plan.only("fit", "patterns"), engine, tmp_path / "c", workers=1)
    assert runs() == 3
    data = run_campaign(design, plan.only("patterns", "weights"), engine, tmp_path / "c", workers=1)
    assert runs() == 1
    assert data.role == ("patterns", "weights")


def test_equal_runs_are_simulated_once(design, plan, counted, tmp_path):
    engine, runs = counted
    again = np.array([0, 1, 0, 0, 1])
    data = simulate_many(
        design, plan.cells, plan.duration[again], plan.weights_index[again], engine, tmp_path / "c", workers=2
    )
    assert runs() == 2
    assert np.array_equal(data.charge[2], data.charge[0]) and np.array_equal(data.charge[4], data.charge[1])
    assert (data.charge[0] != data.charge[1]).all()


def test_parallel_and_serial_agree(design, plan, engine, tmp_path):
    serial = run_campaign(design, plan, engine, tmp_path / "a", workers=1)
    assert _same(run_campaign(design, plan, engine, tmp_path / "b", workers=4), serial)


def test_progress_goes_from_what_is_there_to_the_end(design, plan, engine, tmp_path):
    seen = []
    run_campaign(design, plan.only("fit"), engine, tmp_path, workers=1)
    run_campaign(design, plan, engine, tmp_path, workers=1, progress=lambda done, total: seen.append((done, total)))
    assert seen[0] == (2, RUNS) and seen[-1] == (RUNS, RUNS)
    assert seen == sorted(seen)


def test_the_key_depends_on_all_that_decides_a_run(design, make_design, plan, engine):
    keys = {run_key(design, plan, k, engine) for k in range(RUNS)}
    keys.add(run_key(make_design(ROWS, COLUMNS, read={"t_max": "51 ns"}), plan, 0, engine))
    keys.add(run_key(design, plan, 0, Ngspice(engine.path, engine.version + 1, engine.klu)))
    keys.add(run_key(design, plan, 0, Ngspice(engine.path, engine.version, not engine.klu)))
    nudged = plan.cells.copy()
    nudged[0, 0, 0] = np.nextafter(nudged[0, 0, 0], 2)
    keys.add(run_key(design, Plan(nudged, plan.duration, plan.weights_index, plan.role, 0), 0, engine))
    assert len(keys) == RUNS + 4
    elsewhere = Ngspice("/else/where/ngspice", engine.version, engine.klu)
    renamed = design.model_copy(update={"name": "other"})
    assert run_key(renamed, plan, 0, elsewhere) == run_key(design, plan, 0, engine)


def test_a_full_disk_stops_the_campaign_and_leaves_no_partial_sample(design, plan, counted, tmp_path, monkeypatch):
    engine, runs = counted

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            run_campaign(design, plan, engine, tmp_path / "c", workers=1)
    assert not _samples(tmp_path / "c")
    runs()
    run_campaign(design, plan, engine, tmp_path / "c", workers=1)
    assert runs() == RUNS


SCRIPT = """
import sys
import numpy as np
from pathlib import Path
from cosim.campaign import simulate_many
from cosim.ngspice import find_ngspice
from netlists.designfile import load_design
folder = Path(sys.argv[1])
with np.load(folder / "plan.npz") as f:
    simulate_many(load_design(folder / "d.yaml"), f["cells"], f["duration"], f["index"], find_ngspice(), folder, 1)
"""


def test_a_killed_campaign_goes_on_to_the_same_data_set(design, plan, fake_ngspice, tmp_path):
    """The process is killed with signal 9 in its fourth run; the runs it finished are not run again."""
    count, go = tmp_path / "fake-ngspice.count", tmp_path / "go"
    engine = fake_ngspice(
        f'echo run >> {count}; [ -e {go} ] || [ "$(wc -l < {count})" -lt 4 ] || sleep 60; exec "$REAL" "$@"'
    )
    folder = tmp_path / "c"
    folder.mkdir()
    (folder / "d.yaml").write_text(dump_design(design))
    np.savez(folder / "plan.npz", cells=plan.cells, duration=plan.duration, index=plan.weights_index)
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder)], start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while not count.exists() or len(count.read_text().split()) < 4:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert len(list(folder.glob("samples/*.npz"))) == 3
    arguments = (design, plan.cells, plan.duration, plan.weights_index)
    count.unlink()
    go.touch()
    resumed = simulate_many(*arguments, engine, folder, workers=1)
    assert len(count.read_text().split()) == RUNS - 3
    whole = simulate_many(*arguments, engine, tmp_path / "whole", workers=1)
    assert _same(resumed, whole)
    for name, data in (("a.h5", resumed), ("b.h5", whole)):
        save_dataset(data, tmp_path / name)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    assert load_dataset(tmp_path / "a.h5").hash == whole.hash
