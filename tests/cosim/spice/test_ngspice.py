"""Finding ngspice and running it: what a broken, old, hanging or chatty simulator leads to."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from cosim.errors import InputError
from cosim.spice.ngspice import Ngspice, RunFailure, find_ngspice, run_deck

DECK = "a title\nV1 a 0 1\nR1 a 0 1k\n.save v(a) i(v1)\n.tran 1n 10n\n.end\n"


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Makes a shell script the ngspice to be found."""

    def make(body):
        path = tmp_path / "ng"
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        monkeypatch.setenv("FGCOSIM_NGSPICE", str(path))
        return path

    return make


def _refusal():
    with pytest.raises(InputError) as caught:
        find_ngspice()
    assert "\n" not in str(caught.value)
    assert "FGCOSIM_NGSPICE" in str(caught.value)  # the remedy
    return str(caught.value)


def test_this_machine_has_one(engine):
    assert engine.version >= 39
    assert Path(engine.path).is_absolute()
    assert engine.name == f"ngspice-{engine.version}"


def test_missing_binary(monkeypatch):
    monkeypatch.setenv("FGCOSIM_NGSPICE", "/nowhere/ngspice")
    assert "/nowhere/ngspice" in _refusal()


def test_file_that_is_not_executable(program):
    program("exit 0").chmod(0o644)
    assert "not found" in _refusal()


@pytest.mark.parametrize("version", ["30", "38"])
def test_too_old(program, version):
    program(f"echo '** ngspice-{version} : Circuit level simulation program'")
    assert f"release {version}" in _refusal()


@pytest.mark.parametrize("body", ["echo hello", "exit 3", "printf '\\377\\376\\000ngspice'", "echo ngspice-x"])
def test_version_that_names_no_release(program, body):
    program(body)
    assert "names no release" in _refusal()


def test_file_that_is_no_program(program):
    path = program("")
    path.write_bytes(b"\x00\x01\x02")
    assert "does not run" in _refusal()


@pytest.mark.parametrize(("extra", "klu"), [("", False), ("echo '** Compiled with KLU Direct Linear Solver'", True)])
def test_klu_is_used_where_the_program_has_it(program, extra, klu):
    program(f"echo '** ngspice-46 : x'\n{extra}")
    engine = find_ngspice()
    assert (engine.version, engine.klu) == (46, klu)
    assert ("klu" in engine.options()) is klu
    assert engine.options()["num_threads"] == 1


def test_relative_path_works_from_the_decks_folder(engine, program, tmp_path, monkeypatch):
    program(f'exec "{engine.path}" "$@"')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FGCOSIM_NGSPICE", "./ng")
    assert run_deck(find_ngspice(), DECK, 60)["v(a)"][-1] == pytest.approx(1)


def test_a_run_leaves_nothing_behind(engine, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    run_deck(engine, DECK, 60)
    assert not list(tmp_path.iterdir())


def test_the_deck_is_kept_where_wanted(engine, tmp_path):
    run_deck(engine, DECK, 60, keep=tmp_path / "a" / "b.cir")
    assert (tmp_path / "a" / "b.cir").read_text() == DECK


def _failure(engine, deck=DECK, timeout_s=60.0):
    with pytest.raises(RunFailure) as caught:
        run_deck(engine, deck, timeout_s)
    return caught.value


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('echo "singular matrix: check nodes a and b" >&2; exec "$REAL" "$@"', "singular matrix"),
        ('"$REAL" "$@"; echo "doAnalyses: TRAN: Timestep too small; time = 1e-9"; exit 0', "Timestep too small"),
        ('"$REAL" "$@"; echo "tran simulation(s) aborted"; exit 0', "aborted"),
        ('"$REAL" "$@"; exit 7', "status 7"),
        ("kill -SEGV $$", "status -11"),
        ("exit 0", "no whole raw file"),
        ('"$REAL" "$@" && head -c 500 "$RAW" > "$RAW.x" && mv "$RAW.x" "$RAW"', "no whole raw file"),
        ('"$REAL" "$@" && : > "$RAW"', "no whole raw file"),
        ('"$REAL" "$@" && echo hello > "$RAW"', "no whole raw file"),
        ('"$REAL" "$@" && rm "$RAW" && mkdir "$RAW"', "no whole raw file"),
    ],
)
def test_failures_that_hide_behind_an_exit_status(fake_ngspice, body, reason):
    assert reason in str(_failure(fake_ngspice(body)))


def test_the_log_of_a_failure_is_kept(fake_ngspice):
    failure = _failure(fake_ngspice("echo to stdout; echo to stderr >&2; exit 1"))
    assert "to stdout" in failure.log and "to stderr" in failure.log


def test_harmless_words_on_stderr_are_no_failure(fake_ngspice):
    engine = fake_ngspice("echo \"Warning: can't find the initialization file\" >&2; printf '\\377' >&2; "
                          'exec "$REAL" "$@"')  # fmt: skip
    assert run_deck(engine, DECK, 60)["v(a)"][-1] == pytest.approx(1)


@pytest.mark.parametrize("title", ["fatal", "fgcosim array no convergence, singular matrix"])
def test_a_title_is_not_taken_for_a_message(engine, title):
    assert run_deck(engine, DECK.replace("a title", title), 60)["v(a)"][-1] == pytest.approx(1)


def test_a_hanging_simulator_is_stopped(fake_ngspice, tmp_path):
    engine = fake_ngspice(f"echo $$ > {tmp_path}/pid; exec sleep 60")
    start = time.monotonic()
    assert "did not finish within" in str(_failure(engine, timeout_s=0.5))
    assert time.monotonic() - start < 10
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_simulator_that_vanished():
    assert "could not be started" in str(_failure(Ngspice("/nowhere/ngspice", 46, False)))


@pytest.mark.parametrize("deck", ["", "only a title\n", "t\nV1 a 0 1\nQ1 a b c nosuchmodel\n.tran 1n 10n\n.end\n",
                                  "t\nX1 a b nosuchsubckt\n.tran 1n 10n\n.end\n",
                                  "t\nR1 a 0 1k\nV1 a 0 1\n.end\n"])  # fmt: skip
def test_decks_that_ngspice_cannot_simulate(engine, deck):
    assert str(_failure(engine, deck))


def test_two_voltage_sources_in_a_loop_are_reported(engine):
    deck = "loop\nV1 a 0 1\nV2 a 0 2\nR1 a 0 1\n.save v(a)\n.tran 1n 10n\n.end\n"
    assert _failure(engine, deck).log


def test_vectors_are_finite_and_as_long_as_the_time_axis(engine):
    vectors = run_deck(engine, DECK, 60)
    assert {len(v) for v in vectors.values()} == {len(vectors["time"])}
    assert all(np.isfinite(v).all() for v in vectors.values())
