"""What a converted network must learn from data before it is used: input ranges, converter ranges, gains and offsets.

All of it in two passes over one batch of inputs: the digital network shows what goes into and out of each layer, then
the analog one is set up layer by layer as the data reach it, so that each is calibrated on what the calibrated layers
before it really produce.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from surrogate.analog.convert import analog_layers, folded, to_digital
from surrogate.analog.layers import AnalogLayer
from surrogate.analog.observed import Hook, Shown, hooked, inference, observed
from surrogate.analog.programming import deployed
from surrogate.analog.pulses import input_range
from surrogate.analog.ways import shown_charges
from surrogate.analog.weights.ranges import some_of
from surrogate.errors import InputError

LAYERS = 100_003
"""Seeds of a chip, more than it has layers."""

CALIBRATED = 16
"""Images whose charges are computed together."""


def calibrate(model: nn.Module, inputs: Tensor, reference: nn.Module | None = None, ranges: bool = True) -> None:
    """Set input ranges (unless ``ranges`` is off), converter ranges, gains and offsets of the analog layers of
    ``model`` by ``inputs`` (as the model takes them, a few hundred).

    Gain and offset of each output are the regression of the outputs of ``reference``, a digital network with the same
    layers by name (batch norms behind them are folded as :func:`~surrogate.analog.convert.convert` does), on those of
    the analog layer; by default that is :func:`to_digital` of the model. All outputs of its layers for all ``inputs``
    are held in memory. Raises :class:`InputError` where a layer's inputs are negative
    but its settings take them as unsigned, and where a layer is called more than once or not at all.
    """
    layers = analog_layers(model)
    shown = observed(_digital(model, layers, reference), layers, inputs)
    if ranges:
        _set_input_ranges(layers, shown)
    _reset(layers)
    _run(model, inputs, layers, _gains(layers, shown))


def calibrate_outputs(model: nn.Module, inputs: Tensor, reference: nn.Module) -> None:
    """Gains and offsets alone, as :func:`calibrate` sets them; ranges of inputs and converters stay. ``reference`` may
    be on arrays, too: a network that was retrained on a nominal array keeps its outputs on a chip that is off."""
    layers = analog_layers(model)
    shown = observed(reference, layers, inputs)
    _reset(layers)
    with inference(model, inputs), hooked(_gains(layers, shown)):
        model(inputs)


def _gains(layers: dict[str, AnalogLayer], shown: dict[str, Shown]) -> dict[nn.Module, Hook]:
    """Hooks that calibrate gains and offsets of ``layers``; what is ``shown`` is used up."""
    hooks = dict[nn.Module, Hook]()
    hooks.update((layer, _calibrating(shown.pop(name).out)) for name, layer in layers.items())
    return hooks


def calibrate_ranges(model: nn.Module, inputs: Tensor, reference: nn.Module | None = None) -> None:
    """As :func:`calibrate`, but gains of 1 and offsets of 0: outputs are what the mapping says that charges mean."""
    layers = analog_layers(model)
    _set_input_ranges(layers, observed(_digital(model, layers, reference), layers, inputs))
    _reset(layers)
    if any(layer.converter_range is not None for layer in layers.values()):
        _run(model, inputs, layers, {})


def _digital(model: nn.Module, layers: dict[str, AnalogLayer], reference: nn.Module | None) -> nn.Module:
    return to_digital(model) if reference is None else folded(reference, layers.__contains__)


def _set_input_ranges(layers: dict[str, AnalogLayer], shown: dict[str, Shown]) -> None:
    with torch.no_grad():
        for name, layer in layers.items():
            layer.input_range.copy_(_input_range(name, layer, shown[name].given))


def _reset(layers: dict[str, AnalogLayer]) -> None:
    for layer in layers.values():
        layer.gain.fill_(1.0)
        layer.offset.zero_()


def _run(
    model: nn.Module, inputs: Tensor, layers: dict[str, AnalogLayer], hooks: dict[nn.Module, Hook]
) -> None:
    """Run ``inputs`` through ``model``, converters of each layer calibrated before it, ``hooks`` called after it."""
    converters = [m.register_forward_pre_hook(_calibrate_converter, with_kwargs=True) for m in layers.values()]
    try:
        with inference(model, inputs), hooked(hooks):
            model(inputs)
    finally:
        for handle in converters:
            handle.remove()


@torch.inference_mode(False)
def deploy(model: nn.Module, seed: int = 0) -> nn.Module:
    """A copy of ``model`` on one chip, whose cells are fixed where programming of its weights leaves them; ``seed``
    draws what the settings' effects do to them and to the converters. Calibrate it before use.

    Raises :class:`InputError` where cells leave the surrogate's domain."""
    fixed = copy.deepcopy(model)
    for k, (name, layer) in enumerate(analog_layers(fixed).items()):
        generator = torch.Generator(device=layer.weight.device).manual_seed(seed * LAYERS + k)
        cells = deployed(layer.wanted_currents(), layer.arrays, layer.settings, layer.tiling, generator)
        try:
            layer.arrays.surrogate.domain.check_state(cells.state)
        except InputError as error:
            raise InputError(f"layer {name}: {error}") from None
        layer.cells, layer.currents = cells.state, cells.current
        layer.chip = torch.randint(2**62, (), generator=generator, device=layer.weight.device)
    return fixed


