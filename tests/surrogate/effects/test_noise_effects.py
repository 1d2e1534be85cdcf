"""Noise of cells in layers: exactly nothing when off, the closed forms' variance when on, drawn anew at every step."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from surrogate.analog import AnalogLayer, analog_layers, convert
from surrogate.errors import InputError
from surrogate.hardware import parse_hardware

RECIPE = """
name: test
tiles: {{rows: 8, columns: 6, current_max: 5e-7, on_off_ratio: 100}}
inputs: {{bits: 6, signed: phases}}
{noise}
"""
CHANNEL = "channel: {specific_current: 1e-7}"
FLICKER = "flicker: {strength: 6e-7, specific_current: 1e-7}, calibration: {window: 1.0, since: 3600.0}"
TELEGRAPH = "telegraph: {amplitude: 0.01, time_low: 1e-5, time_high: 2e-5}"
KINDS = [f"noise: {{{kind}}}" for kind in (CHANNEL, FLICKER, TELEGRAPH, f"{CHANNEL}, {FLICKER}, {TELEGRAPH}")]
SILENT = (
    "telegraph: {amplitude: 0.0, time_low: 1.0, time_high: 1.0}",
    "flicker: {strength: 0.0}, calibration: {window: 1.0, since: 1.0}",
)
IMAGES = torch.linspace(-1, 1, 8).repeat(3, 1) * torch.tensor([[1.0], [0.5], [0.0]])


def layer_with(noise: str) -> AnalogLayer:
    torch.manual_seed(1)
    hardware = parse_hardware(RECIPE.format(noise=noise), "test.yaml")
    model = convert(nn.Sequential(nn.Linear(8, 3)), hardware.arrays(), hardware.mapping())
    (layer,) = analog_layers(model).values()
    return layer


def draws(layer: AnalogLayer, count: int) -> torch.Tensor:
    """Outputs [count, image, output] of one call."""
    with torch.no_grad():
        return layer(IMAGES.repeat(count, 1)).unflatten(0, (count, -1)).double()


def calls(layer: AnalogLayer, count: int) -> torch.Tensor:
    """Outputs [count, image, output] of as many calls."""
    with torch.no_grad():
        return torch.stack([layer(IMAGES) for _ in range(count)]).double()


def promised(layer: AnalogLayer) -> torch.Tensor:
    """Variance [image, output] of the layer's outputs by the closed forms: charges of both columns of both phases."""
    (noise,) = [effect.noise for effect in layer.settings.on_charges]
    current = layer.wanted_currents()[0, 0, 0].double()
    swing = layer.settings.currents.high - layer.settings.currents.low
    unit = float(layer.span * layer.input_range) / swing / layer.arrays.surrogate.time_scale
    width = layer.widths(layer.images(IMAGES))[:, :, 0, 0].double() * layer.arrays.surrogate.time_scale
    columns = noise.charge_variance(current, width).sum(0)
    return unit**2 * (columns[:, 0::2] + columns[:, 1::2])[:, :3]


@pytest.mark.parametrize("noise", ["", "noise: {}", *(f"noise: {{{kind}}}" for kind in SILENT)])
def test_no_noise_is_exactly_the_ideal_layer(noise: str) -> None:
    plain, layer = layer_with(""), layer_with(noise)
    with torch.no_grad():
        first, second = layer(IMAGES), layer(IMAGES)
    assert torch.equal(first, second)
    assert torch.allclose(first, plain(IMAGES), rtol=0, atol=3e-7)


@pytest.mark.parametrize("noise", KINDS)
def test_outputs_scatter_as_the_closed_forms_say(noise: str) -> None:
    layer, count = layer_with(noise), 3000
    shown = draws(layer, count)
    expected = promised(layer)
    assert torch.allclose(shown[:, :2].var(0), expected[:2], rtol=5 * (2 / count) ** 0.5, atol=0)
    assert torch.equal(shown[0, 2], shown[1, 2]), "an image of zeros has no pulses and no noise"
    error = shown[:, :2].mean(0) - layer_with("")(IMAGES[:2]).detach().double()
    assert bool((error.abs() < 5 * (expected[:2] / count).sqrt() + 1e-6).all())


def test_slow_noise_is_common_to_a_run_and_makes_up_the_rest() -> None:
    """With ``run`` the same total, of which the images of one call share most of the 1/f noise."""
    noise, count = f"noise: {{{FLICKER}, run: 1e-3}}", 300
    layer = layer_with(noise)
    shown = calls(layer, count)
    assert torch.allclose(shown[:, :2].var(0), promised(layer)[:2], rtol=5 * (2 / count) ** 0.5, atol=0)
    centred = shown - shown.mean(0)
    common = (centred[:, 0] * centred[:, 1]).mean(0) / (centred[:, 0].std(0) * centred[:, 1].std(0))
    alone = draws(layer_with(f"noise: {{{FLICKER}}}"), count)
    alone = alone - alone.mean(0)
    private = (alone[:, 0] * alone[:, 1]).mean(0) / (alone[:, 0].std(0) * alone[:, 1].std(0))
    assert bool((common > 0.4).all()) and bool((private.abs() < 0.3).all())


def test_training_draws_anew_at_every_step_and_gradients_are_finite() -> None:
    layer = layer_with(KINDS[-1])
    gradients = []
    for _ in range(2):
        layer.zero_grad()
        layer(IMAGES).square().sum().backward()
        assert layer.weight.grad is not None
        gradients.append(layer.weight.grad.clone())
    assert bool(torch.isfinite(torch.stack(gradients)).all())
    assert not torch.equal(*gradients)


def test_the_same_seed_draws_the_same() -> None:
    layer = layer_with(KINDS[-1])
    torch.manual_seed(7)
    first = layer(IMAGES)
    torch.manual_seed(7)
    assert torch.equal(layer(IMAGES), first)


@pytest.mark.parametrize(
    ("noise", "named"),
    [
        ("noise: {flicker: {strength: 1e-6}}", "noise.calibration"),
        ("noise: {flicker: {strength: -1e-6}, calibration: {window: 1.0, since: 1.0}}", "noise.flicker.strength"),
        ("noise: {telegraph: {amplitude: 2.0, time_low: 1.0, time_high: 1.0}}", "noise.telegraph.amplitude"),
        ("noise: {shot: {}}", "noise.shot"),
        ("noise: {channel: {specific_current: 0.0}}", "noise.channel.specific_current"),
        (f"noise: {{{FLICKER}, run: 1000.0}}", "noise.calibration"),
    ],
)
def test_bad_recipes_name_the_key(noise: str, named: str) -> None:
    with pytest.raises(InputError, match=named.replace(".", r"\.")):
        parse_hardware(RECIPE.format(noise=noise), "test.yaml")


def test_noise_above_the_range_of_currents_is_refused() -> None:
    with pytest.raises(InputError, match="noise"):
        layer_with("noise: {flicker: {strength: 10.0}, calibration: {window: 1.0, since: 1.0}}")
