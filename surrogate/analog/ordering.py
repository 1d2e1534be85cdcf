"""Word lines in an order in which neighbours are seldom active together.

Crosstalk is what a cell's current changes by while its neighbour's word line is active, too. Which input drives which
word line is free: a layer's wires, and nothing else, decide it. The inputs of each pixel are brought into the order
with the least sum over neighbours of E[min(x_i, x_j)²], x the pulse widths: the time that both are active. Where a
pixel ends and the next one begins, or an array ends, is not looked at.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from surrogate.analog.convert import analog_layers, folded, to_digital
from surrogate.analog.layers import AnalogLayer
from surrogate.analog.observed import observed
from surrogate.analog.pulses import codes_of, input_range
from surrogate.errors import InputError

PIXELS = 5_000
"""Most pixels of a layer's inputs that are looked at, drawn at random."""
OPERATIONS = 2_000_000_000
"""Operations that improving an order may take; orders of thousands of inputs end a little above the least sum."""


@torch.inference_mode(False)
def order_rows(model: nn.Module, inputs: Tensor, reference: nn.Module | None = None) -> None:
    """Set the order of the word lines of all analog layers of ``model`` by what the digital network (``reference``, or
    :func:`to_digital` of the model) gives them for ``inputs`` (a few hundred). The layers compute what they did but for
    crosstalk; do this before calibration and training.

    Raises :class:`InputError` where a layer is deployed, called more than once or not at all, or given nothing but 0.
    """
    layers = analog_layers(model)
    for name, layer in layers.items():
        if layer.cells is not None:
            raise InputError(f"layer {name}: its cells are programmed: order its rows before")
    digital = to_digital(model) if reference is None else folded(reference, layers.__contains__)
    orders = {}
    for name, shown in observed(digital, layers, inputs).items():
        try:
            orders[name] = row_order(layers[name], shown.given)
        except InputError as error:
            raise InputError(f"layer {name}: {error}") from None
    for name, order in orders.items():
        layers[name].set_order(order)


def row_order(layer: AnalogLayer, given: Tensor) -> Tensor:
    """The order [G, ch] of the channels of ``layer`` for inputs ``given``, as the layer takes them."""
    settings = layer.settings
    with torch.no_grad():
        pixels = layer.images(given).flatten(0, 2)
        drawn = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(0))[:PIXELS]
        full = input_range(given, settings.inputs, 2**settings.bits - 1)
        widths = codes_of(pixels[drawn.to(pixels.device)], full, settings)
    by_group = widths.flatten(0, 1).unflatten(-1, (layer.tiling.groups, -1)).unbind(-2)
    orders = np.stack([shortest_path(overlaps(group)) for group in by_group])
    return torch.as_tensor(orders, device=layer.weight.device)


def overlaps(active: Tensor) -> NDArray[np.float64]:
    """Mean of min(x_i, x_j)² over samples ``active`` [n, ch], [ch, ch]."""
    columns = [torch.minimum(active, column[:, None]).square().mean(0) for column in active.T]
    return torch.stack(columns).double().cpu().numpy()


def shortest_path(cost: NDArray[np.float64]) -> NDArray[np.int64]:
    """An order of all of ``cost`` [k, k], symmetric, in which the sum over neighbours is small: from the cheapest pair
    on always the cheapest next, then parts are turned round as long as that gains anything (2-opt; Croes, Operations
    Research 6, 1958)."""
    path = _greedy(cost)
    for _ in range(max(1, OPERATIONS // cost.size)):
        begin, end, gain = _best_turn(cost, path)
        if gain <= 1e-12 * float(cost.sum()):
            break
        path[begin : end + 1] = path[begin : end + 1][::-1].copy()
    return path


def _greedy(cost: NDArray[np.float64]) -> NDArray[np.int64]:
    free = cost + np.diag(np.full(len(cost), np.inf))
    path = [int(free.min(1).argmin())]
    while len(path) < len(cost):
        free[:, path[-1]] = np.inf
        path.append(int(free[path[-1]].argmin()))
    return np.array(path)


def _best_turn(cost: NDArray[np.float64], path: NDArray[np.int64]) -> tuple[int, int, float]:
    """The part begin … end of ``path`` that gains most when turned round; ends of the path have no neighbour."""
    count = len(path)
    along = np.zeros((count + 2, count + 2))
    along[1:-1, 1:-1] = cost[np.ix_(path, path)]
    step = np.diagonal(along, 1)
    gains = step[:-1, None] + step[None, 1:] - along[:-2, 1:-1] - along[1:-1, 2:]
    gains[np.tril_indices(count)] = 0
    begin, end = np.unravel_index(int(gains.argmax()), gains.shape)
    return int(begin), int(end), float(gains[begin, end])
