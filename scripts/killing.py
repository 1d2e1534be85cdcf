"""Campaigns in processes of their own, killed with signal 9 at random moments, and what must hold afterwards."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from cosim.campaigns.campaign import write_campaign
from cosim.campaigns.plan import Plan
from cosim.campaigns.samples import SampleStore
from cosim.spice.ngspice import Ngspice
from netlists.design import Design


@dataclass(frozen=True)
class Work:
    """A campaign to be killed and the undisturbed one it is compared with, both in folders of ``folder``."""

    design: Design
    plan: Plan
    engine: Ngspice
    folder: Path
    workers: int = 2

    def path(self, name: str) -> Path:
        """A file of the campaign that is killed."""
        return self.folder / "killed" / name

    def run(self, where: str) -> None:
        """The whole campaign, in ``folder/where``; writes a line with the time and what is done at every progress."""
        folder = self.folder / where
        began, report = time.monotonic(), os.open(folder / "report", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

        def progress(done: int, total: int) -> None:
            os.write(report, f"{time.monotonic() - began} {done}\n".encode())

        out = folder / "data.h5"
        write_campaign(self.design, self.plan, self.engine, folder / "campaign", out, self.workers, progress)


@dataclass(frozen=True)
class Killed:
    """What ``kills`` of a campaign showed: seconds until each next one knew what is left, and samples kept in all."""

    kills: int
    in_samples: int
    recovery_seconds: tuple[float, ...]
    kept: int


def kill_often(work: Work, kills: int, seed: int) -> Killed:
    """Run ``work`` and kill its process group, ngspice included, after random times until ``kills`` hit a living one;
    then run it to its end. A campaign that ends before is checked and begun again.

    Raises ``AssertionError`` where a sample was lost that was reported done, is there twice, is wrong or is simulated
    again, or the data set is not that of an undisturbed campaign.
    """
    rng = random.Random(seed)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["cosim.campaigns.campaign"])
    (work.folder / "whole").mkdir(parents=True)
    began = time.monotonic()
    work.run("whole")
    span = 0.25 * (time.monotonic() - began)
    hit, in_samples, kept, recovery = 0, 0, 0, []
    while True:
        work.path("report").unlink(missing_ok=True)
        work.path(".").mkdir(exist_ok=True)
        before = _samples(work, "killed")
        process = context.Process(target=_alone, args=(work,))
        process.start()
        process.join(rng.uniform(0, span) if hit < kills else 600)
        living = _kill(process)
        report = [line.split() for line in _lines(work.path("report"))]
        after = _samples(work, "killed")
        _check(work, before, after, [int(done) for _, done in report])
        if report:
            recovery.append(float(report[0][0]))
        if living:
            hit, in_samples, kept = hit + 1, in_samples + (0 < len(after) < len(work.plan)), kept + len(after)
            continue
        _check_end(work)
        if hit >= kills:
            return Killed(hit, in_samples, tuple(recovery), kept)
        shutil.rmtree(work.path("."))


def _alone(work: Work) -> None:
    os.setsid()
    tempfile.tempdir = str(work.path("tmp"))
    work.path("tmp").mkdir(exist_ok=True)
    work.run("killed")


def _kill(process: ForkServerProcess) -> bool:
    """Kill the group of ``process``; whether it was alive."""
    living = process.is_alive()
    if living:
        assert process.pid is not None
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:  # it does not yet lead a group, and has started nothing
            process.kill()
    process.join()
    assert living or process.exitcode == 0, f"the campaign ended with {process.exitcode}"
    return living


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _samples(work: Work, where: str) -> dict[str, bytes]:
    store = SampleStore(work.folder / where / "campaign" / "samples")
    found = {p.stem: p.read_bytes() for p in sorted(store.folder.glob("*.sample"))}
    assert all(store.load(key) is not None for key in found), "a sample is damaged"
    return found


def _check(work: Work, before: dict[str, bytes], after: dict[str, bytes], done: list[int]) -> None:
    whole = _samples(work, "whole")
    assert all(after.get(key) == content for key, content in before.items()), "a finished sample was lost or changed"
    assert all(whole.get(key) == content for key, content in after.items()), "a sample is wrong"
    if done:
        assert done[0] == len(before), "a finished sample was not seen"
        assert done[-1] <= len(after), "a sample that was reported done is lost"
    if work.path("data.h5").exists():
        assert work.path("data.h5").read_bytes() == (work.folder / "whole" / "data.h5").read_bytes()


def _check_end(work: Work) -> None:
    assert work.path("data.h5").exists(), "a finished campaign left no data set"
    assert _samples(work, "killed").keys() == _samples(work, "whole").keys()
    left = [p.name for p in work.path(".").rglob(".*.partial")]
    assert not left, f"half-written files stayed: {left}"
