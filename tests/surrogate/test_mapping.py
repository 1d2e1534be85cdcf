"""From weights to currents to states and back; the map between voltages and states."""

import pytest
import torch
from synthetic import surrogate

from surrogate.errors import InputError
from surrogate.mapping import CurrentRange, InverseCurve, program
from surrogate.state_map import StateMap

CURRENTS = CurrentRange(5e-9, 2e-7)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1e-7), (-1e-9, 1e-7), (1e-7, 1e-7), (2e-7, 1e-7), (float("nan"), 1)])
def test_current_ranges_are_checked(low, high):
    with pytest.raises(InputError, match="current range"):
        CurrentRange(low, high)


@pytest.mark.parametrize("rows", [1, 5, 6])
def test_states_show_their_target_currents_when_read_alone(rows):
    s = surrogate(rows, 2, gate_row=0.0, log_word_line=-60.0, log_driver=-8.0)
    target = torch.logspace(-8.3, -6.7, rows * 2, dtype=torch.float64).reshape(rows, 2)
    state = InverseCurve(s, CURRENTS, rows)(target)
    shown = s.one_hot_current(state)
    assert float((shown / target - 1).abs().max()) < 1e-2


def test_states_grow_with_their_target_and_pass_gradients():
    inverse = InverseCurve(surrogate(), CURRENTS, 8)
    target = torch.logspace(-8.3, -6.7, 200, dtype=torch.float64).repeat(8, 1).requires_grad_(True)
    state = inverse(target)
    assert bool((state.diff(dim=-1) > 0).all())
    (gradient,) = torch.autograd.grad(state.sum(), target)
    slope = (inverse(target * 1.01) - inverse(target * 0.99)).detach() / (0.02 * target.detach())
    torch.testing.assert_close(gradient, slope, rtol=0.02, atol=0)
    assert inverse(target.detach().float()).dtype == torch.float32


@pytest.mark.parametrize("log_driver", [-5.5, -2.5])
def test_programming_reaches_the_target_with_all_neighbours_in_place(log_driver):
    s = surrogate(log_driver=log_driver)
    generator = torch.Generator().manual_seed(0)
    target = CURRENTS.low + (CURRENTS.high - CURRENTS.low) * torch.rand(8, 6, generator=generator, dtype=torch.float64)
    state = program(s, InverseCurve(s, CURRENTS, 8), target)
    assert float((s.one_hot_current(state) / target - 1).abs().max()) < 1e-4


def test_programming_several_arrays_is_programming_each():
    s = surrogate()
    generator = torch.Generator().manual_seed(1)
    target = CURRENTS.low * (1 + 30 * torch.rand(2, 3, 8, 6, generator=generator, dtype=torch.float64))
    inverse = InverseCurve(s, CURRENTS, 8)
    together = program(s, inverse, target)
    assert together.shape == target.shape
    torch.testing.assert_close(together[1, 2], program(s, inverse, target[1, 2]), rtol=1e-6, atol=1e-6)


def test_ranges_outside_the_domain_are_refused():
    for low, high in ((1e-15, 1e-7), (1e-8, 1e-3)):
        with pytest.raises(InputError, match=r"current .* is outside the surrogate's domain"):
            InverseCurve(surrogate(), CurrentRange(low, high), 8)


def test_a_curve_that_turns_back_is_refused():
    with pytest.raises(InputError, match="not monotone"):
        InverseCurve(surrogate(curve=[-80.0, 0.0, 0.0, 0.0, 0.0]), CURRENTS, 8)


def test_voltages_and_states_are_inverse():
    state_map = StateMap(torch.tensor([-1.0, 3.0, -0.4, 0.1], dtype=torch.float64), 1.2, 0.1)
    volts = torch.linspace(1.05, 1.35, 50, dtype=torch.float64).reshape(5, 10)
    torch.testing.assert_close(state_map.inverse(state_map(volts)), volts, rtol=1e-9, atol=1e-9)
    by_hand = -1 + 3 * 0.5 - 0.4 * 0.25 + 0.1 * 0.125
    assert float(state_map(torch.tensor(1.25, dtype=torch.float64))) == pytest.approx(by_hand)


def test_states_that_no_voltage_gives_are_refused():
    bounded = StateMap(torch.tensor([0.0, 1.0, -1.0, 0.0], dtype=torch.float64), 0.0, 1.0)  # never above 1/4
    with pytest.raises(ValueError, match="outside the range"):
        bounded.inverse(torch.tensor([0.1, 0.5], dtype=torch.float64))
    with pytest.raises(ValueError, match="outside the range"):
        bounded.inverse(torch.tensor([float("nan")], dtype=torch.float64))