def _input_range(name: str, layer: AnalogLayer, given: Tensor) -> Tensor:
    if not layer.settings.signed and float(given.min()) < 0:
        raise InputError(
            f"layer {name}: inputs down to {float(given.min()):.3g} but signed is false: set signed in the mapping"
        )
    try:
        steps = 2**layer.settings.bits - 1
        return input_range(given, layer.settings.inputs, steps)
    except InputError as error:
        raise InputError(f"layer {name}: {error}") from None


def _calibrating(wanted: Tensor) -> Hook:
    """A hook that calibrates its layer, whose gains are 1 and offsets 0, against ``wanted`` and gives the calibrated
    output."""

    def hook(layer: AnalogLayer, _given: Tensor, out: Tensor) -> Tensor:
        axis = 1 - layer.weight.dim()
        outputs, bias = layer.weight.shape[0], 0.0 if layer.bias is None else layer.bias
        shown, target = ((v.movedim(axis, -1) - bias).reshape(-1, outputs).double() for v in (out, wanted))
        centred = shown - shown.mean(0)
        variance = centred.square().sum(0)
        gain = (centred * (target - target.mean(0))).sum(0) / variance.clamp_min(1e-30)
        gain = torch.where(variance > 1e-12 * shown.square().sum(0), gain, 1.0)
        layer.gain.copy_(gain)
        layer.offset.copy_(target.mean(0) - gain * shown.mean(0))
        calibrated = layer.gain * (out.movedim(axis, -1) - bias) + layer.offset + bias
        return calibrated.movedim(-1, axis)

    return hook


def _calibrate_converter(layer: AnalogLayer, given: tuple[Tensor, ...], named: dict[str, Tensor]) -> None:
    """Make the converters' range hold the charges of the inputs that are ``given``, with a margin."""
    if layer.converter_range is None or layer.settings.converter_bits is None:
        return
    converter, cells, used = layer.settings.converter, layer.programmed(), layer.tiling.used_columns
    found = []
    for part in layer.images(*given, *named.values()).split(CALIBRATED):
        charge = converter.given(shown_charges(layer, layer.widths(part), cells)[..., :used]).abs().flatten()
        found.append(charge.amax()[None] if converter.range.by == "max" else some_of(charge))
    full = converter.range.spans(torch.cat(found)[None], converter.steps(layer.settings.converter_bits))[0]
    if not float(full) > 0:
        raise InputError("converter: no charge in all of the calibration data: give inputs that are not zero")
    layer.converter_range.copy_(converter.margin * full)
