"""The 64-32-10 perceptron in its three forms: software, ideal quantised, and on arrays through the surrogate."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from surrogate.layers import AnalogLinear, QuantisedLinear, TileSettings
from surrogate.surrogate import Surrogate

SIZES = (64, 32, 10)
RANGE_QUANTILE = 0.999
"""Hidden activations above this quantile of the training data saturate the pulse width."""


class Perceptron(nn.Module):
    """Layers joined by ReLU; ``ranges`` scale hidden activations to 0..1 before the next layer's pulse widths."""

    ranges: Tensor

    def __init__(self, layers: list[nn.Module], ranges: Tensor) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.register_buffer("ranges", ranges)

    def inputs(self, x: Tensor) -> list[Tensor]:
        """What every layer is given for images [b, 64], in 0..1."""
        given = [x]
        for k, layer in enumerate(self.layers[:-1]):
            given.append((torch.relu(layer(given[-1])) / self.ranges[k]).clamp(0, 1))
        return given

    def forward(self, x: Tensor) -> Tensor:
        """Class scores [b, 10] of images [b, 64]."""
        out: Tensor = self.layers[-1](self.inputs(x)[-1])
        return out


class _Dense(nn.Module):
    """A plain layer x·W + b with the weight's axes as in the analog layers."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [b, out] of inputs [b, in]."""
        return x @ self.weight + self.bias


def software_network(seed: int) -> Perceptron:
    """An untrained software network; its ``ranges`` mean nothing before :func:`calibrate_ranges`."""
    generator = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(SIZES):
        bound = (6 / fan_in) ** 0.5
        layers.append(_Dense((torch.rand(fan_in, fan_out, generator=generator) * 2 - 1) * bound, torch.zeros(fan_out)))
    return Perceptron(layers, torch.full((len(SIZES) - 2,), 1e6))


def _weights(network: Perceptron) -> list[tuple[Tensor, Tensor]]:
    """Weight and bias of every layer."""
    return [(layer.get_parameter("weight"), layer.get_parameter("bias")) for layer in network.layers]


def analog_layers(network: Perceptron) -> list[AnalogLinear]:
    """The layers of a network on arrays."""
    return [layer for layer in network.layers if isinstance(layer, AnalogLinear)]


def calibrate_ranges(network: Perceptron, pixels: Tensor) -> Perceptron:
    """The software network with hidden activations scaled into 0..1 over the images ``pixels``; same function."""
    with torch.no_grad():
        hidden = torch.relu(network.layers[0](pixels))
        top = torch.quantile(hidden.flatten(), RANGE_QUANTILE)
        (weight, bias), (second_weight, second_bias) = _weights(network)
        scaled = _Dense(second_weight * top, second_bias.clone())
        return Perceptron([_Dense(weight.clone(), bias.clone()), scaled], top[None])


def quantised_network(software: Perceptron, bits: int) -> Perceptron:
    """The ideal quantised twin of a calibrated software network."""
    layers: list[nn.Module] = [QuantisedLinear(weight, bias, bits) for weight, bias in _weights(software)]
    return Perceptron(layers, software.ranges.clone())


def analog_network(software: Perceptron, surrogate: Surrogate, settings: TileSettings) -> Perceptron:
    """The twin on arrays. Raises ``InputError`` for a surrogate that has not passed its cross-validation."""
    layers: list[nn.Module] = [AnalogLinear(*pair, surrogate, settings) for pair in _weights(software)]
    return Perceptron(layers, software.ranges.clone())


def calibrate_read_out(analog: Perceptron, software: Perceptron, pixels: Tensor, states: list[Tensor]) -> None:
    """Set every analog layer's per-column gain and offset by regression against the software layer's outputs.

    ``states`` are the programmed states of every layer; each layer is calibrated on what the calibrated layers before
    it really produce.
    """
    with torch.no_grad():
        given, wanted_in = pixels, software.inputs(pixels)
        for k, layer in enumerate(analog_layers(analog)):
            layer.gain.fill_(1.0)
            layer.offset.zero_()
            shown = layer.read_out(layer.column_charges(layer.durations(given), states[k])) - layer.bias
            wanted = software.layers[k](wanted_in[k]) - layer.bias
            centred = shown - shown.mean(0)
            layer.gain.copy_((centred * (wanted - wanted.mean(0))).sum(0) / centred.square().sum(0).clamp_min(1e-12))
            layer.offset.copy_(wanted.mean(0) - layer.gain * shown.mean(0))
            if k + 1 < len(analog.layers):
                out = layer.gain * shown + layer.offset + layer.bias
                given = (torch.relu(out) / analog.ranges[k]).clamp(0, 1)


def deployed_scores(analog: Perceptron, pixels: Tensor, states: list[Tensor]) -> Tensor:
    """Class scores [b, 10] with the cells of every layer at given ``states`` instead of the trained mapping's."""
    with torch.no_grad():
        x = pixels
        for k, layer in enumerate(analog_layers(analog)):
            x = layer.read_out(layer.column_charges(layer.durations(x), states[k]))
            if k + 1 < len(analog.layers):
                x = (torch.relu(x) / analog.ranges[k]).clamp(0, 1)
        return x
