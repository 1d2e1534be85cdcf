"""Analog layers: the ideal limit, windows, tiles, phases, converters, gradients."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))
from synthetic import surrogate

from surrogate.analog import LayerSettings, Tiling, calibrate
from surrogate.analog.convert import analog_layer
from surrogate.mapping import CurrentRange

CURRENTS = CurrentRange(5e-9, 2e-7)
OFF = {
    "kappa": [[0.0] * 4] * 2, "gate_row": 0.0, "gate_column": 0.0, "log_switch": -60.0, "log_bit_line": -60.0,
    "log_driver": -60.0, "log_word_line": -60.0, "edge_time": 0.0, "array_edge": 0.0, "edge_fall": 0.0,
    "edge_shift": 0.0, "edge_gate": 0.0, "idle_depth": 1e3,
}  # fmt: skip
CONVOLUTIONS = [
    (nn.Conv2d, (3, 4, 3), {"padding": 1}, (2, 3, 5, 6)),
    (nn.Conv2d, (4, 6, (1, 3)), {"stride": (2, 1), "groups": 2, "bias": False}, (2, 4, 5, 6)),
    (nn.Conv2d, (2, 3, 3), {"dilation": 2, "padding": "same", "padding_mode": "reflect"}, (2, 2, 6, 7)),
    (nn.Conv2d, (4, 4, 2), {"groups": 4, "stride": 2, "padding": 1, "padding_mode": "circular"}, (1, 4, 4, 4)),
    (nn.Conv1d, (3, 5, 4), {"padding": 2, "stride": 2, "padding_mode": "replicate"}, (3, 3, 9)),
]


def uniform(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def settings(**changes):
    return LayerSettings(16, 8, 8, CURRENTS).changed(changes, "test")


def twin(layer, changes=None, **given):
    return analog_layer(layer, surrogate(16, 8, **(changes or {})), settings(**given))


def calibrated(layer, x, changes=None, **given):
    analog = twin(layer, changes, **given)
    calibrate(analog, x, reference=layer)
    return analog


def error(given, wanted):
    return float((given - wanted).square().mean().sqrt() / (wanted - wanted.mean()).square().mean().sqrt())


@pytest.mark.parametrize(("kind", "sizes", "options", "shape"), CONVOLUTIONS)
def test_without_effects_a_convolution_is_the_digital_one(kind, sizes, options, shape):
    torch.manual_seed(0)
    layer, x = kind(*sizes, **options), uniform(*shape)
    with torch.no_grad():
        out = calibrated(layer, x, OFF)(x)
        assert out.shape == layer(x).shape
        assert error(out, layer(x)) < 0.02


@pytest.mark.parametrize("given", [{}, {"span": "column"}, {"signed": True}, {"converter_bits": 12}])
def test_without_effects_a_linear_layer_is_the_digital_one(given):
    torch.manual_seed(0)
    layer = nn.Linear(37, 9)
    x = uniform(5, 40, 37) - (0.5 if "signed" in given else 0.0)
    with torch.no_grad():
        assert error(calibrated(layer, x, OFF, **given)(x), layer(x)) < 0.02


def test_fewer_bits_are_coarser():
    torch.manual_seed(0)
    layer, x = nn.Linear(20, 4), uniform(60, 20)
    with torch.no_grad():
        errors = [error(calibrated(layer, x, OFF, bits=bits)(x), layer(x)) for bits in (1, 2, 4, 8)]
        coarse = [error(calibrated(layer, x, OFF, converter_bits=bits)(x), layer(x)) for bits in (3, 5, 8)]
    assert errors == sorted(errors, reverse=True) and coarse == sorted(coarse, reverse=True)


@pytest.mark.parametrize(("kind", "sizes", "options", "shape"), CONVOLUTIONS)
def test_the_fast_way_is_the_way_of_whole_arrays(kind, sizes, options, shape):
    torch.manual_seed(0)
    layer, x = twin(kind(*sizes, **options)), uniform(*shape)
    with torch.no_grad():
        charge = layer.column_charges(layer.durations(x), layer.states())
        assert error(layer(x), layer.arranged(layer.read_out(charge, layer.durations(x)), x)) < 2e-3


def test_a_convolution_is_a_linear_layer_of_its_windows():
    torch.manual_seed(0)
    conv, x = nn.Conv2d(3, 4, 3), uniform(2, 3, 5, 5)
    layer = twin(conv)
    linear = nn.Linear(27, 4)
    linear.weight.data, linear.bias.data = conv.weight.data.movedim(1, -1).reshape(4, 27), conv.bias.data
    rows = x.unfold(2, 3, 1).unfold(3, 3, 1).permute(0, 2, 3, 4, 5, 1).reshape(2, 3, 3, 27)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), twin(linear)(rows).movedim(-1, 1), rtol=1e-4, atol=1e-5)


def test_phases_of_signed_inputs_are_subtracted():
    torch.manual_seed(0)
    linear, x = nn.Linear(20, 4, bias=False), uniform(6, 20) - 0.5
    signed, unsigned = twin(linear, signed=True), twin(linear)
    with torch.no_grad():
        wanted = unsigned(x.clamp(min=0)) - unsigned((-x).clamp(min=0))
        torch.testing.assert_close(signed(x), wanted, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(signed(-x), -signed(x))


@pytest.mark.parametrize("sizes", [(1, 1, 1), (16, 4, 1), (17, 5, 1), (50, 9, 3)])
def test_tiles_hold_the_whole_matrix_once(sizes):
    t = Tiling(*sizes, rows=16, columns=8)
    assert t.row_tiles * t.used_rows >= t.fan_in and t.used_rows <= t.rows
    assert t.column_tiles * t.outputs >= t.fan_out
    values = torch.arange(1.0, t.fan_in + 1)
    parts = t.split_rows(values)
    assert parts.shape == (t.row_tiles, t.used_rows)
    assert torch.equal(parts.flatten()[: t.fan_in], values) and parts.sum() == values.sum()
    assert t.whole_rows(parts).shape == (t.row_tiles, 16)
    layer = twin(nn.Linear(t.fan_in, t.fan_out))
    currents = layer.target_currents()
    used = (currents != CURRENTS.low).sum()
    assert int(used) == t.fan_in * t.fan_out  # the larger one of each pair
    torch.testing.assert_close(layer.states()[..., : t.used_rows, :], layer.programmed().state)


def test_gradients_are_slopes():
    torch.manual_seed(0)
    layer = twin(nn.Conv2d(2, 2, 2).double(), bits=16)
    x = uniform(1, 2, 3, 3).double().requires_grad_(True)
    weight = uniform(1, 2, 2, 2, seed=3).double()
    out = (layer(x) * weight).sum()
    to_x, to_weight = torch.autograd.grad(out, (x, layer.weight))
    for tensor, gradient in ((layer.weight, to_weight), (x, to_x)):
        flat, step = tensor.detach().view(-1), 2e-3
        for k in range(0, flat.numel(), 3):
            if tensor is layer.weight and not 0.02 < abs(float(flat[k])) < 0.9 * float(layer.span):
                continue
            found = []
            with torch.no_grad():
                for sign in (1, -1):
                    flat[k] += sign * step
                    found.append(float((layer(x) * weight).sum()))
                    flat[k] -= sign * step
            slope = (found[0] - found[1]) / (2 * step)
            largest = float(gradient.abs().max())
            assert float(gradient.flatten()[k]) == pytest.approx(slope, rel=0.03, abs=2e-3 * largest)


def test_single_precision_kernels_are_the_plain_way():
    torch.manual_seed(0)
    layer, x = twin(nn.Conv2d(3, 4, 3)), uniform(2, 3, 6, 6)
    results = []
    for dtype in (torch.float32, torch.float64):
        layer, x = layer.to(dtype), x.to(dtype).detach().requires_grad_(True)
        layer.zero_grad()
        out = layer(x)
        out.square().sum().backward()
        results.append([v.double() for v in (out.detach(), x.grad, layer.weight.grad)])
    for single, double in zip(*results, strict=True):
        assert float((single - double).abs().max() / double.abs().max()) < 1e-3
