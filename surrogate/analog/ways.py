"""Three ways to what a layer's columns come to: by its matrix, by pairs, or column by column.

Linear arrays that nothing disturbs between pulses and sums are one matrix, whatever their wires and mapping, and so is
a whole convolution. Differences of pairs need half of the products of the fast engine. Where converters or effects see
single charges, all of them are computed, a part of the images at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from surrogate.analog.arrays import Cells
from surrogate.analog.mapping import LayerSettings
from surrogate.analog.spans import of_arrays
from surrogate.effects.effect import Read
from surrogate.engine import LinearTiles

if TYPE_CHECKING:
    from surrogate.analog.layers import AnalogLayer

PART = 2**24
"""Pulses or charges computed together, column by column."""


def sums(layer: AnalogLayer, images: Tensor, cells: Cells) -> Tensor:
    """Sums [P, v, out] (:meth:`AnalogLayer.summed`) of all VMMs of ``images`` [B, H, W, ch]."""
    if not len(images):
        return images.new_zeros(layer.phases_per_input, 0, layer.tiling.groups * layer.tiling.fan_out)
    if layer.settings.shows_columns:
        return _by_columns(layer, images, cells)
    if isinstance(layer.arrays.tiles, LinearTiles):
        return _by_matrix(layer, images, cells, layer.arrays.tiles)
    if layer.arrays.read_back.is_pairs and layer.settings.span != "tile":
        return _by_pairs(layer, images, cells)
    return _by_columns(layer, images, cells)


def sums_of_weights(layer: AnalogLayer) -> Tensor:
    """What ideal arrays show [out] when all inputs are active for t_max (:meth:`AnalogLayer.summed`)."""
    current = layer.wanted_currents() / layer.arrays.surrogate.current_scale
    lines = torch.arange(layer.tiling.fan_in, device=current.device)
    active = layer.tiling.split_rows((lines % layer.tiling.spacing == 0).to(current.dtype))
    charge = torch.einsum("grcnu,rn->grcu", current, active)
    return layer.summed(charge, active.sum(-1).expand(charge.shape[:2]))


def disturbed_codes(code: Tensor, settings: LayerSettings, generator: Generator | None) -> Tensor:
    """What converters see of ``code``, charges over their range."""
    for effect in settings.on_codes:
        code = effect.apply(code, generator)
    return code


def _by_matrix(layer: AnalogLayer, images: Tensor, cells: Cells, tiles: LinearTiles) -> Tensor:
    t = layer.tiling
    matrix = tiles.matrix(cells.state.flatten(0, 1)).unflatten(0, cells.state.shape[:2])
    rows = matrix[..., : t.used_rows, :].permute(0, 3, 1, 2, 4)
    found = t.of_outputs(layer.arrays.read_back.outputs(rows, rows.new_ones(rows.shape[:3]), t.outputs))
    if layer.settings.span == "tile":
        found = found * of_arrays(layer.span, t).transpose(1, 2)
    weight = found.permute(0, 2, 1, 3).flatten(1, 2)[:, : t.fan_in]
    phases = layer.phases(images)
    return layer.windows().product(phases.flatten(0, 1), weight).unflatten(0, (len(phases), -1))


def _by_pairs(layer: AnalogLayer, images: Tensor, cells: Cells) -> Tensor:
    t, read_back, windows = layer.tiling, layer.arrays.read_back, layer.windows()
    per_output = t.per_output // 2
    gapless = t.column_tiles == 1 or t.used_columns == t.columns
    pairs = t.fan_out * per_output if gapless else t.column_tiles * t.columns // 2
    phases = layer.phases(images)
    found = []
    for image, states in zip(phases.flatten(0, 1).chunk(t.groups, dim=-1), cells.state, strict=True):
        shown = layer.arrays.tiles.pair_sums(image, windows, states, pairs)
        if not gapless:
            shown = shown.unflatten(-1, (t.column_tiles, -1))[..., : t.outputs * per_output].flatten(-2)
        found.append(read_back.of_pairs(shown)[..., : t.fan_out])
    together = found[0] if len(found) == 1 else torch.cat(found, dim=-1)
    return together.unflatten(0, (len(phases), -1))


def _by_columns(layer: AnalogLayer, images: Tensor, cells: Cells) -> Tensor:
    t, vmms = layer.tiling, layer.windows().vmms(images[:1])
    each = max(1, PART // (vmms * t.groups * t.row_tiles * max(t.used_rows, t.column_tiles * t.columns)))
    chip = chip_seed(layer)
    parts = images.split(each)
    if len(parts) == 1 or not torch.is_grad_enabled():
        return torch.cat([_columns_of(layer, part, cells, chip) for part in parts], dim=1)
    from torch.utils.checkpoint import checkpoint

    return torch.cat([checkpoint(_columns_of, layer, part, cells, chip, use_reentrant=False) for part in parts], dim=1)


def chip_seed(layer: AnalogLayer) -> int | None:
    """Seed of what belongs to the chip: that of the deployed layer, or a new one for every call; None where nothing
    does."""
    if not layer.settings.on_codes:
        return None
    return int(layer.chip) if layer.chip is not None else int(torch.randint(2**62, ()))


def _columns_of(layer: AnalogLayer, images: Tensor, cells: Cells, chip: int | None) -> Tensor:
    told = layer.widths(images)
    generator = None if chip is None else Generator(device=told.device).manual_seed(chip)
    shown = layer.converted(shown_charges(layer, told, cells), generator)
    return layer.summed(shown, told.sum(-1))


def shown_charges(layer: AnalogLayer, told: Tensor, cells: Cells) -> Tensor:
    """Charges [P, v, G, R, C, M] of ``cells`` for pulses told to last ``told`` [P, v, G, R, n], effects on widths and
    charges included."""
    settings, surrogate, t = layer.settings, layer.arrays.surrogate, layer.tiling
    width = told
    for effect in settings.on_widths:
        width = effect.apply(width, surrogate.time_scale, None)
    whole = t.whole_rows(width) if layer.arrays.tiles.whole_arrays else width
    charge = layer.column_charges(whole, cells.state)
    effects = settings.on_charges
    if effects:
        assert cells.current is not None
        current = t.whole_columns(cells.current, cells.current.new_full((1,), settings.currents.low))
        read = Read(width, current, surrogate.current_scale, surrogate.time_scale)
        for noise in effects:
            charge = noise.apply(charge, read, None)
    return charge
