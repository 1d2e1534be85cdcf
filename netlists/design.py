"""The design of a floating-gate array: every number a netlist needs, immutable and validated.

All values are SI floats once parsed; in a design file each carries its unit (see :mod:`netlists.quantity`).
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from netlists.devices.section import Corner, DeviceName, Mismatch, ModelChoice
from netlists.layout.section import Layout
from netlists.parasitics.section import Parasitics
from netlists.quantity import (
    Capacitance,
    Level,
    PositiveCapacitance,
    PositiveCurrent,
    PositiveLength,
    PositiveResistance,
    PositiveTime,
    PositiveVoltage,
    Resistance,
    Temperature,
)
from netlists.resistive import MOST_BENT, ResistiveCell
from netlists.section import Section

LEAST_OHMS = 0.01
"""Smallest wire, driver or switch resistance beside zero."""


class Array(Section):
    """Size and arrangement. ``mirrored``: rows come in pairs (0,1), (2,3), … that face each other, so that the
    *near* neighbour of an even row is the next word line and that of an odd row the previous one. In a plain array
    the near neighbour is always the next word line. ``idle``: cells of idle word lines stay ``clamped`` between two
    lines of equal voltage, or an access device leaves them ``disconnected`` (resistive cells)."""

    rows: int = Field(ge=1, le=4096, strict=True)
    columns: int = Field(ge=1, le=4096, strict=True)
    mirrored: bool = Field(default=True, strict=True)
    idle: Literal["clamped", "disconnected"] = "clamped"


class MosCell(Section):
    """A floating-gate transistor, source on its word line, drain on its bit line.

    ``channel`` n: clamp and idle word lines at the read voltage, active word line at 0. p: the reverse. The transistor
    is a built-in ``device`` (generic 180-nm class, or one of sky130's) in a process ``corner``, n-channel first, or
    the designer's own ``model``. ``mismatch`` lets every cell of the array deviate from it.
    """

    kind: Literal["mos"] = "mos"
    channel: Literal["n", "p"] = "n"
    width: PositiveLength
    length: PositiveLength
    device: DeviceName = "generic"
    corner: Corner = "tt"
    model: ModelChoice | None = None
    mismatch: Mismatch | None = None

    @model_validator(mode="after")
    def _one_device(self) -> Self:
        if self.model is not None and self.device != "generic":
            raise ValueError(f"device {self.device} and a model of your own: give one of them")
        if self.model is not None and self.corner != "tt":
            raise ValueError("the corner of a model of your own is its section: set model.section, remove corner")
        return self

    @model_serializer(mode="wrap")
    def _without_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        """What is left at its default is left out, so that choices added later change no design's hash."""
        later = {"device": "generic", "corner": "tt", "model": None, "mismatch": None}
        return {key: value for key, value in handler(self).items() if key not in later or value != later[key]}


class Coupling(Section):
    """Capacitances of one floating gate, in farad, to what is around it (beside the transistor's own)."""

    own_word_line: Capacitance
    near_word_line: Capacitance
    far_word_line: Capacitance
    second_word_line: Capacitance
    bit_line: Capacitance
    floating_gate_same_row: Capacitance
    floating_gate_same_column: Capacitance
    substrate: PositiveCapacitance


class Wires(Section):
    """Per-segment resistance and capacitance of the lines, and what drives and reads them."""

    word_line_resistance: Resistance
    bit_line_resistance: Resistance
    word_line_capacitance: Capacitance
    bit_line_capacitance: Capacitance
    word_line_pair_capacitance: Capacitance
    bit_line_pair_capacitance: Capacitance
    crossing_capacitance: Capacitance
    driver_resistance: PositiveResistance
    switch_resistance: PositiveResistance

    @model_validator(mode="after")
    def _not_lost_in_rounding(self) -> Self:
        for name in ("word_line_resistance", "bit_line_resistance", "driver_resistance", "switch_resistance"):
            if 0 < getattr(self, name) < LEAST_OHMS:
                raise ValueError(
                    f"{name} {getattr(self, name):g} ohm is so small that a volt's rounding error across it exceeds "
                    f"leakage currents: give at least {LEAST_OHMS:g} ohm (a segment may have 0 ohm)"
                )
        return self


class Read(Section):
    """Read conditions. Pulses all start together; a duration is 0 or in [``t_edge``, ``t_max``]."""

    voltage: PositiveVoltage
    t_max: PositiveTime
    t_edge: PositiveTime
    bits: int = Field(ge=1, le=16, strict=True)
    temperature: Temperature

    @model_validator(mode="after")
    def _edge_fits(self) -> Self:
        if self.t_edge > self.t_max / (2**self.bits - 1):
            raise ValueError(
                f"t_edge {self.t_edge:g} s is longer than the shortest pulse t_max/(2^bits-1) = "
                f"{self.t_max / (2**self.bits - 1):g} s: shorten t_edge, lengthen t_max or lower bits"
            )
        return self


class Weights(Section):
    """Range of the cells' one-hot read currents that the array is programmed to."""

    current_min: PositiveCurrent
    current_max: PositiveCurrent

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.current_min >= self.current_max:
            raise ValueError("current_min is not below current_max: swap or correct them")
        return self


class Levels(Section):
    """What cross-validation must reach for a surrogate to be usable."""

    ser: Level = 45.0
    ser_centred: Level = 40.0
    ser_worst_column: Level = 40.0
    median_cell_error: Annotated[float, Field(gt=0, le=1, strict=True)] = 0.02


class Design(Section):
    """A whole design. ``parasitics`` is an extracted file that stands for wires and coupling of the whole array, whose
    means ``coupling`` and ``wires`` then are (:mod:`netlists.parasitics.uniform`).

    ``notes`` is free text (assumptions, sources) and ``layout`` the geometry to draw and to extract
    from; both are carried along but not hashed: a circuit is decided by ``coupling`` and ``wires``, whether they were
    extracted from a layout or written down."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    notes: str = ""
    array: Array
    cell: Annotated[MosCell | ResistiveCell, Field(discriminator="kind")]
    coupling: Coupling
    wires: Wires
    read: Read
    weights: Weights
    levels: Levels = Levels()
    layout: Layout | None = None
    parasitics: Parasitics | None = None

    @model_validator(mode="after")
    def _cell_fits(self) -> Self:
        """What an array of this kind can and cannot have."""
        cell, disconnected = self.cell, self.array.idle == "disconnected"
        if isinstance(cell, MosCell):
            if disconnected:
                raise ValueError("array.idle disconnected: a floating-gate cell is its own switch: set it to clamped")
            return self
        if disconnected and cell.access_resistance is None:
            raise ValueError("array.idle disconnected: cell.access_resistance is missing: give the access device's")
        if not disconnected and cell.access_resistance is not None:
            raise ValueError("cell.access_resistance: array.idle is clamped: set it to disconnected or remove this")
        if cell.sinh_voltage is not None and self.read.voltage > MOST_BENT * cell.sinh_voltage:
            raise ValueError(
                f"cell.sinh_voltage {cell.sinh_voltage:g} V is below a {MOST_BENT:g}th of read.voltage: raise it"
            )
        ratio = self.weights.current_max / self.weights.current_min
        if cell.on_off_ratio is not None and ratio > cell.on_off_ratio * (1 + 1e-9):
            raise ValueError(
                f"cell.on_off_ratio {cell.on_off_ratio:g}: weights.current_max / current_min is {ratio:g}: raise "
                "current_min or the ratio"
            )
        return self

    @property
    def hash(self) -> str:
        """SHA-256 of everything that decides a simulation; name, notes, pass levels, the drawn layout and noise
        do not."""
        body = self.model_dump(mode="json", exclude={"name", "notes", "levels", "layout", "parasitics"})
        if self.parasitics is not None:  # where its file lies does not matter, what is in it does
            body["parasitics"] = self.parasitics.model_dump(mode="json", exclude={"file"})
        body["cell"].pop("read_noise", None)
        if isinstance(self.cell, MosCell) and self.cell.model is not None:
            del body["cell"]["model"]["file"]
        return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()

    @property
    def v_idle(self) -> float:
        """Voltage of an idle word line and of the bit-line clamp, V."""
        return self.read.voltage if self._pulls_down else 0.0

    @property
    def v_active(self) -> float:
        """Voltage of an active word line, V."""
        return 0.0 if self._pulls_down else self.read.voltage

    @property
    def v_bulk(self) -> float:
        """Voltage of the transistors' bulk, V: that of the highest line for p-channel cells."""
        return self.read.voltage if isinstance(self.cell, MosCell) and self.cell.channel == "p" else 0.0

    @property
    def _pulls_down(self) -> bool:
        return isinstance(self.cell, ResistiveCell) or self.cell.channel == "n"

    @property
    def nominal(self) -> Design:
        """The same design with all cells alike: without mismatch."""
        if isinstance(self.cell, ResistiveCell) or self.cell.mismatch is None:
            return self
        return self.model_copy(update={"cell": self.cell.model_copy(update={"mismatch": None})})

    def resized(self, rows: int, columns: int) -> Design:
        """The same cells in an array of another size, with uniform wires and coupling; of the same size, this one."""
        if (rows, columns) == (self.array.rows, self.array.columns):
            return self
        array = self.array.model_copy(update={"rows": rows, "columns": columns})
        return self.model_copy(update={"array": array, "parasitics": None})
