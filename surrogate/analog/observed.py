"""What layers of a network are given and give while it is called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from surrogate.analog.precision import exact
from surrogate.errors import InputError

Hook = Callable[[Any, Tensor, Tensor], Tensor | None]
"""Called with a module, its input and its output; what it returns, if anything, takes the output's place."""


@dataclass(frozen=True)
class Shown:
    """What a layer was given and gave, before anything changed it in place."""

    given: Tensor
    out: Tensor


@contextmanager
def watched(model: nn.Module, names: Iterable[str]) -> Iterator[Mapping[str, Shown]]:
    """Within this context, what the layers ``names`` of ``model`` are given and give at its one call.

    Raises :class:`InputError` where one of them is missing, called more than once, or, at the end, not at all.
    """
    wanted, modules = list(names), dict(model.named_modules())
    shown: dict[str, Shown] = {}

    def record(name: str) -> Hook:
        def hook(_module: nn.Module, given: Tensor, out: Tensor) -> None:
            if name in shown:
                raise InputError(f"layer {name}: called more than once: give every call a layer of its own")
            shown[name] = Shown(given.clone(), out.clone())

        return hook

    hooks: dict[nn.Module, Hook] = {}
    for name in wanted:
        if name not in modules:
            raise InputError(f"layer {name}: not in the reference network: give one with the same names")
        hooks[modules[name]] = record(name)
    with hooked(hooks):
        yield shown
    for name in wanted:
        if name not in shown:
            raise InputError(f"layer {name}: not used by the network on these inputs: exclude it")


def observed(model: nn.Module, names: Iterable[str], inputs: Tensor) -> dict[str, Shown]:
    """What the layers ``names`` of ``model`` are given and give for ``inputs``, in evaluation, without gradients
    and ``torch.autocast``.

    Raises :class:`InputError` where one of them is missing, called more than once or not at all, and without inputs.
    """
    if inputs.numel() == 0:
        raise InputError(f"inputs {tuple(inputs.shape)}: none to calibrate by: give a few hundred")
    with inference(model, inputs), watched(model, names) as shown:
        model(inputs)
    return dict(shown)


@contextmanager
def inference(model: nn.Module, inputs: Tensor) -> Iterator[None]:
    """``model`` in evaluation mode for ``inputs``, without gradients and ``torch.autocast``."""
    with torch.no_grad(), exact(inputs.device), evaluated(model):
        yield


@contextmanager
def evaluated(model: nn.Module) -> Iterator[None]:
    """``model`` in evaluation mode, then every module in the mode that it was in."""
    training = {module: module.training for module in model.modules()}
    try:
        model.eval()
        yield
    finally:
        for module, mode in training.items():
            module.training = mode


@contextmanager
def hooked(hooks: Mapping[nn.Module, Hook]) -> Iterator[None]:
    """Within this context, ``hooks`` are called after their modules (of one input, given by place or by name)."""

    def alone(hook: Hook) -> Callable[..., object]:
        return lambda module, given, named, out: hook(module, next(iter((*given, *named.values()))), out)

    handles = [module.register_forward_hook(alone(hook), with_kwargs=True) for module, hook in hooks.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
