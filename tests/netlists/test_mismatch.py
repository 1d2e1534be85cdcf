"""Mismatch: Pelgrom's law, drawn once for an array, and in every deck of it."""

import re

import numpy as np
import pytest
from cells import with_cell

from cosim.vmm.whole import vmm_deck
from netlists.circuits.block import Boundary, block_cards, source_cards
from netlists.circuits.timeline import pulse_timeline
from netlists.errors import InputError
from netlists.mismatch import deviations, sigmas

SHAPE = (64, 64)


def _mismatched(make_design, shape=SHAPE, seed=1, **cell):
    return with_cell(make_design(*shape), mismatch={"seed": seed, **cell.pop("mismatch", {})}, **cell)


def _interval(sigma, count):
    """Four standard errors of a standard deviation estimated from ``count`` values."""
    return pytest.approx(sigma, rel=4 / np.sqrt(2 * count))


@pytest.mark.parametrize("size", [("0.5 um", "0.6 um"), ("2 um", "0.5 um"), ("1 um", "4 um")])
def test_deviations_follow_the_law(make_design, size):
    keys = {"threshold_mv_um": 6.0, "current_factor_percent_um": 1.5}
    design = _mismatched(make_design, mismatch=keys, width=size[0], length=size[1])
    found, area = deviations(design), design.cell.width * design.cell.length * 1e12
    count = found.threshold.size
    assert np.std(found.threshold) == _interval(6e-3 / np.sqrt(area), count)
    assert np.std(found.factor) == _interval(0.015 / np.sqrt(area), count)
    assert abs(np.mean(found.threshold)) < 4 * 6e-3 / np.sqrt(area * count)
    assert abs(np.corrcoef(found.threshold.ravel(), found.factor.ravel())[0, 1]) < 4 / np.sqrt(count)


def test_constants_are_the_devices_unless_given(make_design):
    area = 0.3
    assert sigmas(_mismatched(make_design).cell)[0] == pytest.approx(5e-3 / np.sqrt(area))
    assert sigmas(_mismatched(make_design, device="sky130_5v").cell)[0] == pytest.approx(8.2e-3 / np.sqrt(area))
    given = _mismatched(make_design, device="sky130_5v", mismatch={"threshold_mv_um": 0.0})
    assert sigmas(given.cell) == (0.0, pytest.approx(0.7e-2 / np.sqrt(area)))
    assert (deviations(given).threshold == 0).all()


def test_a_seed_repeats_and_another_differs(make_design):
    first, again, other = (deviations(_mismatched(make_design, seed=seed)) for seed in (3, 3, 4))
    deviations.cache_clear()
    fresh = deviations(_mismatched(make_design, seed=3))
    assert (first.threshold == again.threshold).all() and (first.threshold == fresh.threshold).all()
    assert (first.factor == fresh.factor).all()
    assert (first.threshold != other.threshold).all() and (first.factor != other.factor).all()
    assert deviations(make_design()) is None


def test_sizes_at_which_the_law_means_nothing_are_refused(make_design):
    with pytest.raises(InputError, match=r"cell\.mismatch\.threshold_mv_um: .* lower it or enlarge the cell"):
        deviations(_mismatched(make_design, mismatch={"threshold_mv_um": 500.0}))


@pytest.fixture
def subcircuit(tmp_path):
    """A model file whose subcircuit takes no ``delvto``."""
    path = tmp_path / "my.lib"
    card = ".model nm nmos level=8 version=3.3.0 tox=7e-9"
    path.write_text(f".subckt nf d g s b w=1 l=1\nM1 d g s b nm w={{w}} l={{l}}\n{card}\n.ends\n", encoding="utf-8")
    return {"file": str(path), "subckt": "nf"}


@pytest.mark.parametrize("own", [False, True])
def test_both_decks_hold_every_cells_deviation(make_design, subcircuit, own):
    design = _mismatched(make_design, (3, 4), **({"model": subcircuit} if own else {}))
    cells, found = np.arange(1.0, 13.0).reshape(3, 4), deviations(design)
    whole = vmm_deck(design, cells, np.zeros(3), {})
    timeline = pulse_timeline(design, np.full(3, 50e-9))
    rest = np.zeros((len(timeline.active), 3, 4))
    sources = source_cards(design, range(1, 3), cells, timeline, Boundary(rest, rest), np.full(4, 1.2))
    block = block_cards(design, range(1, 3)) + sources
    for i, j in np.ndindex(3, 4):
        shift, factor, volts = (float(a[i, j]) for a in (found.threshold, found.factor, cells))
        given = dict(re.findall(r"(\w+)=(\S+)", re.search(rf"^X{i}_{j} .*$", whole, re.MULTILINE).group()))
        assert float(given["mu"]) == factor
        assert float(given["vfg"]) == pytest.approx(volts - shift if own else volts, rel=1e-12, abs=0)
        assert own or float(given["dvt"]) == shift
        if j not in (1, 2):
            continue
        card = re.search(rf"^[MX]{i}_{j} .*$", block, re.MULTILINE).group()
        stored = float(re.search(rf"^Iq_{i}_{j} 0 \S+ (\S+)$", block, re.MULTILINE).group(1)) * 1e18
        assert stored == pytest.approx(volts - shift if own else volts, rel=1e-12, abs=0)
        assert f"m={factor!r}" in card if own else f"delvto={shift!r} mulu0={factor!r}" in card


def test_a_nominal_design_deviates_nowhere(make_design):
    design = make_design(3, 4)
    assert _mismatched(make_design, (3, 4)).nominal == design and design.nominal is design
