"""Every command with arguments and files that do not belong: it works, or ends with 1 or 2 and one line."""

import contextlib
import io
import shutil
import sys
from unittest import mock

import pytest
from fuzzing import altered_bytes, fuzz
from hypothesis import strategies as st
from readers import READERS, design, reader
from test_files import _whole
from typer.main import get_command

from cosim.cli import app, main
from netlists.designfile import dump_design

COMMANDS = sorted(get_command(app).commands)  # type: ignore[attr-defined]
LINES = [
    "deck data.h5 0 -o deck.cir", "fit data.h5 -o f.safetensors", "fit m.csv -o f.safetensors",
    "validate s.safetensors data.h5", "validate s.safetensors m.csv --json", "validate s.safetensors data.h5 --ser 45",
    "simulate d.yaml -o q.csv --durations t.csv --seed 0", "simulate d.yaml -o q.csv --vmms 1 --workers 1",
    "verify . --runs 1",
]  # fmt: skip
"""Commands that do what they should in seconds, with files of :data:`readers.READERS`."""
SLOW = [
    "generate d.yaml -o g.h5 --seed 0", "retrain s.safetensors -o out --seeds 1", "run d.yaml -o out --images 1",
    "signoff s.safetensors n.safetensors -o out --images 1", "report .", "verify out",
]  # fmt: skip
"""Commands that would work longer: their first file is cut in half."""
WORDS = [
    "none.h5", "none.csv", "none.safetensors", "none", "", ".", "..", "/", "folder", "a\nb.csv", "-", "--", "\ud800",
    "default ", "x" * 300, "data.h5/x", "d.yaml", "t.csv", "m.csv", "s.safetensors", "data.h5", "--help", "--nothing",
    "0", "-1", "1.5", "nan", "inf", "1e999", "9" * 30, "none/out", "--scheduler=x", "--json", "--out",
]  # fmt: skip


@st.composite
def _lines(draw):
    """A command line with up to two words replaced, left out or doubled; which file is altered, and its bytes."""
    slow = draw(st.integers(0, 2)) == 0
    line = draw(st.sampled_from(SLOW if slow else LINES)).split()
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(2 if slow else 1, len(line)))
        line[at : at + draw(st.integers(0, 1))] = draw(st.sampled_from([[], [draw(st.sampled_from(WORDS))]]))
    which = draw(st.sampled_from([r for r in READERS if r.name in line] or READERS))
    return line, slow, which, draw(altered_bytes(_whole(which.kind)))


def run(*arguments: str) -> tuple[int, str, str]:
    """Status, output and errors of the program."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["fgcosim", *arguments]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main()
        sys.exit(0)
    return ended.value.code or 0, out.getvalue(), err.getvalue()  # type: ignore[return-value]


def ends_well(status: int, err: str) -> None:
    """0, or 1 or 2 with one line; wrong options show how the command is used."""
    assert status in (0, 1, 2), err
    assert "Traceback" not in err and "Warning" not in err, err
    *progress, last = err.strip().splitlines() or [""]
    if status == 2:
        assert "─ Error ─" in err or (last.startswith("fgcosim: ") and all(p.endswith("…") for p in progress)), err


@fuzz(40, st.deferred(_lines))
def test_lines(folder, case):
    """Files lie in a folder of their own, valid but for one."""
    line, slow, altered, content = case
    place = folder / "place"
    shutil.rmtree(place, ignore_errors=True)
    (place / "folder").mkdir(parents=True)
    for which in READERS:
        (place / which.name).write_bytes(_whole(which.kind))
    (place / altered.name).write_bytes(content)
    for name in ("d.yaml", "s.safetensors", "network.json") if slow else ():
        (place / name).write_bytes((place / name).read_bytes()[:200])
    with contextlib.chdir(place):
        status, _, err = run(*line)
    assert not slow or status == 2 or "--help" in line, line
    ends_well(status, err)


OPTIONS = [[], ["--durations", "t.csv"], ["--workers", "1"]]


@fuzz(2, st.tuples(st.integers(1, 2), st.integers(0, 5), st.sampled_from(OPTIONS)))
def test_simulations(folder, case):
    """Real ones, of a very small array."""
    vmms, seed, more = case
    (folder / "d.yaml").write_text(dump_design(design().resized(2, 2)), encoding="utf-8")
    (folder / "t.csv").write_text("T_0,T_1\n1e-7,0\n", encoding="utf-8")
    with contextlib.chdir(folder):
        status, _, err = run("simulate", "d.yaml", "-o", "q.csv", "--vmms", str(vmms), "--seed", str(seed), *more)
        ends_well(status, err)
        assert status == 0
        assert len(reader("measurements").read(folder / "q.csv").charge) == (1 if "t.csv" in more else vmms)


@pytest.mark.parametrize("command", COMMANDS)
def test_without_arguments(command, tmp_path):
    with contextlib.chdir(tmp_path):
        if command != "run":
            status, _, err = run(command)
            assert status == 2 and "Missing argument" in err
        status, out, _ = run(command, "--help")
        assert status == 0 and "Usage" in out
