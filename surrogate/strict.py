"""What every part of a recipe is: immutable, without unknown keys, without values of other types than asked for."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A part of a recipe."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
