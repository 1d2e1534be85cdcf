"""How a layer's matrix lies on arrays, and a table of what a network takes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch
from rich.table import Table
from torch import Tensor, nn
from torch.nn.functional import pad

from surrogate.analog.observed import Hook, hooked, inference
from surrogate.errors import InputError

if TYPE_CHECKING:
    from surrogate.analog.layers import AnalogLayer


@dataclass(frozen=True)
class Tiling:
    """A matrix [in, out] for each of ``groups``, on arrays of ``rows`` x ``columns``, of which every output takes
    ``per_output`` (2: a differential pair) and the array ``shared`` for all of them.

    Its rows are split evenly over as few arrays as hold them and lie at the clamps' end of each; its outputs fill
    column after column, array after array, shared columns behind them. Groups share no array. What is left stays at the
    minimum current, its rows idle. Of the ``in`` rows the first of every ``spacing`` carries an input, the others are
    idle and hold weights of zero.
    """

    fan_in: int
    fan_out: int
    groups: int
    rows: int
    columns: int
    per_output: int = 2
    shared: int = 0
    spacing: int = 1

    def __post_init__(self) -> None:
        if self.per_output + self.shared > self.columns:
            raise InputError(
                f"columns {self.columns}: one output takes {self.per_output} and its array {self.shared} more: "
                "use wider tiles or fewer slices"
            )

    @property
    def row_tiles(self) -> int:
        """Arrays R that a column of one group is split over."""
        return -(-self.fan_in // self.rows)

    @property
    def used_rows(self) -> int:
        """Rows n of each array that carry inputs (the last array may have fewer)."""
        return -(-self.fan_in // self.row_tiles)

    @property
    def column_tiles(self) -> int:
        """Arrays C that a row of one group is split over."""
        return -(-self.fan_out // ((self.columns - self.shared) // self.per_output))

    @property
    def outputs(self) -> int:
        """Outputs o of an array (the last one of a group may have fewer)."""
        fitting = (self.columns - self.shared) // self.per_output
        return fitting if self.column_tiles > 1 else self.fan_out

    @property
    def used_columns(self) -> int:
        """Columns u of each array that outputs and what they share take, side by side."""
        return self.outputs * self.per_output + self.shared

    @property
    def arrays(self) -> int:
        """All arrays of the layer."""
        return self.groups * self.row_tiles * self.column_tiles

    @property
    def cells_used(self) -> int:
        """Cells that carry weights or what is shared."""
        of_arrays = self.shared * self.column_tiles
        return self.groups * (self.fan_in // self.spacing) * (self.per_output * self.fan_out + of_arrays)

    def split_rows(self, values: Tensor) -> Tensor:
        """``values`` [..., in] by arrays and their used rows, [..., R, n]; zero where there is no input."""
        filled = pad(values, (0, self.row_tiles * self.used_rows - self.fan_in))
        return filled.unflatten(-1, (self.row_tiles, self.used_rows))

    def whole_rows(self, values: Tensor) -> Tensor:
        """``values`` [..., n] of used rows as [..., N], zero beyond."""
        return pad(values, (0, self.rows - self.used_rows))

    def whole_columns(self, values: Tensor, like: Tensor) -> Tensor:
        """``values`` [..., u] of used columns as [..., M], beyond them ``like`` [..., 1]."""
        missing = self.columns - self.used_columns
        return torch.cat([values, like.expand(*values.shape[:-1], missing)], dim=-1) if missing else values

    def by_arrays(self, values: Tensor) -> Tensor:
        """``values`` [..., out, k] of outputs by arrays, [..., C, o, k]; zero where the last one has fewer."""
        filled = pad(values, (0, 0, 0, self.column_tiles * self.outputs - self.fan_out))
        return filled.unflatten(-2, (self.column_tiles, self.outputs))

    def of_outputs(self, values: Tensor) -> Tensor:
        """``values`` [..., C, o] of arrays by outputs, [..., out]."""
        return values.flatten(-2)[..., : self.fan_out]


@dataclass(frozen=True)
class LayerRow:
    """One layer of the table: all counts are of whole arrays, VMMs are array VMMs."""

    layer: str
    kind: str
    matrix: str
    arrays: int
    rows: int
    columns: int
    cells: int
    cells_used: int
    utilisation: float
    vmms_per_image: int


@dataclass(frozen=True)
class Summary:
    """What a network takes: a row for each analog layer, and the layers with weights that stay digital."""

    layers: tuple[LayerRow, ...]
    digital: tuple[str, ...]

    def as_json(self) -> str:
        """The summary as a JSON object."""
        return json.dumps(asdict(self))

    def as_csv(self) -> str:
        """The analog layers as comma-separated values, a header first."""
        lines = [",".join(LayerRow.__annotations__)]
        lines += [",".join(f"{value}" for value in asdict(row).values()) for row in self.layers]
        return "\n".join(lines) + "\n"

    def table(self) -> Table:
        """The analog layers and their sum, for a ``rich`` console."""
        heads = ("layer", "kind", "matrix", "arrays", "size", "cells used", "utilisation", "VMMs per image")
        table = Table(*heads, title="Layers on arrays")
        for r in self.layers:
            table.add_row(r.layer, r.kind, r.matrix, f"{r.arrays:,}", f"{r.rows}x{r.columns}", f"{r.cells_used:,}",
                          f"{r.utilisation:.1%}", f"{r.vmms_per_image:,}")  # fmt: skip
        cells, used = sum(r.cells for r in self.layers), sum(r.cells_used for r in self.layers)
        arrays, vmms = sum(r.arrays for r in self.layers), sum(r.vmms_per_image for r in self.layers)
        share = f"{used / cells:.1%}" if cells else "–"
        table.add_section()
        table.add_row("sum", "", "", f"{arrays:,}", "", f"{used:,}", share, f"{vmms:,}")
        if self.digital:
            table.caption = f"digital: {', '.join(self.digital)}"
        return table


def summary(model: nn.Module, image: Tensor) -> Summary:
    """What the analog layers of ``model`` take for one ``image`` (a batch of one, as the model takes it).

    The image is run through the model once, as inference, to count the VMMs of sliding windows.
    """
    from surrogate.analog.layers import AnalogLayer

    analog = {name: m for name, m in model.named_modules() if isinstance(m, AnalogLayer)}
    calls = dict.fromkeys(analog, 0)

    def counter(name: str) -> Hook:
        def count(layer: AnalogLayer, given: Tensor, _out: Tensor) -> None:
            calls[name] += layer.vmms(given)

        return count

    with inference(model, image), hooked({layer: counter(name) for name, layer in analog.items()}):
        model(image)
    rows = tuple(_row(name, analog[name], calls[name]) for name in analog)
    return Summary(rows, tuple(_digital(model.named_modules())))


def _row(name: str, layer: AnalogLayer, vmms: int) -> LayerRow:
    t = layer.tiling
    cells = t.arrays * t.rows * t.columns
    matrix = f"{t.fan_in // t.spacing}x{t.fan_out}" + (f" in {t.groups} groups" if t.groups > 1 else "")
    return LayerRow(
        layer=name or "(all)",
        kind=layer.kind,
        matrix=matrix,
        arrays=t.arrays,
        rows=t.rows,
        columns=t.columns,
        cells=cells,
        cells_used=t.cells_used,
        utilisation=t.cells_used / cells,
        vmms_per_image=vmms,
    )


def _digital(modules: Iterable[tuple[str, nn.Module]]) -> list[str]:
    """Layers with weights of their own that are not analog."""
    from surrogate.analog.layers import AnalogLayer

    return [n for n, m in modules if not isinstance(m, AnalogLayer) and any(True for _ in m.parameters(recurse=False))]
