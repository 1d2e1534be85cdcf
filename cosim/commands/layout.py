"""``fgcosim layout``: the drawn array of a design as GDS, OASIS or a picture, and such files checked."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from cosim.commands.layout_check import check_layout
from cosim.errors import InputError
from netlists.designfile import load_design
from netlists.layout.drawing import Drawing, draw
from netlists.layout.files import FORMATS as LAYOUTS
from netlists.layout.files import write_layout
from netlists.layout.picture import FORMATS as PICTURES
from netlists.layout.picture import write_picture
from netlists.layout.rules import check
from surrogate.atomic import replacing


def layout(design: str, out: Path | None = None, check_file: Path | None = None) -> bool:
    """Draw ``design``'s array and check the stack's rules; write it to ``out`` (GDS, OASIS, SVG or PNG by its suffix)
    and print its area per cell; compare the layout file ``check_file`` with it and print the differences.

    Raises :class:`InputError` on a violated rule, too, and then writes nothing, and where ``check_file`` is another
    array's, or there is nothing to do.
    """
    if out is None and check_file is None:
        raise InputError("layout: nothing to do: name a file to write with --out or one to read with --check")
    kind = "" if out is None else _kind(out)
    drawing = drawn_and_checked(design)
    if out is not None:
        with replacing(out) as temporary:
            (write_layout if kind in LAYOUTS else write_picture)(drawing, temporary, kind)
        _print(drawing, out)
    if check_file is not None:
        check_layout(drawing, check_file)
    return True


def _kind(out: Path) -> str:
    """Format by the suffix of ``out``. Raises :class:`InputError` where it cannot be written."""
    kind = out.suffix.lower().removeprefix(".")
    if kind not in (*LAYOUTS, *PICTURES):
        suffixes = ", ".join(f".{name}" for name in (*LAYOUTS, *PICTURES))
        raise InputError(f"{out}: suffix {out.suffix or '(none)'} is none of {suffixes}: choose one")
    if not out.parent.is_dir() or out.is_dir():
        raise InputError(f"{out}: its folder does not exist or it is a folder: give a file name in an existing folder")
    return kind


def drawn_and_checked(design: str) -> Drawing:
    """The drawing of a design file or built-in design; a stack file's path is relative to the design file.

    Raises :class:`InputError` where it cannot be drawn or breaks a rule of its stack.
    """
    path = Path(design)
    try:
        drawing = draw(load_design(design), path.parent if path.is_file() else None)
        check(drawing)
    except InputError as error:
        message = str(error)
        raise InputError(message if message.startswith(design) else f"{design}: {message}") from None
    return drawing


def _print(drawing: Drawing, out: Path) -> None:
    design, layout, stack = drawing.design, drawing.layout, drawing.stack
    layers = ", ".join(f"{x.name} {x.gds}/0" for x in drawing.used)
    um2 = 1e12
    Console().print(
        f"{out}: {design.array.rows}x{design.array.columns} cells in {'mirrored' if design.array.mirrored else 'plain'}"
        f" rows, {drawing.rows}x{drawing.columns} drawn, stack {stack.name}\n"
        f"area per cell: {drawing.cell_area * um2:.4g} um2 ({layout.row_pitch * 1e6:g} um x "
        f"{layout.column_pitch * 1e6:g} um); drawn in all: {drawing.array_area * um2:.4g} um2\n"
        f"GDS layers (labels on datatype 10): {layers}",
        soft_wrap=True, highlight=False, markup=False,
    )  # fmt: skip
