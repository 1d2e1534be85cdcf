"""The ``layout:`` section of a design: the geometry that its array is drawn from."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from netlists.quantity import Length, PositiveLength
from netlists.section import Section

LayerName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Ring = Annotated[int, Field(ge=0, le=8, strict=True)]


class WordLine(Section):
    """A word line on the metal ``layer``. Half of ``spacing`` lies between it and its cell's edge on the source side:
    it is the distance of the word lines of mirror partners; that of others follows from the row pitch."""

    layer: LayerName
    width: PositiveLength
    spacing: PositiveLength


class BitLine(Section):
    """A bit line on the metal ``layer``, in the middle of its column; two are the column pitch less ``width`` apart."""

    layer: LayerName
    width: PositiveLength


class Extension(Section):
    """An arm of the floating gate, beside the transistor, that reaches ``length`` beyond the channel towards the
    near word line (see :func:`netlists.graph.near_row`)."""

    width: PositiveLength
    length: PositiveLength


class FloatingGate(Section):
    """The channel's rectangle, ``overhang`` wider than the channel at each end, and perhaps an extension."""

    overhang: Length
    extension: Extension | None = None


class Shield(Section):
    """Grounded lines between rows, ``width`` wide on the metal ``layer``, in the middle between their cells: between
    mirror partners in a mirrored array (other neighbours share their drains there), between all rows in a plain one."""

    layer: LayerName
    width: PositiveLength


class Layout(Section):
    """How the array is drawn; the channel's width and length are the design's ``cell``. ``stack``: a built-in process
    stack or a stack file. ``dummy_rows`` and ``dummy_columns``: how many are drawn around the array on each side."""

    stack: Annotated[str, Field(min_length=1, max_length=200)]
    row_pitch: PositiveLength
    column_pitch: PositiveLength
    word_line: WordLine
    bit_line: BitLine
    floating_gate: FloatingGate
    shield: Shield | None = None
    dummy_rows: Ring = 0
    dummy_columns: Ring = 0

    @model_validator(mode="after")
    def _lines_on_layers_of_their_own(self) -> Self:
        if self.bit_line.layer in (self.word_line.layer, self.shield.layer if self.shield else None):
            raise ValueError(f"bit_line.layer {self.bit_line.layer} is used by lines that cross it: choose another one")
        return self
