"""torch's optimisers and schedules from their recipes."""

from __future__ import annotations

import math
from typing import Any

from torch import nn, optim
from torch.optim import lr_scheduler

from surrogate.errors import InputError
from surrogate.training.recipe import Adam, AdamW, Constant, Cosine, OneCycle, RelativeAdam, Sgd

SMALLEST = 1e-3
"""Root mean square that tensors have at least where rates are relative to it (torch's Adafactor has the same)."""


def make_optimiser(recipe: Sgd | Adam | AdamW | RelativeAdam, network: nn.Module) -> optim.Optimizer:
    """The optimiser of ``recipe`` over all parameters that want a gradient. Raises :class:`InputError` without any."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    if not parameters:
        raise InputError("network: no parameter wants a gradient: set requires_grad of those to be trained")
    if isinstance(recipe, Sgd):
        return optim.SGD(
            parameters, recipe.rate, recipe.momentum, weight_decay=recipe.weight_decay, nesterov=recipe.momentum > 0
        )
    if isinstance(recipe, RelativeAdam):
        return optim.Adam([_relative(p, recipe.rate) for p in parameters])
    kind = optim.Adam if isinstance(recipe, Adam) else optim.AdamW
    return kind(parameters, lr=recipe.rate, weight_decay=recipe.weight_decay)


def _relative(parameter: nn.Parameter, rate: float) -> dict[str, Any]:
    unit = max(float(parameter.detach().square().mean().sqrt()), SMALLEST)
    return {"params": [parameter], "lr": rate * unit, "unit": unit}


def rate_of(optimiser: optim.Optimizer) -> float:
    """The present learning rate as its recipe states it."""
    group = optimiser.param_groups[0]
    return float(group["lr"]) / float(group.get("unit", 1.0))


def make_schedule(
    recipe: Constant | Cosine | OneCycle, optimiser: optim.Optimizer, steps: int
) -> lr_scheduler.LRScheduler:
    """The learning rate over ``steps`` steps."""
    if isinstance(recipe, OneCycle):
        rates = [group["lr"] for group in optimiser.param_groups]
        return lr_scheduler.OneCycleLR(
            optimiser, rates, steps, pct_start=_warmup(recipe.warmup, steps), cycle_momentum=False
        )
    if isinstance(recipe, Cosine):
        return lr_scheduler.CosineAnnealingLR(optimiser, steps)
    return lr_scheduler.ConstantLR(optimiser, factor=1.0, total_iters=0)


def _warmup(share: float, steps: int) -> float:
    """``share``, or the next number above it with which torch's warm-up does not last exactly one of ``steps``: it
    divides by that less one."""
    while share * steps == 1:
        share = math.nextafter(share, 1)
    return share
