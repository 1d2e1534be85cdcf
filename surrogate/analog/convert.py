"""Any torch network to its twin on arrays, and back."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from surrogate.analog.arrays import Arrays
from surrogate.analog.layers import AnalogConv, AnalogLayer, AnalogLinear
from surrogate.analog.mapping import LayerSettings, Mapping
from surrogate.analog.observed import evaluated
from surrogate.errors import InputError
from surrogate.surrogate import Surrogate

LAYERS: tuple[type[nn.Module], ...] = (nn.Linear, nn.Conv1d, nn.Conv2d)
"""What is converted; layers derived from them are left as they are, as they may not compute what these do."""

NORMS: tuple[type[nn.Module], ...] = (nn.BatchNorm1d, nn.BatchNorm2d)

Shared = dict[tuple[object, ...], Arrays]


@torch.inference_mode(False)
def convert(model: nn.Module, surrogate: Surrogate, mapping: Mapping) -> nn.Module:
    """The twin of ``model`` on arrays of ``surrogate``; ``model`` itself stays as it is.

    Batch norms behind a layer are folded into it, at the statistics that they hold (:class:`FoldedNorm` takes their
    place), then every ``nn.Linear``, ``nn.Conv1d`` and ``nn.Conv2d`` is replaced but those that ``mapping`` excludes.
    The twin is called, trained, copied and saved as the model was, tied parameters tied, frozen ones frozen;
    :func:`surrogate.analog.calibrate.calibrate` sets its ranges.

    Raises :class:`InputError` that names the layer where a setting or a weight does not do, for a mapping that names
    layers the network does not have, for a weight that is computed (weight norm, pruning), and for a surrogate that has
    not passed its cross-validation.
    """
    surrogate.require_passed()
    for name, module in model.named_modules():
        if type(module) in LAYERS and mapping.settings(name) is not None and "weight" not in module._parameters:
            raise InputError(f"layer {name}: its weight is computed (weight norm, pruning): make it a parameter first")
    twin = folded(model, lambda name: mapping.settings(name) is not None)
    names = [name for name, module in twin.named_modules() if type(module) in LAYERS]
    if not names:
        raise InputError("model: no nn.Linear, nn.Conv1d or nn.Conv2d in it: nothing to convert")
    mapping.check_names(names)
    shared: Shared = {}

    def analog(name: str, module: nn.Module) -> nn.Module | None:
        settings = mapping.settings(name) if type(module) in LAYERS else None
        if settings is None:
            return None
        try:
            return analog_layer(module, surrogate, settings, shared).train(module.training)
        except InputError as error:
            raise InputError(f"layer {name or type(module).__name__}: {error}") from None

    twin = replaced(twin, analog)
    for module in twin.modules():
        if analog_layers(module) and isinstance(module, nn.TransformerEncoderLayer):
            module.activation_relu_or_gelu = 0  # else torch computes with its layers' weights in inference
        elif analog_layers(module) and isinstance(module, nn.TransformerEncoder):
            module.use_nested_tensor = False
    return twin


def analog_layer(
    layer: nn.Module, surrogate: Surrogate, settings: LayerSettings, shared: Shared | None = None
) -> AnalogLayer:
    """The twin of one ``nn.Linear``, ``nn.Conv1d`` or ``nn.Conv2d``, which takes over its parameters; equal kinds of
    arrays are kept in ``shared``."""
    currents = settings.currents
    key = (settings.rows, settings.columns, currents, settings.products, settings.weights)
    shared = {} if shared is None else shared
    if key not in shared:
        shared[key] = Arrays(surrogate, settings)
    if isinstance(layer, nn.Linear):
        return AnalogLinear(layer, shared[key], settings)
    if isinstance(layer, (nn.Conv1d, nn.Conv2d)):
        return AnalogConv(layer, shared[key], settings)
    raise InputError(f"{type(layer).__name__}: only nn.Linear, nn.Conv1d and nn.Conv2d have a twin on arrays")


@torch.inference_mode(False)
def to_digital(model: nn.Module) -> nn.Module:
    """A copy of ``model`` with every analog layer digital again, with the weights it has (clipped as on its cells).
    Tied parameters are no longer tied."""

    def digital(_: str, module: nn.Module) -> nn.Module | None:
        return module.digital() if isinstance(module, AnalogLayer) else None

    return replaced(copy.deepcopy(model), digital)


def analog_layers(model: nn.Module) -> dict[str, AnalogLayer]:
    """The analog layers of ``model`` by name."""
    return {name: module for name, module in model.named_modules() if isinstance(module, AnalogLayer)}


def replaced(model: nn.Module, twin: Callable[[str, nn.Module], nn.Module | None]) -> nn.Module:
    """``model`` with what ``twin`` gives for a module's name in its place; a shared module stays shared."""
    for name, module in list(model.named_modules()):
        new = twin(name, module)
        if new is None:
            continue
        if module is model:
            return new
        for parent in list(model.modules()):
            for key, child in list(parent._modules.items()):
                if child is module:
                    setattr(parent, key, new)
    return model


