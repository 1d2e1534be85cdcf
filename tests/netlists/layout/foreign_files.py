"""Layout files that nobody should draw: small ones that stand for far too much."""

from __future__ import annotations

import zlib
from pathlib import Path

import klayout.db as db


def nested_arrays(path: Path, levels: int = 3) -> Path:
    """Arrays of arrays: 9e8 to the power of ``levels`` squares on poly and metal1 in 500 bytes."""
    layout = db.Layout()
    cell = layout.create_cell("C0")
    for number in (2, 4):
        cell.shapes(layout.layer(number, 0)).insert(db.Box(0, 0, 10, 10))
    for level in range(levels):
        outer = layout.create_cell(f"C{level + 1}")
        steps = db.Vector(20, 0), db.Vector(0, 20)
        outer.insert(db.CellInstArray(cell.cell_index(), db.Trans(), *steps, 30000, 30000))
        cell = outer
    layout.write(str(path))
    return path


def oasis(body: bytes) -> bytes:
    """An OASIS file of one cell ``TOP`` with the records ``body``."""
    head = b"%SEMI-OASIS\r\n\x01\x031.0\x00" + unsigned(1000) + bytes(13) + b"\x0e\x03TOP"
    return head + body + b"\x02" + unsigned(252) + bytes(252) + b"\x00"


def repeated(columns: int, rows: int) -> bytes:
    """OASIS: one square on poly and on metal1, repeated."""
    counts = unsigned(columns) + unsigned(rows)
    return oasis(b"".join(
        b"\x14\x7f" + unsigned(layer) + bytes(1) + b"\x0a\x0a" + bytes(2) + b"\x01" + counts + b"\x14\x14"
        for layer in (2, 4)
    ))  # fmt: skip


def compressed(squares: int) -> bytes:
    """OASIS: ``squares`` on poly in a compressed block."""
    record = b"\x14\x7b\x02\x00\x0a\x0a\x00\x00"
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = deflate.compress(record * squares) + deflate.flush()
    return oasis(b"\x22\x00" + unsigned(len(record) * squares) + unsigned(len(packed)) + packed)


def unsigned(value: int) -> bytes:
    """An unsigned number of OASIS."""
    return bytes([value & 127 | 128]) + unsigned(value >> 7) if value > 127 else bytes([value])
