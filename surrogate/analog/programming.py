"""From weights to the cells of a layer's arrays: target currents, what programming leaves of them, stored states."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from surrogate.analog.arrays import Arrays, Cells
from surrogate.analog.mapping import LayerSettings
from surrogate.analog.tiling import Tiling
from surrogate.analog.weights import Encoding
from surrogate.analog.weights.differential import OneSided
from surrogate.analog.weights.stored import LINEAR
from surrogate.fast.cells import PairCells
from surrogate.fast.curve import tabulated
from surrogate.mapping import CurrentRange, InverseCurve, level_currents, program

PROGRAMMED_CELLS = 2**16
"""Cells that are programmed at a time, which bounds memory."""


def target_currents(weight: Tensor, tiling: Tiling, encoding: Encoding, currents: CurrentRange) -> Tensor:
    """Target one-hot currents [G, R, C, n, u] A of the used cells that hold ``weight`` [G, R, n, out] over the span."""
    level = encoding.levels(weight).unflatten(-1, (weight.shape[-1], encoding.columns))
    level = tiling.by_arrays(level).flatten(-2)
    if encoding.shared_level is not None:
        level = torch.nn.functional.pad(level, (0, 1), value=encoding.shared_level)
    return level_currents(level, currents).transpose(-3, -2)


def told_to_shown(current: Tensor, arrays: Arrays, settings: LayerSettings, generator: Generator | None) -> Tensor:
    """Currents (any shape) A of cells that are programmed to ``current`` A, with the settings' effects."""
    effects = settings.on_currents
    for effect in effects:
        current = effect.apply(current, settings.currents.high, generator)
    return current.clamp_min(arrays.inverse.least) if effects else current


def disturbed_states(state: Tensor, arrays: Arrays, settings: LayerSettings, generator: Generator | None) -> Tensor:
    """States (any shape) that cells put to ``state`` are in, with the settings' effects."""
    for effect in settings.on_states:
        state = effect.apply(state, arrays.surrogate, generator)
    return state


def programmed(
    weight: Tensor, arrays: Arrays, settings: LayerSettings, tiling: Tiling, generator: Generator | None
) -> Cells:
    """Cells that hold ``weight`` [G, R, n, out] over the span, each as if it were alone, with the settings' effects;
    differentiable."""
    if not (settings.on_currents or settings.on_states or settings.on_charges) and _fusible(weight, arrays):
        return Cells(_fused_states(weight, arrays, settings, tiling), None)
    shown = told_to_shown(
        target_currents(weight, tiling, arrays.encoding, settings.currents), arrays, settings, generator
    )
    state = disturbed_states(arrays.inverse(shown), arrays, settings, generator)
    return Cells(laid_out(state, arrays, tiling, arrays.tiles.whole_arrays), shown)


def _fusible(weight: Tensor, arrays: Arrays) -> bool:
    side = arrays.encoding
    plain = isinstance(side, OneSided) and side.bits is None and side.slices == 1 and side.curve == LINEAR
    inverse = isinstance(arrays.inverse, InverseCurve) and not arrays.tiles.whole_arrays
    return plain and inverse and tabulated(weight)


def _fused_states(weight: Tensor, arrays: Arrays, settings: LayerSettings, tiling: Tiling) -> Tensor:
    """States [G, R, C, n, M] of pairs of cells that hold ``weight`` [G, R, n, out] where :func:`_fusible` says so."""
    assert isinstance(arrays.encoding, OneSided) and isinstance(arrays.inverse, InverseCurve)
    low, high = settings.currents.low, settings.currents.high
    cells = PairCells(
        tiling.columns, tiling.column_tiles, tiling.outputs, low, high - low, arrays.encoding.zero,
        arrays.inverse.curve, arrays.inverse.special_rows, arrays.inverse.at_edge,
    )  # fmt: skip
    return cells.states(weight.flatten(0, 1)).unflatten(0, weight.shape[:2])


def laid_out(state: Tensor, arrays: Arrays, tiling: Tiling, whole: bool) -> Tensor:
    """States [G, R, C, n, M] of the used rows, or with ``whole`` [G, R, C, N, M] of all rows, from those of the used
    cells ``state`` [G, R, C, n, u]; the others are at the minimum current."""
    idle = arrays.idle.to(state)
    used = tiling.whole_columns(state, idle[: tiling.used_rows])
    if not whole or tiling.rows == tiling.used_rows:
        return used
    return torch.cat([used, idle[tiling.used_rows :].expand(*used.shape[:3], -1, tiling.columns)], dim=-2)


def deployed(
    current: Tensor, arrays: Arrays, settings: LayerSettings, tiling: Tiling, generator: Generator
) -> Cells:
    """Cells of whole arrays as they are left by programming to ``current`` [G, R, C, n, u] A: until a one-hot read of
    the array shows it (``settings.verified``), or so that each cell alone would."""
    with torch.no_grad():
        shown = told_to_shown(current.detach(), arrays, settings, generator)
        if settings.verified:
            missing = (0, tiling.columns - tiling.used_columns, 0, tiling.rows - tiling.used_rows)
            whole = torch.nn.functional.pad(shown, missing, value=settings.currents.low).flatten(0, 2)
            some = whole.split(max(1, PROGRAMMED_CELLS // (tiling.rows * tiling.columns)))
            found = torch.cat([program(arrays.surrogate, arrays.inverse, part) for part in some])
            state = found.to(current.dtype).unflatten(0, current.shape[:3])
        else:
            state = laid_out(arrays.inverse(shown), arrays, tiling, True)
        return Cells(disturbed_states(state, arrays, settings, generator), shown)
