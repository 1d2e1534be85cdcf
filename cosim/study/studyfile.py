"""Study files: YAML in, :class:`Study` out, errors that name file, line, key and remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from cosim.campaigns.plan import MAX_RUNS, PlanSize
from cosim.errors import InputError
from cosim.study.parameters import Programming, Source
from netlists.design import Design
from netlists.designfile import builtin_names, load_design, parse_yaml, read_text
from netlists.section import Section
from surrogate.training.comparison import ComparisonRecipe

MAX_POINTS = 1000
"""Of a study."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.=+-]{0,79}$")]
Changes = dict[str, Any]
"""Values, written as in a design file, by the dotted paths of parameters."""
_Count = Annotated[int, Field(ge=1, le=MAX_RUNS, strict=True)]
_CountOrNone = Annotated[int, Field(ge=0, le=MAX_RUNS, strict=True)]
_Rate = Annotated[float, Field(gt=0, le=10)]


class NamedPoint(Section):
    """One variant: its name, which is its folder's, too, and what it changes."""

    name: Name
    set: Changes = Field(default_factory=dict)


class Network(Section):
    """Networks that are deployed and retrained at every point: how many ``seeds`` (0: none, cross-validation alone),
    and the epochs and rates of :class:`surrogate.training.comparison.ComparisonRecipe`."""

    seeds: Annotated[int, Field(ge=0, le=100, strict=True)] = 2
    software_epochs: _Count = ComparisonRecipe.software_epochs
    retraining_epochs: _Count = ComparisonRecipe.retraining_epochs
    software_rate: _Rate = ComparisonRecipe.software_rate
    retraining_rate: _Rate = ComparisonRecipe.retraining_rate

    @property
    def recipe(self) -> ComparisonRecipe:
        """For :mod:`surrogate.training`."""
        return ComparisonRecipe(**self.model_dump(exclude={"seeds"}))


class Campaign(Section):
    """SPICE runs of every point, by what they are for (:class:`cosim.campaigns.plan.PlanSize`)."""

    fit: _Count = PlanSize.fit
    fit_matrices: _Count = PlanSize.fit_matrices
    patterns: _Count = PlanSize.patterns
    weights: _Count = PlanSize.weights
    network: _CountOrNone = PlanSize.network

    @property
    def size(self) -> PlanSize:
        """For :mod:`cosim.campaigns.plan`."""
        return PlanSize(**self.model_dump())


class Study(Section):
    """A study: the ``base`` design (a file beside the study's, or a built-in one) with the changes ``set``, and its
    variants, either every combination of ``grid`` or the named ``points``."""

    name: Name
    notes: str = ""
    base: str = Field(default="default", min_length=1, max_length=1000)
    set: Changes = Field(default_factory=dict)
    grid: dict[str, Annotated[list[Any], Field(min_length=2)]] | None = None
    points: Annotated[list[NamedPoint], Field(min_length=1)] | None = None
    extraction: Source = "field"
    programming: Programming = "each"
    network: Network = Network()
    campaign: Campaign = Campaign()

    @model_validator(mode="after")
    def _grid_or_points(self) -> Self:
        if (not self.grid) == (self.points is None):
            raise ValueError("give either a grid: (lists of values by parameter) or points: (a list with names)")
        return self


def load_study(path: Path) -> Study:
    """The study in the file ``path``. Raises :class:`InputError` naming file, line, key and remedy."""
    if not path.is_file():
        raise InputError(f"{path}: no such study file: see docs/studies.md for one")
    return parse_yaml(read_text(path, "study"), str(path), Study, "study")


def load_base(study: Study, folder: Path) -> tuple[Design, Path]:
    """The study's base design, and the folder that the files it names lie in: its own, or for a built-in design
    ``folder``, the study's, to which a design file's path is relative, too.

    Raises :class:`InputError` as :func:`netlists.designfile.load_design` does.
    """
    path = folder / study.base
    if path.is_file() or study.base not in builtin_names():
        return load_design(path), path.parent
    return load_design(study.base), folder
