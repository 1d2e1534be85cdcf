"""torch's optimisers and schedules from their recipes."""

from __future__ import annotations

from torch import nn, optim
from torch.optim import lr_scheduler

from surrogate.training.recipe import Adam, AdamW, Constant, Cosine, OneCycle, Sgd


def make_optimiser(recipe: Sgd | Adam | AdamW, network: nn.Module) -> optim.Optimizer:
    """The optimiser of ``recipe`` over all parameters that want a gradient."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    if isinstance(recipe, Sgd):
        return optim.SGD(
            parameters, recipe.rate, recipe.momentum, weight_decay=recipe.weight_decay, nesterov=recipe.momentum > 0
        )
    kind = optim.Adam if isinstance(recipe, Adam) else optim.AdamW
    return kind(parameters, lr=recipe.rate, weight_decay=recipe.weight_decay)


def make_schedule(
    recipe: Constant | Cosine | OneCycle, optimiser: optim.Optimizer, steps: int
) -> lr_scheduler.LRScheduler:
    """The learning rate over ``steps`` steps."""
    if isinstance(recipe, OneCycle):
        rate = optimiser.param_groups[0]["lr"]
        return lr_scheduler.OneCycleLR(optimiser, rate, steps, pct_start=recipe.warmup, cycle_momentum=False)
    if isinstance(recipe, Cosine):
        return lr_scheduler.CosineAnnealingLR(optimiser, steps)
    return lr_scheduler.ConstantLR(optimiser, factor=1.0, total_iters=0)
