"""Analog layers: pulse codes, refusals, padding, state_dict, and the ideal limit."""

import copy

import pytest
import torch
from synthetic import surrogate
from torch import nn

from surrogate.errors import InputError
from surrogate.layers import AnalogLinear, QuantisedLinear, TileSettings, pulse_codes
from surrogate.mapping import CurrentRange
from surrogate.network import Perceptron, calibrate_read_out
from surrogate.parameters import EFFECTS, unflatten

CURRENTS = CurrentRange(5e-9, 2e-7)
TILE = TileSettings(8, 6, 8, CURRENTS)
OFF = {
    "kappa": [[0.0] * 4] * 2,
    "gate_row": 0.0,
    "gate_column": 0.0,
    "log_switch": -60.0,
    "log_bit_line": -60.0,
    "log_driver": -60.0,
    "log_word_line": -60.0,
    "edge_time": 0.0,
    "array_edge": 0.0,
    "edge_fall": 0.0,
    "edge_shift": 0.0,
    "edge_gate": 0.0,
    "idle_depth": 1e3,
}


def uniform(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def layer(fan_in=8, fan_out=3, tile=TILE, **changes):
    weight = uniform(fan_in, fan_out) * 2 - 1
    return AnalogLinear(weight, 0.1 * uniform(fan_out, seed=1), surrogate(**changes), tile)


class Dense(nn.Module):
    def __init__(self, weight, bias):
        super().__init__()
        self.weight, self.bias = weight, bias

    def forward(self, x):
        return x @ self.weight + self.bias


def test_pulse_codes_round_to_the_grid():
    codes = pulse_codes(torch.tensor([-0.5, 0.0, 0.1, 0.49, 0.51, 1.0, 1.7]), 2)
    torch.testing.assert_close(codes * 3, torch.tensor([0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 3.0]))
    fine = uniform(1000)
    assert float((pulse_codes(fine, 8) - fine).abs().max()) <= 0.5 / 255 + 1e-6


def test_pulse_codes_pass_gradients_straight_through_inside_the_range():
    x = torch.tensor([-0.5, 0.2, 0.7, 1.5], requires_grad=True)
    (pulse_codes(x, 3) * torch.tensor([1.0, 2.0, 3.0, 4.0])).sum().backward()
    assert x.grad.tolist() == [0.0, 2.0, 3.0, 0.0]


@pytest.mark.parametrize(("rows", "columns", "bits"), [(0, 2, 8), (4, 0, 8), (4, 3, 8), (4, -2, 8), (4, 4, 0)])
def test_tiles_are_checked(rows, columns, bits):
    with pytest.raises(InputError, match=r"tile|bits"):
        TileSettings(rows, columns, bits, CURRENTS)


@pytest.mark.parametrize("report", [None, {"passed": False, "failed": ["ser"]}])
def test_a_surrogate_that_has_not_passed_is_refused(report):
    with pytest.raises(InputError, match=r"validate|cross-validation"):
        layer(report=report)


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_weights_without_a_scale_are_refused(value):
    with pytest.raises(InputError, match="weights: all zero or not finite"):
        AnalogLinear(torch.full((4, 2), value), torch.zeros(2), surrogate(), TILE)


@pytest.mark.parametrize(("rows", "columns"), [(9, 6), (8, 8)])
def test_tiles_beyond_the_domain_are_refused(rows, columns):
    with pytest.raises(InputError, match="domain 8x6"):
        layer(tile=TileSettings(rows, columns, 8, CURRENTS))


@pytest.mark.parametrize(("fan_in", "fan_out"), [(1, 1), (8, 3), (9, 4), (13, 7), (20, 2)])
def test_odd_sizes_are_padded_with_idle_rows_and_minimum_cells(fan_in, fan_out):
    analog = layer(fan_in, fan_out)
    rows, columns = -(-fan_in // 8), -(-fan_out // 3)
    assert (analog.row_tiles, analog.column_tiles) == (rows, columns)
    currents = analog.target_currents()
    assert currents.shape == (rows, columns, 8, 6)
    flat = currents.transpose(1, 2).reshape(rows * 8, columns * 6)
    torch.testing.assert_close(flat[fan_in:], torch.full_like(flat[fan_in:], CURRENTS.low))
    torch.testing.assert_close(flat[:, 2 * fan_out :], torch.full_like(flat[:, 2 * fan_out :], CURRENTS.low))
    difference = (flat[:fan_in, 0 : 2 * fan_out : 2] - flat[:fan_in, 1 : 2 * fan_out : 2]).detach()
    swing = (CURRENTS.high - CURRENTS.low) / analog.span
    torch.testing.assert_close(difference / swing, analog.weight.detach(), rtol=1e-4, atol=1e-5)
    duration = analog.durations(uniform(5, fan_in, seed=2))
    assert duration.shape == (5, rows, 8)
    assert not bool(duration.reshape(5, -1)[:, fan_in:].any())
    out = analog(uniform(5, fan_in, seed=2))
    assert out.shape == (5, fan_out)
    assert bool(torch.isfinite(out).all())


def test_a_larger_batch_gives_the_same_outputs():
    analog, x = layer(13, 4), uniform(6, 13, seed=2)
    torch.testing.assert_close(analog(x)[2:3], analog(x[2:3]), rtol=1e-4, atol=1e-4)


def test_gradients_reach_weights_bias_and_inputs():
    analog, x = layer(13, 4), uniform(6, 13, seed=2).requires_grad_(True)
    analog(x).square().sum().backward()
    for gradient in (analog.weight.grad, analog.bias.grad, x.grad):
        assert bool(torch.isfinite(gradient).all())
        assert float((gradient != 0).double().mean()) > 0.9


def test_the_gradient_to_a_weight_is_the_slope():
    analog, x = layer(13, 4).double(), uniform(6, 13, seed=2).double()
    analog(x).sum().backward()
    size = analog.weight.detach().abs()
    smooth = ((size > 0.05) & (size < 0.95 * analog.span)).nonzero().tolist()  # no sign change, no clipping
    for i, j in smooth[::9]:
        out = []
        for step in (1e-3, -1e-3):
            with torch.no_grad():
                analog.weight[i, j] += step
                out.append(float(analog(x).sum()))
                analog.weight[i, j] -= step
        assert float(analog.weight.grad[i, j]) == pytest.approx((out[0] - out[1]) / 2e-3, rel=2e-2, abs=0)


def test_state_dict_and_deepcopy_give_equal_outputs():
    analog, x = layer(13, 4), uniform(6, 13, seed=2)
    with torch.no_grad():
        analog.weight.mul_(0.7)
        analog.gain.fill_(1.5)
        analog.offset.fill_(-0.2)
    expected = analog(x)
    assert torch.equal(copy.deepcopy(analog)(x), expected)
    other = AnalogLinear(torch.full((13, 4), 0.3), torch.zeros(4), surrogate(), TILE)
    assert not torch.allclose(other(x), expected)
    other.load_state_dict(analog.state_dict())
    assert torch.equal(other(x), expected)


def test_changed_weights_are_never_stale():
    analog, x = layer(), uniform(6, 8, seed=2)
    before = analog(x)
    with torch.no_grad():
        analog.weight.neg_()
    assert not torch.allclose(analog(x), before)


def test_programming_lies_close_to_the_trained_mapping():
    analog = layer(13, 4)
    mapped, programmed = analog.states().detach(), analog.programmed_states()
    assert programmed.shape == mapped.shape
    assert programmed.dtype == mapped.dtype
    assert float((programmed - mapped).abs().max()) < 0.3
    shown = analog.surrogate.one_hot_current(programmed.double())
    torch.testing.assert_close(shown, analog.target_currents().detach().double(), rtol=1e-3, atol=0)


def calibrated(analog, x):
    software = Dense(analog.weight.detach().clone(), analog.bias.detach().clone())
    none = torch.zeros(0)
    states = [analog.programmed_states()]
    calibrate_read_out(Perceptron([analog], none), Perceptron([software], none), x, states)
    return states


def test_without_effects_a_calibrated_layer_is_the_ideal_quantised_one():
    s = surrogate(**OFF)
    assert torch.equal(unflatten(s.shared).without(*EFFECTS).flat(), s.shared)
    weight, bias = uniform(13, 4) * 2 - 1, 0.1 * uniform(4, seed=1)
    analog, x = AnalogLinear(weight, bias, s, TILE), uniform(200, 13, seed=2)
    calibrated(analog, x)
    ideal = QuantisedLinear(weight, bias, TILE.bits)(x).detach()
    error = (analog(x).detach() - ideal).square().mean().sqrt() / (ideal - bias).square().mean().sqrt()
    assert float(error) < 3e-3
    torch.testing.assert_close(analog.gain, torch.ones(4), atol=5e-3, rtol=0)


def test_calibration_removes_the_mean_error_that_effects_cause():
    analog, x = layer(13, 4), uniform(200, 13, seed=2)
    wanted = x @ analog.weight.detach() + analog.bias.detach()
    before = (analog(x).detach() - wanted).square().mean()
    states = calibrated(analog, x)
    shown = analog.read_out(analog.column_charges(analog.durations(x), states[0])).detach()
    torch.testing.assert_close(shown.mean(0), wanted.mean(0), atol=1e-3, rtol=1e-3)
    assert float((shown - wanted).square().mean()) < float(before)


def test_the_ideal_layer_clips_its_weights():
    ideal = QuantisedLinear(torch.tensor([[1.0, -2.0]]), torch.zeros(2), 8)
    with torch.no_grad():
        ideal.weight.mul_(5)
    assert ideal(torch.ones(1, 1)).tolist() == [[2.0, -2.0]]
