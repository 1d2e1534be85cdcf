"""Pulse widths: their resolution and range."""

import pytest
import torch

from surrogate.analog.pulses import input_range, pulse_codes, signed_codes
from surrogate.errors import InputError


def test_pulse_codes_round_to_the_grid():
    codes = pulse_codes(torch.tensor([-0.5, 0.0, 0.1, 0.49, 0.51, 1.0, 1.7]), 2)
    torch.testing.assert_close(codes * 3, torch.tensor([0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 3.0]))
    fine = torch.rand(1000, generator=torch.Generator().manual_seed(0))
    assert float((pulse_codes(fine, 8) - fine).abs().max()) <= 0.5 / 255 + 1e-6


def test_pulse_codes_pass_gradients_straight_through_inside_the_range():
    x = torch.tensor([-0.5, 0.2, 0.7, 1.5], requires_grad=True)
    (pulse_codes(x, 3) * torch.tensor([1.0, 2.0, 3.0, 4.0])).sum().backward()
    assert x.grad.tolist() == [0.0, 2.0, 3.0, 0.0]


def test_two_phases_differ_by_the_rounded_input():
    x = torch.tensor([-1.0, -0.4, 0.0, 0.4, 1.0])
    first, second = signed_codes(x, 8, signed=True)
    torch.testing.assert_close(first - second, x, atol=0.5 / 255, rtol=0)
    assert bool((first * second == 0).all())
    assert signed_codes(x, 8, signed=False).shape == (1, 5)


def test_the_range_leaves_out_the_few_largest_inputs():
    given = torch.cat([torch.linspace(0, 1, 9990), torch.full((2,), 100.0)])
    assert 0.99 < float(input_range(given)) <= 1.0
    assert float(input_range(-given)) == float(input_range(given))
    sparse = torch.zeros(10000)
    sparse[7] = 3.0
    assert float(input_range(sparse)) == 3.0


@pytest.mark.parametrize("given", [torch.zeros(4), torch.full((4,), float("nan")), torch.full((4,), float("inf"))])
def test_inputs_without_a_range_are_refused(given):
    with pytest.raises(InputError, match="all zero or not finite"):
        input_range(given)
