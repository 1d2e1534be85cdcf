"""A foreign program: what it prints and how it ends, its limits, and that nothing of it stays behind."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from cosim.spice.process import KEPT_OUTPUT_BYTES, MAX_OUTPUT_BYTES, Finished, LimitExceeded, run_limited


def shell(script: str, folder: Path, timeout_s: float = 20.0) -> Finished:
    """Run ``script`` in ``folder``."""
    return run_limited(["sh", "-c", script], folder, os.environ, timeout_s)


def runs(pid: int) -> bool:
    """Whether process ``pid`` lives and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ends_soon(pid: int) -> bool:
    """Whether process ``pid`` is gone within a moment: a killed one may take one."""
    deadline = time.monotonic() + 5
    while runs(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not runs(pid)


def test_status_and_output(tmp_path: Path) -> None:
    assert shell("echo out; echo err >&2; pwd; exit 3", tmp_path) == Finished(3, f"out\n{tmp_path}\nerr\n")
    assert shell("kill -SEGV $$", tmp_path).status == -11
    assert shell("printf '\\377'", tmp_path).output == "�"


def test_much_on_both_pipes_is_read_whole(tmp_path: Path) -> None:
    output = shell("head -c 3000000 /dev/zero >&2; head -c 2000000 /dev/zero | tr '\\0' x", tmp_path).output
    assert output.count("x") == 2_000_000 and output.count("\0") == 3_000_000


def test_there_is_no_input(tmp_path: Path) -> None:
    assert shell("cat; echo end", tmp_path).output == "end\n"


@pytest.mark.parametrize("script", ["sleep 60", "exec >&- 2>&-; sleep 60", "sleep 60 & sleep 60", "sleep 60 & exit 0"])
def test_what_hangs_is_killed_with_its_children(tmp_path: Path, script: str) -> None:
    began = time.monotonic()
    with pytest.raises(LimitExceeded, match=r"did not finish within 0\.3 s") as caught:
        shell(f"echo said; echo $$ > pid; {script.replace('&', '& echo $! >> pid;') if '&-' not in script else script}",
              tmp_path, 0.3)  # fmt: skip
    assert time.monotonic() - began < 5
    assert caught.value.output == "said\n"
    pids = [int(line) for line in (tmp_path / "pid").read_text().split()]
    assert pids and all(ends_soon(pid) for pid in pids)


def test_children_that_are_left_behind_are_killed(tmp_path: Path) -> None:
    assert shell("sleep 60 >/dev/null 2>&1 & echo $! > pid", tmp_path).status == 0
    assert ends_soon(int((tmp_path / "pid").read_text()))


def test_a_flood_is_stopped_and_not_kept(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(LimitExceeded, match=f"more than {MAX_OUTPUT_BYTES} bytes") as caught:
        shell("echo $$ > pid; exec yes flood", tmp_path)
    assert time.monotonic() - began < 10
    assert caught.value.output.startswith("flood\nflood") and len(caught.value.output) == KEPT_OUTPUT_BYTES
    assert ends_soon(int((tmp_path / "pid").read_text()))


def test_an_endless_file_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cosim.spice.process.MAX_FILE_BYTES", 1_000_000)
    assert shell("exec head -c 100000000 /dev/zero > big", tmp_path).status == -25
    assert (tmp_path / "big").stat().st_size < 100_000_000


def test_what_cannot_be_started(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        run_limited(["/nowhere/ngspice"], tmp_path, os.environ, 1)
