"""Layout files: the drawn array as GDS or OASIS, and such files read.

Every conducting layer and cut of the stack has its GDS layer number, datatype 0. Net names are texts on the same
number with datatype 10, at both ends of every line and on every floating gate. The database unit is 1 nm. The top
cell ``ARRAY`` holds instances (arrays of them) of ``CELL``, the names and the shield lines.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import klayout.db as db

from netlists.errors import InputError
from netlists.layout.cell import Steps
from netlists.layout.drawing import MAX_CELLS, Drawing
from netlists.layout.vetting import TOO_MUCH, vet
from netlists.stack import Stack

SHAPES, LABELS = 0, 10
"""GDS datatypes."""

DBU_UM = 0.001
MAX_FILE_BYTES = 128_000_000
"""Of a file that is read; one of :data:`~netlists.layout.drawing.MAX_CELLS` cells takes less than 20 MB."""
UNVETTED_BYTES = 16_000
"""An OASIS file of up to this size is read at once: two seconds, whatever its blocks unpack to."""
MAX_SHAPES = 32 * MAX_CELLS
"""Of a file that is read, twice what so many cells are drawn with."""
_GDS_START, _OASIS_START = b"\x00\x06\x00\x02", b"%SEMI-OASIS"
FORMATS = {"gds": "GDS2", "oas": "OASIS"}


def to_klayout(drawing: Drawing) -> db.Layout:
    """``drawing`` as a layout of klayout, with instances of one cell."""
    layout = db.Layout()
    layout.dbu = DBU_UM
    scale = round(drawing.stack.grid * 1e9)
    top, cell = layout.create_cell("ARRAY"), layout.create_cell("CELL")
    for piece in drawing.cell.pieces:
        cell.shapes(layer_index(layout, drawing.stack, piece.layer)).insert(_box(piece.box, scale))
    _place(drawing, top, cell, scale)
    for net, box in drawing.shields():
        assert drawing.layout.shield is not None
        top.shapes(layer_index(layout, drawing.stack, drawing.layout.shield.layer)).insert(_box(box, scale))
        _label(layout, top, drawing, drawing.layout.shield.layer, net, box, scale)
    _names(drawing, layout, top, scale)
    return layout


def write_layout(drawing: Drawing, path: Path, kind: str) -> None:
    """Write ``drawing`` to ``path``; ``kind`` is one of :data:`FORMATS`. Two writings are the same bytes."""
    options = db.SaveLayoutOptions()
    options.format = FORMATS[kind]
    options.gds2_write_timestamps = False
    to_klayout(drawing).write(str(path), options)


def read_layout(path: Path, stack: Stack) -> db.Layout:
    """The layout file ``path`` (GDS, OASIS) of one top cell, with the shapes and labels on the layers of ``stack``.

    Raises :class:`InputError` where it is unreadable or too large, has several top cells or another database unit
    than 1 nm, or lacks poly or metals.
    """
    layers = [f"{x.gds}/{datatype}" for x in stack.drawn for datatype in (SHAPES, LABELS)]
    if _start(path) == _OASIS_START and path.stat().st_size > UNVETTED_BYTES:
        vet(path, layers)
    layout = load_bounded(path, layers)
    for layer in (stack.poly, *stack.metals[:1]):
        index = layout.find_layer(layer.gds, SHAPES)
        if index is None or layout.top_cell().bbox(index).empty():
            raise InputError(
                f"{path}: has no shapes on GDS layer {layer.gds}/{SHAPES}, the {layer.name} of stack {stack.name}: "
                "export it with the layer numbers of the stack, or write a stack file with its own"
            )
    return layout


def load_bounded(path: Path, layers: Iterable[str]) -> db.Layout:
    """The ``layers`` (``NUMBER/DATATYPE``) of the layout file ``path``, of at most :data:`MAX_SHAPES` shapes.

    Raises :class:`InputError` as :func:`read_layout` does, but for layers that are missing.
    """
    options = db.LoadLayoutOptions()
    chosen = db.LayerMap()
    for k, layer in enumerate(layers):
        chosen.map(layer, k)
    options.set_layer_map(chosen, False)
    layout = db.Layout(False)  # not editable: repeated shapes take the room of one
    start = _start(path)
    if start != _OASIS_START and start[:4] != _GDS_START:
        raise InputError(f"{path}: starts neither as GDS nor as OASIS: give such a file, uncompressed")
    try:
        layout.read(str(path), options)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:160]
        if "bad_alloc" in reason:
            raise InputError(f"{path}: {TOO_MUCH}") from None
        raise InputError(f"{path}: cannot be read as a layout: {reason}: give a GDS or OASIS file") from None
    if len(layout.top_cells()) != 1:
        names = ", ".join(cell.name for cell in layout.top_cells()[:5])
        raise InputError(f"{path}: has {len(layout.top_cells())} top cells ({names}): export one")
    if abs(layout.dbu / DBU_UM - 1) > 1e-6:
        raise InputError(f"{path}: has a database unit of {layout.dbu * 1e3:.4g} nm: export it with one of 1 nm")
    if _shapes(layout) > MAX_SHAPES:
        raise InputError(f"{path}: has more than {MAX_SHAPES} shapes: export the array alone, or check a smaller one")
    return layout


def _start(path: Path) -> bytes:
    """First bytes of a file that may be a layout."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > MAX_FILE_BYTES:
                raise InputError(f"{path}: larger than {MAX_FILE_BYTES} bytes: export the array alone")
            return file.read(len(_OASIS_START))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def _shapes(layout: db.Layout) -> int:
    """Shapes and labels under the top cell, with all instances counted."""
    count = dict[int, int]()
    for index in layout.each_cell_bottom_up():
        cell = layout.cell(index)
        own = sum(cell.shapes(layer).size() for layer in layout.layer_indexes())
        count[index] = own + sum(inst.cell_inst.size() * count[inst.cell_index] for inst in cell.each_inst())
    return count[layout.top_cell().cell_index()]


