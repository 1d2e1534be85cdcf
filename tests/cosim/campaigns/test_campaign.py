"""Campaigns: every finished run is safe, an interrupted campaign goes on, and its data set is the same."""

import dataclasses
import errno
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from cosim import cli
from cosim.campaigns.campaign import KEPT_DECKS, run_campaign, run_keys, simulate_many, write_campaign
from cosim.campaigns.decks import deck_of
from cosim.campaigns.plan import Plan
from cosim.campaigns.samples import SampleStore
from cosim.errors import InputError, SimulationError
from cosim.files.dataset import load_dataset, save_dataset
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


def test_decks_of_the_first_runs_are_kept_and_all_can_be_written_again(design, plan, engine, tmp_path):
    rng = np.random.default_rng(1)
    more = Plan(plan.cells, rng.uniform(5e-9, 5e-8, (10, ROWS)), np.arange(10) % 2, ("fit",) * 10, 0)
    data = run_campaign(design, more, engine, tmp_path, workers=1)
    decks = {k: tmp_path / "decks" / f"run-{k}.cir" for k in range(10)}
    assert [k for k in range(10) if decks[k].exists()] == list(range(KEPT_DECKS))
    assert all(deck_of(data, k) == decks[k].read_text() for k in range(KEPT_DECKS))
    assert f"vfg={float(plan.cells[1, 0, 0])!r}" in deck_of(data, 9)
    assert deck_of(data, 9) != deck_of(data, 7)


