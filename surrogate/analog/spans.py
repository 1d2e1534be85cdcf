"""Ranges of a layer's weights: one for the layer, one an output or one an array."""

from __future__ import annotations

import torch
from torch import Tensor

from surrogate.analog.mapping import LayerSettings
from surrogate.analog.tiling import Tiling

LEAST_SHARE = 1e-3
"""Least range of an output or array, of the layer's largest weight."""


def initial_span(settings: LayerSettings, tiling: Tiling, weight: Tensor, by_rows: Tensor) -> Tensor:
    """Ranges of ``weight``, which is ``by_rows`` [G, R, n, out] in arrays: one number, [outputs] or [G, R, C]."""
    rule, steps = settings.weights.span, settings.weights.steps
    if settings.span == "tile":
        span = _by_tiles(settings, tiling, by_rows.abs())
    elif settings.span == "column":
        span = rule.spans(weight.flatten(1).abs(), steps)
    else:
        span = rule.spans(weight.reshape(1, -1).abs(), steps)[0]
    return span.clamp_min(LEAST_SHARE * float(weight.abs().amax()))


def _by_tiles(settings: LayerSettings, tiling: Tiling, size: Tensor) -> Tensor:
    found = []
    for group in size:
        for k, rows in enumerate(group):
            inside = min(tiling.used_rows, tiling.fan_in - k * tiling.used_rows)
            carrying = rows[:inside][-k * tiling.used_rows % tiling.spacing :: tiling.spacing]
            for tile in (carrying if len(carrying) else rows[:inside]).split(tiling.outputs, dim=-1):
                found.append(settings.weights.span.spans(tile.reshape(1, -1), settings.weights.steps))
    return torch.cat(found).reshape(tiling.groups, tiling.row_tiles, tiling.column_tiles)


def of_arrays(span: Tensor, tiling: Tiling) -> Tensor:
    """Ranges [G, R, 1, out] of the outputs in each array, of those of the arrays ``span`` [G, R, C]."""
    return span.repeat_interleave(tiling.outputs, dim=-1)[:, :, None, : tiling.fan_out]
