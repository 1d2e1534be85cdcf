"""The process stack of a layout: conducting layers, the cuts that join them, and the minimum rules of each.

A stack file is YAML in which every quantity carries its unit, as in a design file. Heights are measured from the
surface of the substrate, a grounded plane at z = 0; the dielectric above it is uniform.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from netlists.designfile import parse_yaml, read_text
from netlists.errors import InputError
from netlists.quantity import Coordinate, Length, PositiveLength, Resistance
from netlists.section import Section

VACUUM_PERMITTIVITY = 8.8541878128e-12
"""F/m (CODATA 2018)."""

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
GdsNumber = Annotated[int, Field(ge=0, le=255, strict=True)]


class Drawn(Section):
    """What has shapes: they are on GDS layer ``gds``, datatype 0, and labels on datatype 10."""

    name: Name
    gds: GdsNumber


class Layer(Drawn):
    """A conducting layer. ``height``: z of its lower face, m (a diffusion lies below 0, in the substrate);
    ``sheet_resistance`` in ohm per square; widths and spacings are the smallest drawn ones, m."""

    kind: Literal["diffusion", "poly", "metal"]
    height: Coordinate
    thickness: PositiveLength
    sheet_resistance: Resistance
    min_width: PositiveLength
    min_spacing: PositiveLength

    @property
    def top(self) -> float:
        """z of the upper face, m."""
        return self.height + self.thickness


class Enclosure(Section):
    """``layer`` must reach at least ``distance`` beyond a cut on all sides."""

    layer: Name
    distance: Length


class Cut(Drawn):
    """A square contact or via of side ``size`` and ``resistance`` ohm, from the top of any of the ``lower`` layers to
    the bottom of the ``upper`` one."""

    lower: tuple[Name, ...] = Field(min_length=1)
    upper: Name
    size: PositiveLength
    resistance: Resistance
    min_spacing: PositiveLength
    enclosures: tuple[Enclosure, ...]

    def enclosure(self, layer: str) -> float:
        """How far ``layer`` must reach beyond the cut, m; 0 without a rule."""
        return next((e.distance for e in self.enclosures if e.layer == layer), 0.0)


class Transistor(Section):
    """Rules of gates, m: ``contact_to_gate``: from a contact on diffusion to the gate; ``gate_end``: how far the
    gate reaches beyond the channel; ``poly_to_diffusion``: from a gate layer's shape to diffusion it does not cross."""

    contact_to_gate: PositiveLength
    gate_end: PositiveLength
    poly_to_diffusion: PositiveLength


class Stack(Section):
    """A whole stack; ``permittivity`` is relative, ``grid`` the step of drawn coordinates in m."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    notes: str = ""
    permittivity: Annotated[float, Field(ge=1, le=100, strict=True)]
    grid: PositiveLength
    layers: tuple[Layer, ...] = Field(min_length=1)
    cuts: tuple[Cut, ...]
    transistor: Transistor

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if abs(self.grid * 1e9 - round(self.grid * 1e9)) > 1e-6 or self.grid < 0.5e-9:
            raise ValueError(f"grid {self.grid * 1e9:g} nm is no whole number of nanometres: files could not hold it")
        for key in ("name", "gds"):
            values = [getattr(x, key) for x in self.drawn]
            twice = next((v for v in values if values.count(v) > 1), None)
            if twice is not None:
                raise ValueError(f"two layers or cuts have the {key} {twice!r}: give each its own")
        known = {layer.name: layer for layer in self.layers}
        for kind in ("diffusion", "poly"):
            if sum(layer.kind == kind for layer in self.layers) != 1:
                raise ValueError(f"layers: exactly one must be of kind {kind}")
        for cut in self.cuts:
            for name in (*cut.lower, cut.upper, *(e.layer for e in cut.enclosures)):
                if name not in known:
                    raise ValueError(f"cut {cut.name}: no layer is named {name!r}: name one of {', '.join(known)}")
            for name in cut.lower:
                if known[name].top >= known[cut.upper].height:
                    raise ValueError(f"cut {cut.name}: {name} does not end below {cut.upper}: correct their heights")
        return self

    @property
    def hash(self) -> str:
        """SHA-256 of everything but name and notes."""
        body = self.model_dump(mode="json", exclude={"name", "notes"})
        return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()

    @property
    def drawn(self) -> tuple[Layer | Cut, ...]:
        """Layers and cuts."""
        return (*self.layers, *self.cuts)

    @property
    def epsilon(self) -> float:
        """Permittivity of the dielectric, F/m."""
        return self.permittivity * VACUUM_PERMITTIVITY

    @property
    def diffusion(self) -> Layer:
        """The layer of sources and drains."""
        return next(layer for layer in self.layers if layer.kind == "diffusion")

    @property
    def poly(self) -> Layer:
        """The layer of the floating gates."""
        return next(layer for layer in self.layers if layer.kind == "poly")

    @property
    def metals(self) -> tuple[Layer, ...]:
        """The metals, in the order of the file."""
        return tuple(layer for layer in self.layers if layer.kind == "metal")

    def layer(self, name: str) -> Layer:
        """The conducting layer ``name``. Raises :class:`InputError` without one."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise InputError(f"stack {self.name}: no layer is named {name!r}: {', '.join(x.name for x in self.layers)} are")

    def cut(self, name: str) -> Cut:
        """The cut ``name``. Raises :class:`InputError` without one."""
        for cut in self.cuts:
            if cut.name == name:
                return cut
        raise InputError(f"stack {self.name}: no cut is named {name!r}: {', '.join(x.name for x in self.cuts)} are")

    def extent(self, name: str, lower: str | None = None) -> tuple[float, float]:
        """z of lower and upper face in m of a layer or a cut; a cut stands on its layer ``lower`` (its first one)."""
        for layer in self.layers:
            if layer.name == name:
                return layer.height, layer.top
        cut = self.cut(name)
        return self.layer(lower or cut.lower[0]).top, self.layer(cut.upper).height


def builtin_stacks() -> list[str]:
    """Names of the stacks that come with the package."""
    folder = resources.files("netlists") / "stacks"
    return sorted(p.name.removesuffix(".yaml") for p in folder.iterdir() if p.name.endswith(".yaml"))


@cache
def _builtin(name: str) -> Stack:
    text = (resources.files("netlists") / "stacks" / f"{name}.yaml").read_text(encoding="utf-8")
    return parse_stack(text, f"{name}.yaml")


def load_stack(source: str, folder: Path | None = None) -> Stack:
    """The built-in stack ``source``, or the one in that file, a path relative to ``folder`` (or the working folder).

    Raises :class:`InputError` naming file, line, key and remedy.
    """
    if source in builtin_stacks():
        return _builtin(source)
    path = (folder or Path()) / source
    if path.suffix != ".yaml" or not path.is_file():
        raise InputError(
            f"stack: {source!r} is neither a stack file (*.yaml) nor one of the built-in {', '.join(builtin_stacks())}"
        )
    return parse_stack(read_text(path, "stack"), str(path))


def parse_stack(text: str, origin: str) -> Stack:
    """The stack in YAML ``text``; ``origin`` names it in errors. Raises :class:`InputError` on anything else."""
    return parse_yaml(text, origin, Stack, "stack")
