"""Checks of a run: each passes what is sound and names what is not."""

import numpy as np
import pytest

from cosim.spice.ngspice import RunFailure
from cosim.vmm.checks import check_balance, check_gates, check_integrators, table_of

TIME = np.linspace(0.0, 1e-6, 11)


def test_a_whole_run_becomes_a_table():
    time, table = table_of({"time": TIME, "a": TIME * 2, "b": TIME * 3}, ["b", "a"], 1e-6)
    assert time is TIME and table.tolist() == [(TIME * 3).tolist(), (TIME * 2).tolist()]


@pytest.mark.parametrize(
    ("vectors", "reason"),
    [
        ({"time": TIME}, "no vector a"),
        ({"a": TIME}, "no vector time"),
        ({"time": TIME, "a": np.where(TIME > 5e-7, np.nan, TIME)}, "not finite"),
        ({"time": TIME, "a": np.where(TIME > 5e-7, np.inf, TIME)}, "not finite"),
        ({"time": TIME[:-1], "a": TIME[:-1]}, "stopped at 9e-07 s of 1e-06 s"),
    ],
)
def test_a_run_that_is_not_whole_is_a_failure(vectors, reason):
    with pytest.raises(RunFailure, match=reason):
        table_of(vectors, ["a"], 1e-6)


def test_integrators_must_agree_with_the_cells():
    charge = np.array([1e-12, 2e-14])
    check_integrators(charge, charge + 4e-15, charge)
    with pytest.raises(RunFailure, match=r"differ by 1\.0%"):
        check_integrators(charge, charge + np.array([0, 1e-14]), charge)
    check_integrators(charge, charge + np.array([0, 1e-14]), 10 * charge)  # a part of larger charges


def test_floating_gates_must_return():
    gates = np.array([[0.5, 0.2, 0.5], [0.4, 0.1, 0.40005]])
    assert check_gates(gates, gates[:, 0]) == pytest.approx(5e-5)
    with pytest.raises(RunFailure, match=r"floating gate ended 0\.001 V"):
        check_gates(gates + np.array([[0, 0, 0], [0, 0, 0.00095]]), gates[:, 0])
    assert check_gates(np.empty((0, 3)), np.empty(0)) == 0.0


def test_floating_gates_must_start_at_their_stored_charge():
    gates = np.array([[0.5, 0.2, 0.5], [0.4, 0.1, 0.4]])
    with pytest.raises(RunFailure, match=r"floating gate started 0\.004 V away from its stored"):
        check_gates(gates, np.array([0.5, 0.404]))


def test_charge_and_energy_must_balance():
    current = np.full((1, 11), 1e-6)
    check_balance(TIME, current, current, 1e-12, 1.2)
    with pytest.raises(RunFailure, match="charge does not balance"):
        check_balance(TIME, current, current * 0.999, 1e-12, 1.2)
    for energy in (-1e-13, 1.3e-12):
        with pytest.raises(RunFailure, match="energy does not balance"):
            check_balance(TIME, current, current, energy, 1.2)
