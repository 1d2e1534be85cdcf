"""Arrays with disconnected or with bent, clamped idle cells in ngspice, a surrogate fitted to them, and arrays that the
fit never saw."""

import pytest

from tests.cosim.fitting.small_fit import fitted_to

SECTIONS = {
    "wires": {"word_line_resistance": "30 ohm", "bit_line_resistance": "200 ohm", "switch_resistance": "2 kohm"},
    "weights": {"current_min": "100 nA", "current_max": "5 uA"},
    "read": {"voltage": "0.3 V", "bits": 8, "t_max": "256 ns"},
}
ACCESS, BENT = {"access_resistance": "3 kohm"}, {"sinh_voltage": "0.25 V"}
CELLS = {
    "linear": ("disconnected", ACCESS), "bent": ("disconnected", {**ACCESS, **BENT}), "clamped": ("clamped", BENT),
}  # fmt: skip


@pytest.fixture(scope="module", params=CELLS)
def fitted(request, make_design, engine, tmp_path_factory):
    """A 6x4 design with strong drops, its campaign and the surrogate fitted to it."""
    idle, cell = CELLS[request.param]
    design = make_design(6, 4, {"kind": "resistive", **cell}, array={"idle": idle}, **SECTIONS)
    return fitted_to(design, engine, tmp_path_factory)


def test_unseen_runs_are_predicted_and_pass(fitted):
    budget = fitted.checked_budget(65)
    assert budget["fast_engine"] > (55 if fitted.design.cell.sinh_voltage is None else 45)
    assert budget["bit_line_drop"] < 30 and budget.get("access", 0.0) < 45
    assert ("access" in budget) == (fitted.design.array.idle == "disconnected")


def test_the_fit_finds_the_design_s_numbers(fitted):
    wanted = [100, 30, 200, 2000, *([] if fitted.design.cell.access_resistance is None else [3000])]
    bend = 0 if fitted.design.cell.sinh_voltage is None else (0.3 / 0.25) ** 2
    assert fitted.wires(len(wanted)) == pytest.approx(wanted, rel=1e-2, abs=0)
    assert float(fitted.surrogate.shared[-2]) == pytest.approx(bend, rel=1e-3, abs=1e-3)
    if fitted.design.array.idle == "disconnected":
        assert float(fitted.surrogate.shared[-1]) == pytest.approx(1 / 256 / 6, rel=0.15, abs=0)


@pytest.mark.parametrize(("rows", "columns"), [(12, 3), (3, 7)])
def test_arrays_of_other_sizes_are_predicted(fitted, engine, tmp_path, rows, columns):
    assert fitted.ser_elsewhere(rows, columns, engine, tmp_path) > 65
