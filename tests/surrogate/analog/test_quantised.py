"""The ideal quantised network: pulse widths, clipped weights, and the digital network that it stands for."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))
from synthetic import surrogate

from surrogate.analog import LayerSettings, Mapping, calibrate, convert, quantised, unquantised
from surrogate.mapping import CurrentRange
from surrogate.training.noise import with_weight_noise

CURRENTS = CurrentRange(5e-9, 2e-7)


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 5)).eval()


def control(model, x, bits=8, **changes):
    tile = LayerSettings(16, 12, bits, CURRENTS).changed(changes, "test")
    analog = convert(model, surrogate(16, 12), Mapping(tile))
    calibrate(analog, x, model)
    return quantised(analog)


@pytest.mark.parametrize("signed", [False, True])
def test_many_bits_make_it_the_software_network(signed):
    model, x = network(), torch.rand(20, 1, 6, 6)
    x = x - 0.5 if signed else x
    with torch.no_grad():
        wanted = model(x)
        errors = [float((control(model, x, bits, signed=signed)(x) - wanted).square().mean()) for bits in (2, 4, 8)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 3e-4 * float(wanted.square().mean())


def test_weights_are_clipped_and_kept_so():
    model, x = network(), torch.rand(20, 1, 6, 6)
    ideal = control(model, x)
    out = ideal(x)
    with torch.no_grad():
        ideal[3].layer.weight.mul_(5)
        ideal[0].layer.weight.mul_(5)
        spans = [float(model[k].weight.abs().max()) for k in (0, 3)]
        assert not torch.allclose(ideal(x), out)
        digital = unquantised(ideal)
        for k, span in zip((0, 3), spans, strict=True):
            assert float(digital[k].weight.abs().max()) == pytest.approx(span)
        assert type(digital[0]) is nn.Conv2d and float(ideal[3].layer.weight.abs().max()) > 2 * spans[1]
        torch.testing.assert_close(digital(x), ideal(x), atol=0.05, rtol=0.1)


def test_gradients_reach_all_parameters():
    model, x = network(), torch.rand(20, 1, 6, 6)
    ideal = control(model, x)
    ideal(x).square().sum().backward()
    assert all(bool((p.grad != 0).any()) for p in ideal.parameters())


@pytest.mark.parametrize("bits", [None, 5])
def test_noise_is_injected_into_the_weights_while_training(bits):
    model, x = network(), torch.rand(20, 1, 6, 6)
    ideal = control(model, x, weights={} if bits is None else {"bits": bits})
    generator = torch.Generator().manual_seed(0)
    noisy = with_weight_noise(0.2)
    first, second = noisy(ideal, x, generator), noisy(ideal, x, generator)
    assert not torch.allclose(first, second) and not torch.allclose(first, ideal(x))
    torch.testing.assert_close(with_weight_noise(0.0)(ideal, x, generator), ideal(x), atol=0, rtol=0)
    first.square().sum().backward()
    assert all(bool((p.grad != 0).any()) for p in ideal.parameters())
