"""Which way weights are held, validated."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from surrogate.analog.weights.ranges import RangeRule
from surrogate.strict import Strict


class Weights(Strict):
    """How weights meet cells. Raises ``ValueError`` for settings that contradict each other."""

    mapping: Literal["differential", "offset"] = "differential"
    """pairs of columns that are subtracted, or one column whose offset is"""
    sides: Literal["one", "two"] = "one"
    """of a pair: whether the side without the weight stays at weight zero's current, or both are programmed"""
    zero: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """level of weight zero on both sides of a pair with one side programmed: 0, the minimum current, is the
    proportional mapping"""
    reference: Literal["digital", "unit-cell"] = "digital"
    """how the offset of an offset column is known"""
    bits: Annotated[int, Field(ge=1, le=16)] | None = None
    """of a weight, sign included; None: not quantised"""
    slices: Annotated[int, Field(ge=1, le=4)] = 1
    """cells that the bits of a weight are spread over, on each side"""
    span: RangeRule = RangeRule()
    """up to which size weights are kept"""
    learned: bool = False
    """whether the ranges of weights and inputs are trained like weights"""
    nonlinearity: Annotated[float, Field(ge=-10, le=10)] = 0.0
    """ν of the curve of stored levels (:class:`surrogate.analog.weights.stored.StoredCurve`)"""
    asymmetry: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """by how much the levels of the negative side of a pair are lower"""

    @model_validator(mode="after")
    def _no_contradiction(self) -> Weights:
        offset, two = self.mapping == "offset", self.sides == "two"
        for key, wrong, remedy in (
            ("sides two", offset and two, "an offset column has one side: remove it or set mapping: differential"),
            ("asymmetry", offset and self.asymmetry > 0, "an offset column has one side: remove it"),
            ("zero", self.zero > 0 and (offset or two), "zero is already in the middle of the range: remove it"),
            ("zero", self.zero > 0 and self.slices > 1, "slices hold digits from the minimum current on: remove one"),
            ("reference", not offset and self.reference != "digital", "pairs need none: remove it"),
        ):
            if wrong:
                raise ValueError(f"{key}: {remedy}")
        self._check_slices()
        return self

    def _check_slices(self) -> None:
        if self.slices == 1:
            return
        if self.bits is None:
            raise ValueError(f"slices {self.slices} without bits: give the bits of a weight to spread over them")
        one_sided = self.mapping == "differential" and self.sides == "one"
        stored = self.bits - 1 if one_sided else self.bits
        if stored < self.slices:
            beside = " beside the sign" if one_sided else ""
            raise ValueError(f"slices {self.slices} of bits {self.bits}: more cells than the {stored} bits{beside}: "
                             "use fewer slices or more bits")  # fmt: skip

    @property
    def steps(self) -> int | None:
        """Steps that the sizes of weights are rounded to, 0 for signs alone; None: not quantised."""
        return None if self.bits is None else 2 ** (self.bits - 1) - 1
