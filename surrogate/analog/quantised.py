"""The ideal quantised network, the control of a retraining: the same pulse widths and weights, perfect VMMs."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from surrogate.analog.convert import replaced
from surrogate.analog.layers import AnalogLayer
from surrogate.analog.pulses import codes_of, read_codes
from surrogate.analog.weights.integers import kept


class QuantisedLayer(nn.Module):
    """The digital layer of an :class:`AnalogLayer`, its inputs as pulse widths and its weights clipped and rounded
    as there."""

    span: Tensor
    input_range: Tensor

    def __init__(self, analog: AnalogLayer) -> None:
        super().__init__()
        self.layer = analog.digital()
        self.settings = analog.settings
        self.register_buffer("span", analog.weight_span().detach().clone())
        self.register_buffer("input_range", analog.input_range.detach().clone())

    @property
    def weight(self) -> Tensor:
        """The layer's weight before it is clipped and rounded: its parameter, or, while ``torch.func.functional_call``
        puts another tensor in its place, that one."""
        weight = self.layer.weight  # get_parameter refuses whatever is no parameter
        assert isinstance(weight, Tensor)
        return weight

    def kept(self) -> Tensor:
        """The weight as it counts."""
        weight, bits = self.weight, self.settings.weights.bits
        clipped = torch.maximum(torch.minimum(weight, self.span), -self.span)
        return clipped if bits is None else self.span * kept(clipped / self.span, bits)

    def digital(self) -> nn.Module:
        """The digital layer, its weight as it counts."""
        layer = copy.deepcopy(self.layer)
        with torch.no_grad():
            layer.get_parameter("weight").copy_(self.kept())
        return layer

    def forward(self, x: Tensor) -> Tensor:
        """The layer's output for ``x``, shaped as the digital layer's."""
        rounded = read_codes(codes_of(x, self.input_range, self.settings), self.settings) * self.input_range
        out: Tensor = torch.func.functional_call(self.layer, {"weight": self.kept()}, rounded)
        return out


def quantised(model: nn.Module) -> nn.Module:
    """The ideal quantised twin of a calibrated network on arrays, whose weights and ranges it takes."""
    return replaced(copy.deepcopy(model), lambda _, m: QuantisedLayer(m) if isinstance(m, AnalogLayer) else None)


def unquantised(model: nn.Module) -> nn.Module:
    """A copy of a :func:`quantised` network with every layer digital again, with its weights clipped."""
    return replaced(copy.deepcopy(model), lambda _, m: m.digital() if isinstance(m, QuantisedLayer) else None)
