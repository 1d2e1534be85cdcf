"""Training images changed a little each time they are shown."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from surrogate.training.recipe import Augmentation


def augmented(pixels: Tensor, recipe: Augmentation, generator: Generator) -> Tensor:
    """A batch [b, c, h, w] mirrored and shifted at random, image by image; ``generator`` is one of the CPU."""
    if not recipe.flip and not recipe.shift:
        return pixels
    count, _, height, width = pixels.shape
    rows = torch.arange(height).expand(count, -1)
    columns = torch.arange(width).expand(count, -1)
    if recipe.flip:
        mirrored = torch.rand(count, 1, generator=generator) < 0.5
        columns = torch.where(mirrored, width - 1 - columns, columns)
    if recipe.shift:
        span = 2 * recipe.shift + 1
        rows = rows + torch.randint(span, (count, 1), generator=generator)
        columns = columns + torch.randint(span, (count, 1), generator=generator)
        pixels = torch.nn.functional.pad(pixels, [recipe.shift] * 4)
    images = torch.arange(count, device=pixels.device)[:, None, None]
    rows, columns = rows.to(pixels.device), columns.to(pixels.device)
    by_pixel = pixels.permute(0, 2, 3, 1)[images, rows[:, :, None], columns[:, None, :]]
    return by_pixel.permute(0, 3, 1, 2).contiguous()
