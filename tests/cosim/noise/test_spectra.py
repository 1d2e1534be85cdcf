"""ngspice's .noise of the design's own cell: against physics, against the closed forms, with a model of one's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cosim.errors import InputError
from cosim.noise.extract import Extraction, extracted
from cosim.noise.spectra import cell_spectra
from cosim.spice.device_check import gate_curve
from cosim.spice.ngspice import Ngspice
from netlists.design import Design
from netlists.designfile import load_design
from netlists.devices.generic import generic_device
from surrogate.noise.channel import ELEMENTARY_CHARGE
from tests.cells import with_cell

DEFAULT = load_design("default")
CURRENT = np.geomspace(5e-9, 1e-6, 9)


def found_in(design: Design, engine: Ngspice) -> Extraction:
    curve = gate_curve(design.nominal.cell, design.read, engine)  # type: ignore[arg-type]
    return extracted(cell_spectra(design, CURRENT, engine), curve)


@pytest.fixture(scope="module")
def default(engine: Ngspice) -> Extraction:
    return found_in(DEFAULT, engine)


def own_model(folder: Path, noise: str) -> Design:
    """The default design with its transistor as a model of one's own whose noise keys are ``noise``."""
    card = generic_device("n", 0.5e-6, 0.6e-6, "tt").definition().replace(".model fgn", ".model own")
    plain = " ".join(word for word in card.split() if not word.startswith(("noi", "ef=", "em=", "noimod")))
    path = folder / f"own{abs(hash(noise))}.lib"
    path.write_text(f"{plain} {noise}\n", encoding="utf-8")
    return with_cell(DEFAULT, model={"file": str(path), "name": "own"})


def test_closed_forms_hold_where_the_cell_is_inverted(default: Extraction) -> None:
    """From 20 nA on, where BSIM3's own thermal noise is sound; one γ for all currents."""
    inverted = CURRENT > 2e-8
    assert np.abs(default.channel_ratio[inverted] - 1).max() < 0.12
    assert 2 / 3 <= default.channel.gamma < 1.2
    assert np.abs(default.flicker_ratio - 1).max() < 0.15
    assert default.separated.worst < 1e-6, "the model's spectrum is white and 1/f noise, nothing else"


@pytest.mark.parametrize("channel", ["n", "p"])
def test_no_more_than_shot_noise_in_the_default_cell(engine: Ngspice, channel: str) -> None:
    """Were channel noise counted twice, as thermal and as shot noise, weak inversion would have two times 2qI."""
    found = found_in(with_cell(DEFAULT, channel=channel), engine)
    ratio = found.separated.white / (2 * ELEMENTARY_CHARGE * CURRENT)
    assert ratio[:4].min() > 0.7 and ratio.max() < 1.05
    assert (np.diff(ratio[-4:]) < 0).all()


def test_two_qi_lies_between_what_the_noise_models_of_bsim3_say_in_weak_inversion(
    engine: Ngspice, tmp_path: Path
) -> None:
    """NOIMOD=2 (channel charge) below, NOIMOD=1 (transconductances) above: the limit is taken from physics."""
    above, below = (found_in(own_model(tmp_path, f"noimod={m}"), engine).separated.white for m in (1, 2))
    shot = 2 * ELEMENTARY_CHARGE * CURRENT
    assert below[0] < shot[0] < above[0]


def test_parameters_of_spice2_flicker_noise_come_back(engine: Ngspice, tmp_path: Path) -> None:
    """S = KF·I^AF/(C_ox·L²·f^EF), of a model of one's own: exponent and slope as given, strength with KF."""
    first, second = (
        found_in(own_model(tmp_path, f"noimod=1 kf={kf} af=1.2 ef=0.9"), engine).flicker for kf in ("1e-28", "3e-28")
    )
    assert first is not None and second is not None
    assert first.exponent == pytest.approx(1.2, abs=1e-3) and first.bend == pytest.approx(0, abs=1e-3)
    assert first.slope == pytest.approx(0.9, abs=1e-3)
    assert second.strength == pytest.approx(3 * first.strength, rel=1e-2, abs=0)
    oxide = 3.9 * 8.8541878e-12 / 7e-9
    assert first.strength == pytest.approx(1e-28 / (oxide * 0.6e-6**2), rel=0.02, abs=0)


def test_a_model_without_flicker_noise_has_none(engine: Ngspice, tmp_path: Path) -> None:
    found = found_in(own_model(tmp_path, "noimod=1"), engine)
    assert found.flicker is None and (found.separated.flicker == 0).all()


def test_idle_cells_add_nothing(engine: Ngspice) -> None:
    spectra = cell_spectra(DEFAULT, CURRENT, engine)
    assert (spectra.idle < 1e-9 * spectra.active).all()


def test_a_resistive_cell_and_currents_out_of_reach_are_refused(engine: Ngspice) -> None:
    data = DEFAULT.model_dump(mode="json", exclude_none=True)
    with pytest.raises(InputError, match=r"cell\.kind"):
        cell_spectra(Design.model_validate({**data, "cell": {"kind": "resistive"}}), CURRENT, engine)
    with pytest.raises(InputError, match="currents"):
        cell_spectra(DEFAULT, np.array([1e-9, 1.0]), engine)
