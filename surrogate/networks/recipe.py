"""What a recipe says of its network."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from surrogate.strict import Strict

Width = Annotated[int, Field(ge=1, le=4096)]


class MlpRecipe(Strict):
    """:func:`surrogate.networks.mlp.mlp`."""

    kind: Literal["mlp"]
    sizes: Annotated[list[Width], Field(min_length=2, max_length=20)]


class LeNet5Recipe(Strict):
    """:func:`surrogate.networks.lenet5.lenet5`."""

    kind: Literal["lenet5"]
    pooling: Literal["max", "average"] = "max"


class VggRecipe(Strict):
    """:func:`surrogate.networks.vgg.vgg`."""

    kind: Literal["vgg"]
    widths: Annotated[list[Width | Literal["pool"]], Field(min_length=1, max_length=40)]

    @model_validator(mode="after")
    def _some_convolution(self) -> VggRecipe:
        if all(width == "pool" for width in self.widths):
            raise ValueError("no convolution in it: give the number of maps of one")
        return self


NetworkRecipe = Annotated[MlpRecipe | LeNet5Recipe | VggRecipe, Field(discriminator="kind")]
