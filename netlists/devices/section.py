"""What a design's ``cell:`` section says of its transistor beyond type and size."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from netlists.devices.modelfile import check_path, read_library
from netlists.section import Section

DeviceName = Literal["generic", "sky130_1v8", "sky130_5v"]
Corner = Literal["tt", "ff", "ss", "fs", "sf"]
Word = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]


class ModelChoice(Section):
    """The designer's own transistor: a model ``name`` or a subcircuit ``subckt`` (nodes drain, gate, source, bulk;
    parameters ``w`` and ``l``) in ``file``, or in ``section`` of it. ``units`` are those of its lengths.

    ``file`` is relative to the design file, absolute once validated. ``sha256`` is the hash of its content and of all
    that it includes; a design file need not give it, a written one always does.
    """

    file: str = Field(min_length=1, max_length=4096)
    section: Word | None = None
    name: Word | None = None
    subckt: Word | None = None
    units: Literal["m", "um"] = "m"
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")

    @field_validator("file")
    @classmethod
    def _resolved(cls, file: str, info: ValidationInfo) -> str:
        folder = (info.context or {}).get("folder") or Path.cwd()
        path = str(Path(folder).absolute() / file)
        check_path(path, "")
        return path

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.name is None) == (self.subckt is None):
            raise ValueError("give either name (of a .model card) or subckt")
        if self.sha256 is None:
            object.__setattr__(self, "sha256", read_library(Path(self.file), self.section).sha256)
        return self


class Mismatch(Section):
    """Random deviations of every cell's transistor from the model, drawn once for the array with ``seed``.

    Normal, with standard deviations that fall with the square root of the gate's area (Pelgrom et al., IEEE JSSC 24,
    1989): ``threshold_mv_um`` / √(W·L) of the threshold voltage, in mV for lengths in µm, and
    ``current_factor_percent_um`` / √(W·L) of the current factor. They are those of one transistor; constants given for
    the difference of a pair are √2 larger. Left out, they are the device's (see ``docs/designers.md``).
    """

    seed: int = Field(ge=0, lt=2**63, strict=True)
    threshold_mv_um: float | None = Field(default=None, ge=0, le=1000)
    current_factor_percent_um: float | None = Field(default=None, ge=0, le=100)
