"""When ngspice fails, a simulation names the attempts and the deck that was kept, and writes nowhere else."""

from pathlib import Path

import numpy as np
import pytest

from cosim.campaigns.campaign import run_campaign
from cosim.campaigns.plan import Plan
from cosim.errors import SimulationError
from cosim.spice.ladder import LADDER
from cosim.vmm.simulate import simulate

CELLS = np.array([[1.3, 1.2], [1.4, 1.25]])
DURATION = np.array([50e-9, 100e-9])

FAULTS = {
    "truncated raw file": ('"$REAL" "$@"; head -c 3000 "$RAW" > "$RAW.x"; mv "$RAW.x" "$RAW"', "no whole raw file"),
    "singular matrix": ('echo "Error: singular matrix: check node fg_0_0"; "$REAL" "$@"; exit 0', "singular matrix"),
    "not a number": (
        '"$REAL" "$@"; head -c -8 "$RAW" > "$RAW.x"; printf "\\0\\0\\0\\0\\0\\0\\370\\177" >> "$RAW.x"; '
        'mv "$RAW.x" "$RAW"', "not finite",
    ),
    "stops early": ('"$REAL" "$@"; LC_ALL=C sed -i "s/^No. Points: [0-9]*/No. Points: 20/" "$RAW"', "stopped at"),
    "missing vector": ('"$REAL" "$@"; LC_ALL=C sed -i "s/v(q_1)/v(z_1)/" "$RAW"', "no vector v(q_1)"),
    "hangs": ("exec sleep 60", "did not finish within"),
    "crashes": ("kill -ABRT $$", "status -6"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """A working folder and a folder for temporary files, to see what is written there."""
    (tmp_path / "cwd").mkdir()
    (tmp_path / "tmp").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    return tmp_path


@pytest.mark.parametrize("fault", FAULTS)
def test_every_rung_of_the_ladder_is_tried_and_named(make_design, fake_ngspice, places, fault):
    body, reason = FAULTS[fault]
    engine = fake_ngspice(f"echo run >> {places}/runs\n{body}")
    with pytest.raises(SimulationError, match=r"attempt 1: .*attempt 2: .*attempt 3: ") as caught:
        simulate(make_design(2, 2), CELLS, DURATION, engine, timeout_s=0.5 if fault == "hangs" else 60)
    message = str(caught.value)
    assert message.count(reason) == len((places / "runs").read_text().split()) == len(LADDER)
    kept = Path(message.partition(":")[0])
    assert "Vclamp_0" in kept.read_text()
    assert kept.with_suffix(".log").exists()
    assert kept.parent.parent == places / "tmp"
    assert [p.name for p in (places / "tmp").iterdir()] == [kept.parent.name]
    assert not list((places / "cwd").iterdir())


def test_the_deck_is_kept_beside_the_wanted_one(make_design, fake_ngspice, places):
    engine = fake_ngspice("echo complaint; exit 1")
    with pytest.raises(SimulationError) as caught:
        simulate(make_design(2, 2), CELLS, DURATION, engine, places / "decks" / "mine.cir")
    assert str(caught.value).startswith(f"{places}/decks/failed-mine.cir: ")
    assert {p.name for p in (places / "decks").iterdir()} == {"mine.cir", "failed-mine.cir", "failed-mine.log"}
    assert "complaint" in (places / "decks" / "failed-mine.log").read_text()
    assert not list((places / "tmp").iterdir())


def test_a_second_attempt_that_works_is_recorded(make_design, fake_ngspice, engine, places):
    broken_once = fake_ngspice(f"[ -e {places}/once ] || {{ : > {places}/once; exit 1; }}\nexec \"$REAL\" \"$@\"")
    sample = simulate(make_design(2, 2), CELLS, DURATION, broken_once)
    assert sample.attempt == 1
    assert sample.charge == pytest.approx(simulate(make_design(2, 2), CELLS, DURATION, engine).charge, rel=5e-3, abs=0)


def test_a_gate_that_does_not_return_is_a_failure(make_design, engine, monkeypatch):
    monkeypatch.setattr("cosim.vmm.checks.MAX_FLOATING_GATE_RETURN_V", 1e-12)
    with pytest.raises(SimulationError, match=r"a floating gate ended .* away from its start"):
        simulate(make_design(2, 2), CELLS, DURATION, engine)


def test_an_integrator_that_disagrees_with_its_current_is_a_failure(make_design, engine, monkeypatch):
    monkeypatch.setattr("cosim.vmm.checks.MAX_INTEGRATOR_ERROR", 1e-9)
    with pytest.raises(SimulationError, match="integrator and cell currents differ"):
        simulate(make_design(2, 2), CELLS, DURATION, engine)


@pytest.mark.parametrize("fault", ["truncated raw file", "singular matrix", "not a number"])
def test_a_failed_run_of_a_campaign_leaves_no_sample(make_design, fake_ngspice, places, fault):
    plan = Plan(CELLS[None], DURATION[None], np.zeros(1, dtype=np.int64), ("fit",), 0)
    with pytest.raises(SimulationError, match=r"campaign/decks/failed-run-0\.cir"):
        run_campaign(make_design(2, 2), plan, fake_ngspice(FAULTS[fault][0]), places / "campaign", workers=1)
    assert not list((places / "campaign" / "samples").iterdir())
    assert (places / "campaign" / "decks" / "failed-run-0.cir").exists()


def test_harmless_words_on_stderr_change_nothing(make_design, fake_ngspice, engine):
    chatty = fake_ngspice('echo "Warning: could not open a file; no error" >&2; exec "$REAL" "$@"')
    sample = simulate(make_design(2, 2), CELLS, DURATION, chatty)
    assert sample.attempt == 0
    assert np.array_equal(sample.charge, simulate(make_design(2, 2), CELLS, DURATION, engine).charge)
