"""Which inputs drive the rows of a layer's arrays: sliding windows over images, of which a vector is the smallest."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import conv2d, pad


@dataclass(frozen=True)
class Windows:
    """Windows of ``size`` over images [B, H, W, ch], each one VMM of each of R arrays.

    Their pixels, row by row and channels innermost, lie on the ``used_rows`` n of array after array.
    """

    size: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    row_tiles: int
    used_rows: int

    def positions(self, image: Tensor) -> tuple[int, int]:
        """Number of windows down and across each of ``image`` [B, H, W, ch]."""
        reach = [d * (s - 1) + 1 for s, d in zip(self.size, self.dilation, strict=True)]
        down, across = ((image.shape[1 + k] - reach[k]) // self.stride[k] + 1 for k in (0, 1))
        return down, across

    def vmms(self, image: Tensor) -> int:
        """Number v of windows in all of ``image``."""
        down, across = self.positions(image)
        return image.shape[0] * down * across

    def pulses(self, image: Tensor) -> Tensor:
        """Inputs [v, R, n] of all windows of ``image``; zero for rows beyond the last pixel."""
        view = image
        for k in (0, 1):
            reach = self.dilation[k] * (self.size[k] - 1) + 1
            view = view.unfold(1 + k, reach, self.stride[k])[..., :: self.dilation[k]]
        rows = view.permute(0, 1, 2, 4, 5, 3).reshape(self.vmms(image), -1)
        rows = pad(rows, (0, self.row_tiles * self.used_rows - rows.shape[1]))
        return rows.unflatten(-1, (self.row_tiles, self.used_rows))

    def product(self, image: Tensor, weight: Tensor) -> Tensor:
        """Products [v, G·out] of all windows of ``image`` [B, H, W, G·ch] with ``weight`` [G, in, out], rows in the
        windows' order: a convolution."""
        groups, _, outputs = weight.shape
        if self.size == (1, 1) and groups == 1 and self.stride == (1, 1):
            return image.flatten(0, 2) @ weight[0]
        kernel = weight.unflatten(1, (*self.size, -1)).permute(0, 4, 3, 1, 2).flatten(0, 1)
        out = conv2d(image.permute(0, 3, 1, 2), kernel, None, self.stride, 0, self.dilation, groups)
        return out.permute(0, 2, 3, 1).reshape(-1, groups * outputs)
