"""An honest slot engine to compare with: the fast engine's own expansions, slot by slot in float32."""

from __future__ import annotations

import torch
from torch import Tensor

from surrogate.fast.engine import FastEngine
from surrogate.parameters import OFFSETS


class SlotEngine:
    """The same expansions slot by slot in float32: what every row is worth in each of N adaptive slots, then one
    product per slot for currents and drop together, and the drop of each slot from its own currents."""

    def __init__(self, engine: FastEngine, state: Tensor) -> None:
        self.tiles = engine.functions(state)
        tables = engine.cell.tables
        rows, self.terms = tables.kernel.shape[0], tables.terms
        subset = torch.tensor([[float(s & c == s) for s in range(16)] for c in range(16)], dtype=torch.float64)
        value = torch.einsum("cs,nsq->ncq", subset, tables.kernel)
        idle = torch.zeros_like(value)
        self.value = torch.stack([idle, value], dim=2).flatten(0, 2).float()  # by row, pattern and own activity
        by_row = [v[0].unflatten(0, (-1, rows)).transpose(0, 1) for v in (self.tiles.current, self.tiles.amplitude)]
        by_row[1] = torch.nn.functional.pad(by_row[1], (0, 0, 0, self.terms - tables.drop_terms))
        self.weight = torch.cat(by_row, dim=-1).flatten(0, 1).contiguous()
        self.first = torch.arange(rows, dtype=torch.int32) * 32

    def charges(self, duration: Tensor, chunk: int) -> Tensor:
        """Charges [b, M] of ``duration`` [b, N], ``chunk`` VMMs at a time."""
        return torch.cat([self._chunk(part) for part in duration.split(chunk)])

    def _chunk(self, duration: Tensor) -> Tensor:
        rows = duration.shape[-1]
        end = duration.sort(dim=-1).values
        start = torch.nn.functional.pad(end[:, :-1], (1, 0))
        active = (duration[:, None] > start[..., None]).int()
        around = torch.nn.functional.pad(active, (2, 2))
        index = active + self.first
        for bit, offset in enumerate(OFFSETS):
            index += around[..., 2 + offset : 2 + offset + rows] << (bit + 1)
        feature = torch.nn.functional.embedding(index, self.value).flatten(-2)
        current, seen = (feature @ self.weight).chunk(2, dim=-1)
        z, eta = seen * self.tiles.response, self.tiles.curvature
        left = 2 / (1 + z + torch.sqrt((1 + z).square() - 2 * eta * z * z))
        return torch.einsum("bs,bsm->bm", end - start, current - self.tiles.share * seen * (1 - left))