def layer_index(layout: db.Layout, stack: Stack, name: str, datatype: int = SHAPES) -> int:
    """klayout's index of the layer or cut ``name``."""
    number = next(x.gds for x in stack.drawn if x.name == name)
    return layout.layer(db.LayerInfo(number, datatype, f"{name}.label" if datatype == LABELS else name))


def region(layout: db.Layout, stack: Stack, name: str) -> db.Region:
    """All shapes of the layer or cut ``name`` under the top cell, merged."""
    shapes = db.Region(layout.top_cell().begin_shapes_rec(layer_index(layout, stack, name)))
    return shapes.merged()


def _place(drawing: Drawing, top: db.Cell, cell: db.Cell, scale: int) -> None:
    """Arrays of instances: one, or one of the turned rows and one of the others."""
    width, height = drawing.cell.width * scale, drawing.cell.height * scale
    step = 2 if drawing.design.array.mirrored else 1
    for first in range(min(step, drawing.rows)):
        turn = drawing.turned(first)
        origin = db.Vector(width if turn else 0, (first + turn) * height)
        top.insert(
            db.CellInstArray(
                cell.cell_index(), db.Trans(2 if turn else 0, False, origin), db.Vector(width, 0),
                db.Vector(0, step * height), drawing.columns, len(range(first, drawing.rows, step)),
            )
        )  # fmt: skip


def _names(drawing: Drawing, layout: db.Layout, top: db.Cell, scale: int) -> None:
    boxes = {piece.part: (piece.layer, piece.box) for piece in drawing.cell.pieces}
    word_layer, word_line = boxes["word_line"]
    bit_layer, bit_line = boxes["bit_line"]
    gate_layer, gate = boxes["floating_gate"]
    for p in range(drawing.rows):
        for q in dict.fromkeys((0, drawing.columns - 1)):
            _label(layout, top, drawing, word_layer, drawing.word_line(p), drawing.placed(word_line, p, q), scale)
    for q in range(drawing.columns):
        for p in dict.fromkeys((0, drawing.rows - 1)):
            _label(layout, top, drawing, bit_layer, drawing.bit_line(q), drawing.placed(bit_line, p, q), scale)
    for p in range(drawing.rows):
        for q in range(drawing.columns):
            _label(layout, top, drawing, gate_layer, drawing.floating_gate(p, q), drawing.placed(gate, p, q), scale)


def _label(layout: db.Layout, top: db.Cell, drawing: Drawing, layer: str, net: str, box: Steps, scale: int) -> None:
    middle = db.Trans((box[0] + box[2]) * scale // 2, (box[1] + box[3]) * scale // 2)
    top.shapes(layer_index(layout, drawing.stack, layer, LABELS)).insert(db.Text(net, middle))


def _box(box: Steps, scale: int) -> db.Box:
    return db.Box(*(step * scale for step in box))