def folded(model: nn.Module, chosen: Callable[[str], bool] = lambda name: True) -> nn.Module:
    """A copy of ``model`` whose batch norms are folded into the layers right before them, where ``chosen`` by name.

    Which layer a batch norm follows is found by ``torch.fx``; in models that it cannot trace, by neighbours in
    ``nn.Sequential``. The copy computes what ``model`` computes in ``eval`` mode. What it learns is frozen only where
    layer and batch norm are.
    """
    twin = copy.deepcopy(model)
    modules = dict(twin.named_modules())
    with evaluated(twin):
        norms = _norms(twin)
    for layer_name, norm_name in norms:
        layer, norm = modules[layer_name], modules[norm_name]
        if not chosen(layer_name) or type(layer) not in LAYERS or norm.running_mean is None:
            continue
        if norm.num_features != layer.weight.shape[0]:
            continue  # it goes along another axis
        fuse = fuse_linear_bn_eval if isinstance(layer, nn.Linear) else fuse_conv_bn_eval
        mode = layer.training
        fused = fuse(layer.eval(), norm.eval()).train(mode)  # type: ignore[type-var, arg-type]
        learns = any(p.requires_grad for p in (*layer.parameters(), *norm.parameters()))
        for name, new in ((layer_name, fused.requires_grad_(learns)), (norm_name, FoldedNorm(layer.weight.dim()))):
            parent, _, key = name.rpartition(".")
            setattr(modules[parent], key, new)
    return twin


class FoldedNorm(nn.Identity):
    """In the place of a batch norm that was folded into its layer: hands on outputs, batched, of ``rank`` dimensions.

    Of a linear layer's outputs with more, a batch norm takes the second for channels, not the last, and cannot be
    folded; that is known only once they come: :class:`InputError`.
    """

    def __init__(self, rank: int) -> None:
        super().__init__()
        self.rank = rank

    def forward(self, input: Tensor) -> Tensor:
        """``input`` itself."""
        return _of_rank(input, self.rank)


@torch.fx.wrap
def _of_rank(outputs: Tensor, rank: int) -> Tensor:
    if outputs.dim() != rank:
        raise InputError(f"batch norm of outputs {tuple(outputs.shape)}: not along the last axis: exclude its layer")
    return outputs


def _norms(model: nn.Module) -> list[tuple[str, str]]:
    """Names of layers and of the batch norms that alone take what they give."""
    modules = dict(model.named_modules())
    try:
        nodes = list(torch.fx.Tracer().trace(model).nodes)
    except Exception:  # what a model's own code does under tracing can fail in any way
        return _norms_in_sequences(modules)
    calls = [node.target for node in nodes if node.op == "call_module"]
    found = []
    for node in nodes:
        if node.op != "call_module" or type(modules[node.target]) not in NORMS:
            continue
        before = node.args[0] if node.args else None
        if not isinstance(before, torch.fx.Node) or before.op != "call_module" or len(before.users) > 1:
            continue
        if calls.count(node.target) == calls.count(before.target) == 1:
            found.append((str(before.target), str(node.target)))
    return found


def _norms_in_sequences(modules: dict[str, nn.Module]) -> list[tuple[str, str]]:
    found = []
    for name, module in modules.items():
        if type(module) is nn.Sequential:
            keys = [f"{name}.{key}" if name else key for key in module._modules]
            for layer, norm in pairwise(keys):
                if type(modules.get(layer)) in LAYERS and type(modules.get(norm)) in NORMS:
                    found.append((layer, norm))
    return found