def test_the_command_line_writes_a_deck_that_runs_by_hand(design, plan, engine, tmp_path, monkeypatch, capsys):
    write_campaign(design, plan, engine, tmp_path / "c", tmp_path / "d.h5", workers=1)

    def fgcosim(*arguments):
        monkeypatch.setattr(sys, "argv", ["fgcosim", "deck", str(tmp_path / "d.h5"), *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code or 0, capsys.readouterr().err

    assert fgcosim(4, "--out", tmp_path / "4.cir") == (0, "")
    assert (tmp_path / "4.cir").read_text() == (tmp_path / "c" / "decks" / "run-4.cir").read_text()
    done = subprocess.run([engine.path, "-b", "4.cir"], cwd=tmp_path, capture_output=True, text=True, check=False)
    charge = [float(x) for x in re.findall(r"^charge_\d+ *= *(\S+)", done.stdout, re.MULTILINE)]
    assert np.allclose(charge, load_dataset(tmp_path / "d.h5").charge[4], rtol=1e-2)
    status, said = fgcosim(6, "--out", tmp_path / "6.cir")
    assert status == 2 and f"{tmp_path}/d.h5: run 6: the data set has runs 0 to 5" in said
    assert not (tmp_path / "6.cir").exists()


def test_no_deck_of_another_run_or_program_is_written(design, plan, engine, tmp_path):
    data = run_campaign(design, plan.only("fit"), engine, tmp_path, workers=1)
    for run in (-1, 2):
        with pytest.raises(InputError, match="runs 0 to 1"):
            deck_of(data, run)
    with pytest.raises(InputError, match="other decks"):
        deck_of(dataclasses.replace(data, deck_hash="0" * 64), 0)


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
    assert len(paths) == RUNS
    paths[0].write_bytes(paths[0].read_bytes()[:-40])
    paths[1].write_bytes(b"")
    paths[2].write_bytes(b"not a zip file at all")
    altered = bytearray(paths[3].read_bytes())
    altered[200] ^= 0xFF
    paths[3].write_bytes(altered)
    paths[4].write_bytes(paths[5].read_bytes())  # another run's
    runs()
    assert _same(run_campaign(design, plan, engine, tmp_path / "c", workers=1), first)
    assert runs() == 5


def test_a_damaged_sample_is_never_read(design, plan, engine, tmp_path):
    run_campaign(design, plan.only("fit"), engine, tmp_path, workers=1)
    store, path = SampleStore(tmp_path / "samples"), _samples(tmp_path)[0]
    whole = path.read_bytes()
    assert store.load(path.stem) is not None
    for k in range(len(whole)):
        for bits in (0xFF, 1 << k % 8):
            damaged = bytearray(whole)
            damaged[k] ^= bits
            path.write_bytes(damaged)
            assert store.load(path.stem) is None
        path.write_bytes(whole[:k])
        assert store.load(path.stem) is None


def test_a_data_set_written_from_the_samples_is_the_one_in_memory(design, plan, engine, tmp_path):
    data = run_campaign(design, plan, engine, tmp_path, workers=1)
    save_dataset(data, tmp_path / "a.h5")
    (tmp_path / ".b.h5.1.partial").write_text("what a killed writer left")
    write_campaign(design, plan, engine, tmp_path, tmp_path / "b.h5", workers=1)
    assert _same(load_dataset(tmp_path / "b.h5"), data)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    assert not list(tmp_path.glob(".*.partial"))


def test_failed_runs_stop_no_other_and_are_listed(design, plan, fake_ngspice, engine, tmp_path):
    """The real ngspice, which every run of the second matrix finds a syntax error in."""
    poison = f"vfg={float(plan.cells[1, 0, 0])!r}"[:12].replace(".", "[.]")
    broken = fake_ngspice(f'grep -q "{poison}" "$5" && sed -i "s/^[.]tran.*/.tran x/" "$5"; exec "$REAL" "$@"')
    with pytest.raises(SimulationError, match=r"3 of 6 runs failed.*failures\.jsonl.*failed-run-1\.cir") as caught:
        run_campaign(design, plan, broken, tmp_path / "c", workers=2)
    assert "\n" not in str(caught.value)
    assert len(_samples(tmp_path / "c")) == 3
    listed = [json.loads(line) for line in (tmp_path / "c" / "failures.jsonl").read_text().splitlines()]
    assert sorted(failure["run"] for failure in listed) == [1, 3, 5]
    for failure in listed:
        assert f"{tmp_path}/c/decks/failed-run-{failure['run']}.cir" in failure["reason"]
        assert ".tran" in (tmp_path / "c" / "decks" / failure["deck"]).read_text()
        assert (tmp_path / "c" / "decks" / failure["log"]).is_file()
    whole = run_campaign(design, plan, engine, tmp_path / "c", workers=1)
    assert not (tmp_path / "c" / "failures.jsonl").exists()
    assert _same(whole, run_campaign(design, plan, engine, tmp_path / "d", workers=1))


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
    def key(design=design, plan=plan, engine=engine, code="1"):
        return run_keys(design, plan, engine, code)[0]

    nudged = plan.cells.copy()
    nudged[0, 0, 0] = np.nextafter(nudged[0, 0, 0], 2)
    later = plan.duration.copy()
    later[0, 0] = np.nextafter(later[0, 0], 1)
    keys = [
        *run_keys(design, plan, engine, "1"),
        key(make_design(ROWS, COLUMNS, read={"t_max": "51 ns"})),
        key(engine=dataclasses.replace(engine, version=engine.version + 1)),
        key(engine=dataclasses.replace(engine, klu=not engine.klu)),
        key(engine=dataclasses.replace(engine, trtol=6.0)),
        key(plan=dataclasses.replace(plan, cells=nudged)),
        key(plan=dataclasses.replace(plan, duration=later)),
        key(code="2"),
    ]
    assert len(set(keys)) == len(keys)
    renamed = design.model_copy(update={"name": "other"})
    assert key(renamed, engine=dataclasses.replace(engine, path="/else/where/ngspice")) == keys[0]
    assert key(plan=dataclasses.replace(plan, role=("fit",) * RUNS, seed=1)) == keys[0]


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
from cosim.campaigns.campaign import simulate_many
from cosim.spice.ngspice import find_ngspice
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
    finished = len(list(folder.glob("samples/*.sample")))
    assert finished in (2, 3)  # the third one's may not have been written yet when the fourth run began
    arguments = (design, plan.cells, plan.duration, plan.weights_index)
    count.unlink()
    go.touch()
    resumed = simulate_many(*arguments, engine, folder, workers=1)
    assert len(count.read_text().split()) == RUNS - finished
    whole = simulate_many(*arguments, engine, tmp_path / "whole", workers=1)
    assert _same(resumed, whole)
    for name, data in (("a.h5", resumed), ("b.h5", whole)):
        save_dataset(data, tmp_path / name)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    assert load_dataset(tmp_path / "a.h5").hash == whole.hash
