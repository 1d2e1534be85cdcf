"""Resistive arrays in ngspice, a surrogate fitted to them, and larger arrays that the fit never saw."""

import pytest

from tests.cosim.fitting.small_fit import fitted_to

WIRES = {"word_line_resistance": "30 ohm", "bit_line_resistance": "7 ohm", "switch_resistance": "2 kohm"}
CURRENTS = {"current_min": "500 nA", "current_max": "50 uA"}


@pytest.fixture(scope="module")
def fitted(make_design, engine, tmp_path_factory):
    """A 6x4 design with strong drops, its campaign and the surrogate fitted to it."""
    return fitted_to(make_design(6, 4, "resistive", wires=WIRES, weights=CURRENTS), engine, tmp_path_factory)


def test_unseen_runs_are_predicted_and_pass(fitted):
    budget = fitted.checked_budget(70)
    assert budget["fast_engine"] > 70
    assert budget["bit_line_drop"] < 30 and budget["word_line_drop"] < 60


def test_the_fit_finds_the_design_s_resistances(fitted):
    assert fitted.wires(4) == pytest.approx([100, 30, 7, 2000], rel=1e-3, abs=0)
    assert len(fitted.surrogate.shared) == 4


@pytest.mark.parametrize(("rows", "columns"), [(24, 3), (3, 7)])
def test_arrays_of_other_sizes_are_predicted(fitted, engine, tight_engine, tmp_path, rows, columns):
    """What is left is the simulator's own integration of the edges, the less of it the tighter its tolerances."""
    for simulator, level in ((engine, 70), (tight_engine, 110)):
        assert fitted.ser_elsewhere(rows, columns, simulator, tmp_path / str(level)) > level
