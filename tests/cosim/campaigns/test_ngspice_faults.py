"""An ngspice that fails in one run of a campaign: that run is reported, no other is lost, and no number is wrong.

The figures of all faults together (tried, stopped, right in spite of it, wrong, lost) are written as JSON to the file
that ``FGCOSIM_FAULTS`` names, if any.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosim.campaigns.campaign import run_campaign
from cosim.campaigns.plan import Plan
from cosim.errors import InputError, SimulationError
from cosim.files.dataset import DataSet
from cosim.spice.ladder import LADDER
from cosim.spice.ngspice import Ngspice, find_ngspice
from cosim.vmm.sample import Sample
from cosim.vmm.simulate import simulate
from netlists.design import Design

FAULTY = 1
"""The run that meets the fault; its first pulse has a width that no other run has."""
MARK = 42e-9
CELLS = np.array([[[1.3, 1.2], [1.4, 1.25]]])
DURATION = np.array([[20e-9, 50e-9], [MARK, 17e-9], [50e-9, 30e-9]])

SWAP = 'mv "$RAW.x" "$RAW"'
FAULTS = {
    "killed in mid-run": ('"$REAL" "$@" & sleep {delay}; kill -9 $!; wait $!', "status 137|no whole raw file"),
    "killed with its parent": ("kill -9 $$", "status -9"),
    "segmentation fault": ("kill -SEGV $$", "status -11"),
    "exit status 1": ('"$REAL" "$@"; exit 1', "status 1"),
    "hanging": ('"$REAL" "$@"; sleep 60', "did not finish within"),
    "hanging with a child": ("sleep 60 & sleep 60", "did not finish within"),
    "stopped by a signal": ("kill -STOP $$", "did not finish within"),
    "exit 0 without a raw file": ("exit 0", "no whole raw file"),
    "exit 0 with a raw file cut at random": (
        '"$REAL" "$@"; head -c $(($(stat -c %s "$RAW") * {share} / 1000)) "$RAW" > "$RAW.x"; ' + SWAP,
        "no whole raw file",
    ),
    "exit 0 with fewer points": (
        '"$REAL" "$@"; LC_ALL=C sed -i "s/^No. Points: [0-9]*/No. Points: {points}/" "$RAW"', "stopped at",
    ),
    "not a number": (
        '"$REAL" "$@"; printf "\\0\\0\\0\\0\\0\\0\\370\\177" | dd of="$RAW" bs=1 conv=notrunc status=none '
        'seek=$(($(stat -c %s "$RAW") - 8 * {points}))', "not finite",
    ),
    "infinite": (
        '"$REAL" "$@"; printf "\\0\\0\\0\\0\\0\\0\\360\\177" | dd of="$RAW" bs=1 conv=notrunc status=none '
        'seek=$(($(stat -c %s "$RAW") - 8 * {points}))', "not finite",
    ),
    "a vector is missing": ('"$REAL" "$@"; LC_ALL=C sed -i "s/v(q_1)/v(z_1)/" "$RAW"', "no vector v"),
    "error on stderr, exit 0": (
        '"$REAL" "$@"; echo "doAnalyses: TRAN: Timestep too small" >&2; exit 0', "Timestep too small",
    ),
    "error on stdout, exit 0": ('"$REAL" "$@"; echo "Error: singular matrix: check node x"; exit 0', "singular matrix"),
    "another program": ("echo hello; exit 0", "no whole raw file"),
    "flood on stdout": ("exec yes nonsense", "printed more than"),
    "flood on stderr": ("exec yes nonsense >&2", "printed more than"),
    "deletes itself": ('rm "$0"; exit 1', "status 1|could not be started"),
    "no longer executable": ('chmod -x "$0"; exit 1', "status 1|could not be started"),
}  # fmt: skip
LASTING = ("deletes itself", "no longer executable")
"""Faults that every later run meets, too."""
HANGING = ("hanging", "hanging with a child", "stopped by a signal")


@dataclass
class Tally:
    """What became of the tries of each fault."""

    counts: dict[str, Counter[str]]

    def add(self, fault: str, **outcome: int) -> None:
        """One more try."""
        self.counts.setdefault(fault, Counter()).update(tried=1, **outcome)


@pytest.fixture(scope="module")
def tally() -> Iterator[Tally]:
    """The figures of this module's tries."""
    tally = Tally({})
    yield tally
    if os.environ.get("FGCOSIM_FAULTS"):
        text = json.dumps({fault: dict(counts) for fault, counts in tally.counts.items()}, indent=2)
        Path(os.environ["FGCOSIM_FAULTS"]).write_text(text + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def design(make_design) -> Design:
    """A small array with short pulses."""
    return make_design(2, 2, read={"t_max": "50 ns"})


@pytest.fixture(scope="module")
def plan() -> Plan:
    """Three runs."""
    return Plan(CELLS, DURATION, np.zeros(3, dtype=np.int64), ("fit",) * 3, seed=0)


@pytest.fixture(scope="module")
def right(design: Design, plan: Plan, engine: Ngspice, tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    """What a sound ngspice gives."""
    return run_campaign(design, plan, engine, tmp_path_factory.mktemp("right"), workers=1)


def _simulate(timeout_s: float, *arguments: Any) -> Sample:
    """:func:`simulate`, which loses its patience with the faulty run early."""
    return simulate(*arguments, timeout_s=timeout_s if arguments[2][0] == MARK else 60.0)


def _same(a: DataSet, b: DataSet) -> bool:
    return all(np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(DataSet))


def _wrong(data: DataSet, right: DataSet) -> int:
    """Runs whose charges are not the right ones: to the last digit, or closely where a safer rung made them."""
    close = np.isclose(data.charge, right.charge, rtol=3e-3).all(axis=1)
    equal = (data.charge == right.charge).all(axis=1)
    return int((~np.where(data.attempt > 0, close, equal)).sum())


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("tries", [1, pytest.param(20, marks=pytest.mark.long)])
def test_a_fault_in_one_run(
    fault: str, tries: int, design: Design, plan: Plan, right: DataSet, engine: Ngspice,
    fake_ngspice: Callable[[str], Ngspice], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tally: Tally,
) -> None:  # fmt: skip
    """The other runs are kept, the failed one is listed with deck, log and reason; a sound ngspice makes it up."""
    monkeypatch.setattr("cosim.campaigns.workers.simulate", partial(_simulate, 0.3 if fault in HANGING else 60.0))
    body, reason = FAULTS[fault]
    random = np.random.default_rng(len(fault))
    for number in range(tries):
        moment = {
            "{delay}": f"{random.uniform(0, 0.03):.4f}", "{share}": str(random.integers(1000)),
            "{points}": str(random.integers(1, 100)),
        }  # fmt: skip
        script = body
        for name, value in moment.items():
            script = script.replace(name, value)
        broken = fake_ngspice(f'grep -q "{MARK!r}" "$5" || exec "$REAL" "$@"\n{script}')
        folder = tmp_path / str(number)
        stopped = ()
        try:
            data = run_campaign(design, plan, broken, folder, workers=1)
            assert fault == "killed in mid-run" and _wrong(data, right) == 0  # one attempt was faster
        except SimulationError as error:
            stopped = tuple(range(FAULTY, len(plan))) if fault in LASTING else (FAULTY,)
            _check_report(error, folder, reason, stopped)
        kept = len(list((folder / "samples").iterdir()))
        wrong = _wrong(run_campaign(design, plan, engine, folder, workers=1), right)
        lost = len(plan) - len(stopped) - kept
        tally.add(fault, stopped=bool(stopped), right=not stopped, wrong=wrong, lost=lost)
        assert (wrong, lost) == (0, 0)


def _check_report(error: SimulationError, folder: Path, reason: str, stopped: tuple[int, ...]) -> None:
    assert "\n" not in str(error) and "failures.jsonl" in str(error)
    failures = [json.loads(line) for line in (folder / "failures.jsonl").read_text().splitlines()]
    assert tuple(failure["run"] for failure in failures) == stopped
    for failure in failures:
        assert failure["reason"].count("attempt ") == len(LADDER)
        assert any(part in failure["reason"] for part in reason.split("|")), failure["reason"]
        assert len((folder / "decks" / failure["log"]).read_text()) < 1_000_000
    assert repr(MARK) in (folder / "decks" / failures[0]["deck"]).read_text()


@pytest.mark.parametrize("failures", range(len(LADDER)))
def test_a_flaky_simulator_climbs_the_ladder_and_says_so(
    failures: int, design: Design, fake_ngspice: Callable[[str], Ngspice], right: DataSet, tmp_path: Path, tally: Tally
) -> None:
    count = tmp_path / "count"
    flaky = fake_ngspice(f'echo x >> {count}; [ $(wc -l < {count}) -gt {failures} ] || exit 1; exec "$REAL" "$@"')
    sample: Sample = simulate(design, CELLS[0], DURATION[0], flaky)
    assert sample.attempt == failures
    assert sample.charge == pytest.approx(right.charge[0], rel=3e-3, abs=0)
    tally.add("fails once or twice, then works", right=1)


def test_a_folder_for_temporary_files_that_vanished(
    design: Design, plan: Plan, right: DataSet, engine: Ngspice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the disk is full or read-only: the campaign stops at once, what was finished stays."""
    run_campaign(design, plan.only("fit"), engine, tmp_path / "c", workers=1)
    next((tmp_path / "c" / "samples").iterdir()).unlink()
    with monkeypatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
        with pytest.raises(OSError, match="nowhere"):
            run_campaign(design, plan, engine, tmp_path / "c", workers=1)
    assert len(list((tmp_path / "c" / "samples").iterdir())) == 2
    assert _same(run_campaign(design, plan, engine, tmp_path / "c", workers=1), right)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (None, "not found"),
        ("", "names no release"),
        ("echo hello", "names no release"),
        ("echo '** ngspice-38 : x'", "release 38, at least 39"),
        ("kill -9 $$", "names no release"),
    ],
)
def test_a_program_that_is_no_ngspice_is_refused_before_anything_runs(
    script: str | None, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tally: Tally
) -> None:
    path = tmp_path / "ngspice"
    if script is not None:
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    monkeypatch.setenv("FGCOSIM_NGSPICE", str(path))
    with pytest.raises(InputError, match=words) as caught:
        find_ngspice()
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    tally.add("missing, too old or another program", stopped=1)
