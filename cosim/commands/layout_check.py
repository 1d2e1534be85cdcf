"""``fgcosim layout --check``: a layout file read back and compared with its design."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from cosim.errors import InputError
from netlists.layout.comparison import Comparison, compare
from netlists.layout.drawing import Drawing
from netlists.layout.files import read_layout

UM2 = 1e12
KINDS = {
    "missing": "nets missing", "open": "nets open", "short": "shorts", "unnamed": "shapes without a net",
    "foreign": "nets of no design", "transistor": "wrong transistors", "rule": "rule violations",
}  # fmt: skip


def check_layout(drawing: Drawing, path: Path) -> None:
    """Print how the layout file ``path`` compares with ``drawing``.

    Raises :class:`InputError`, after that, where it is another array; before it, where the file cannot be read.
    """
    found = compare(read_layout(path, drawing.stack), drawing)
    _print(found, drawing, path)
    if found.findings:
        more = f" (and {len(found.findings) - 1} more findings)" if len(found.findings) > 1 else ""
        raise InputError(f"{path}: is not the layout of design {drawing.design.name}: {found.findings[0]}{more}")


def _print(found: Comparison, drawing: Drawing, path: Path) -> None:
    console = Console(highlight=False, soft_wrap=True)
    table = Table("layer", "GDS", "polygons", "area", "not as drawn", box=None)
    for layer in found.layers:
        areas = (f"{area * UM2:.4g} um2" for area in (layer.area, layer.different))
        table.add_row(layer.name, f"{layer.gds}/0", str(layer.polygons), *areas)
    console.print(table)
    wrong = [f"{title} {found.counts[kind]}" for kind, title in KINDS.items() if kind in found.counts]
    console.print(
        f"{path}: nets {found.nets} of {found.nets_expected}, transistors {found.transistors} of "
        f"{found.transistors_expected}; {', '.join(wrong) or 'no findings'}\n"
        f"area per cell of the design: {drawing.cell_area * UM2:.4g} um2",
        markup=False,
    )
