"""How the layers of a network sit on arrays: settings for all layers, and for some by name."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as Dictionary
from dataclasses import asdict, dataclass, fields, replace
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from pydantic import BaseModel

from surrogate.analog.converter import Converter
from surrogate.analog.pulses import WHOLE_WIDTH
from surrogate.analog.weights import RangeRule, Weights
from surrogate.effects.effect import Effect, OnCharges, OnCodes, OnCurrents, OnStates, OnWidths
from surrogate.errors import InputError
from surrogate.mapping import CurrentRange
from surrogate.validation import first_error

MOST_ROWS = MOST_COLUMNS = 4096
MOST_BITS = MOST_SPACING = 16
SPANS = ("layer", "column", "tile")
SIGNED_AS = ("phases", "offset")

PROPORTIONAL, WHOLE_CHARGE = Weights(), Converter()

Part = TypeVar("Part", bound=BaseModel)


@dataclass(frozen=True)
class LayerSettings:
    """How one layer sits on arrays. Raises :class:`InputError` for values that no array can have."""

    rows: int
    """word lines of an array, 1 … 4096"""
    columns: int
    """bit lines of an array, 2 … 4096; even for differential pairs"""
    bits: int
    """resolution of the pulse widths, 1 … 16"""
    currents: CurrentRange
    """lowest and highest one-hot read current of a cell, A; high over low is the on/off ratio"""
    signed: bool = False
    """whether inputs may be negative"""
    signed_as: str = "phases"
    """how negative inputs are shown: positive and negative ones in a VMM each, subtracted digitally (``phases``), or
    zero as half the pulse width (``offset``)"""
    converter_bits: int | None = None
    """resolution of the converter of each column's charge, 1 … 16; None: ideal"""
    span: str = "layer"
    """what shares one range of weights: the whole ``layer``, each output (``column``) or array (``tile``) of its own"""

    spacing: int = 1
    """word lines from one input to the next, 1 … 16: with 2, an idle one lies between any two, so that the inputs of a
    layer are no neighbours, for twice the word lines"""
    products: tuple[int, int, int] | None = None
    """terms of the current, of the drop, and time slots in the engine's expansion (``surrogate.fast.engine``): fewer
    are faster, (2, 1, 1) for training; None: what suits the array's size"""

    weights: Weights = PROPORTIONAL
    """how cells hold weights"""
    inputs: RangeRule = WHOLE_WIDTH
    """which inputs take the whole pulse width; larger ones saturate"""
    converter: Converter = WHOLE_CHARGE
    """what is converted, and over which range"""
    verified: bool = True
    """whether cells are programmed until they show their current within their array, wires and neighbours included, or
    so that they would show it alone"""
    effects: tuple[Effect, ...] = ()
    """what else the hardware does (:mod:`surrogate.effects`), in order"""

    @property
    def on_currents(self) -> list[OnCurrents]:
        """Those of :attr:`effects` that act on currents."""
        return [effect for effect in self.effects if isinstance(effect, OnCurrents)]

    @property
    def on_states(self) -> list[OnStates]:
        """Those of :attr:`effects` that act on stored states."""
        return [effect for effect in self.effects if isinstance(effect, OnStates)]

    @property
    def on_widths(self) -> list[OnWidths]:
        """Those of :attr:`effects` that act on pulse widths."""
        return [effect for effect in self.effects if isinstance(effect, OnWidths)]

    @property
    def on_charges(self) -> list[OnCharges]:
        """Those of :attr:`effects` that act on charges."""
        return [effect for effect in self.effects if isinstance(effect, OnCharges)]

    @property
    def on_codes(self) -> list[OnCodes]:
        """Those of :attr:`effects` that act on what converters see."""
        return [effect for effect in self.effects if isinstance(effect, OnCodes)]

    @property
    def shows_columns(self) -> bool:
        """Whether every column's charge counts by itself: a converter or an effect sees it."""
        return bool(self.converter_bits is not None or self.on_widths or self.on_charges or self.on_codes)

    def __post_init__(self) -> None:
        tile = f"tile {self.rows}x{self.columns}"
        _whole("rows", self.rows, 1, MOST_ROWS, tile)
        _whole("columns", self.columns, 2, MOST_COLUMNS, tile)
        if self.columns % 2 and self.weights.mapping == "differential":
            raise InputError(f"{tile}: columns {self.columns} is odd: differential pairs need an even number")
        _whole("bits", self.bits, 1, MOST_BITS, "pulse widths")
        _whole("spacing", self.spacing, 1, min(MOST_SPACING, self.rows), tile)
        if self.converter_bits is not None:
            _whole("converter_bits", self.converter_bits, 1, MOST_BITS, "converter")
        if not isinstance(self.currents, CurrentRange):
            raise InputError(f"currents {self.currents!r}: give a CurrentRange, or [low, high] in A")
        if not isinstance(self.signed, bool):
            raise InputError(f"signed {self.signed!r}: give true or false")
        if self.span not in SPANS:
            raise InputError(f"span {self.span!r}: give one of {', '.join(SPANS)}")
        if self.signed_as not in SIGNED_AS:
            raise InputError(f"signed_as {self.signed_as!r}: give one of {', '.join(SIGNED_AS)}")
        if self.signed and self.signed_as == "offset" and self.bits < 2:
            raise InputError("signed_as offset: pulse widths of bits 1 cannot show zero: give at least 2 or use phases")
        if self.converter.of == "pair" and self.weights.mapping != "differential":
            raise InputError("converter.of pair: an offset column is no pair: convert each column")
        if self.converter_bits is None and self.on_codes:
            raise InputError(f"{type(self.on_codes[0]).__name__}: an effect of converters without any: "
                             "give converter_bits")  # fmt: skip
        if self.products is not None and not _are_products(self.products):
            raise InputError(f"products {self.products!r}: give [terms, drop terms, slots], drop terms at most terms")

    def as_dict(self) -> dict[str, Any]:
        """All that decides results, of JSON's types; what is at its default is left out."""
        given = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        return {name: _plain(value) for name, value in given.items()}

    def changed(self, changes: Dictionary[str, Any], where: str) -> LayerSettings:
        """These settings with ``changes`` by name; ``where`` names them in errors. Currents may be [low, high]."""
        known = {field.name for field in fields(self)}
        for key in changes:
            if key not in known:
                raise InputError(f"{where}: {key!r} is no setting: use one of {', '.join(sorted(known))}")
        given = dict(changes)
        if isinstance(given.get("products"), list):
            given["products"] = tuple(given["products"])
        for key in ("weights", "inputs", "converter"):
            if isinstance(given.get(key), dict):
                given[key] = _part(getattr(self, key), given[key], f"{where}: {key}")
        try:
            if isinstance(given.get("currents"), (list, tuple)):
                given["currents"] = _currents(given["currents"])
            return replace(self, **given)
        except InputError as error:
            raise InputError(f"{where}: {error}") from None


def _plain(value: Any) -> Any:
    """``value`` of a setting as JSON's types."""
    if isinstance(value, BaseModel):
        return value.model_dump()
    if isinstance(value, Effect):
        own = {f.name: getattr(value, f.name) for f in fields(value)}  # type: ignore[arg-type]
        return {"effect": type(value).__name__, **{name: _plain(part) for name, part in own.items()}}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return asdict(value) if isinstance(value, CurrentRange) else value


def _part(part: Part, changes: dict[str, Any], where: str) -> Part:
    """``part`` of the settings with ``changes`` of its keys."""
    with first_error(where, changes):
        return type(part).model_validate({**part.model_dump(exclude_defaults=True), **changes})


def _whole(name: str, value: object, least: int, most: int, where: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InputError(f"{where}: {name} {value!r}: give a whole number from {least} to {most}")


def _are_products(values: object) -> bool:
    if not isinstance(values, tuple) or len(values) != 3 or any(type(v) is not int for v in values):
        return False
    terms, drop_terms, slots = values
    return 1 <= drop_terms <= terms <= 16 and 1 <= slots <= 16


def _currents(values: object) -> CurrentRange:
    if isinstance(values, (list, tuple)) and len(values) == 2 and all(type(v) in (int, float) for v in values):
        return CurrentRange(float(values[0]), float(values[1]))
    raise InputError(f"currents {values!r}: give [low, high] in A")


@dataclass(frozen=True)
class Override:
    """Changed settings of the layers whose name fits ``pattern`` (as in file names: ``features.*``)."""

    pattern: str
    settings: LayerSettings


@dataclass(frozen=True)
class Mapping:
    """Settings of all layers; the last fitting one of ``overrides`` counts, ``excluded`` layers stay digital.

    ``Mapping.of(default, {"features.0": {"rows": 32, "signed": True}}, excluded=["classifier"])`` makes one.
    """

    default: LayerSettings
    overrides: tuple[Override, ...] = ()
    excluded: tuple[str, ...] = ()

    @staticmethod
    def of(
        default: LayerSettings,
        layers: Dictionary[str, Dictionary[str, Any]] | None = None,
        excluded: Iterable[str] = (),
    ) -> Mapping:
        """A mapping from changes of ``default`` by name or pattern, each on top of ``default`` alone.

        Raises :class:`InputError` that names the pattern, the setting and the remedy.
        """
        if isinstance(excluded, str):
            raise InputError(f"excluded {excluded!r}: give a list of names")
        overrides = []
        for pattern, changes in (layers or {}).items():
            if not isinstance(changes, Dictionary):
                raise InputError(f"layers.{pattern}: give settings by name, not {changes!r}")
            overrides.append(Override(str(pattern), default.changed(changes, f"layers.{pattern}")))
        return Mapping(default, tuple(overrides), tuple(map(str, excluded)))

    def settings(self, name: str) -> LayerSettings | None:
        """Settings of the layer ``name``; None where it stays digital."""
        if any(fnmatchcase(name, pattern) for pattern in self.excluded):
            return None
        fitting = [o.settings for o in self.overrides if fnmatchcase(name, o.pattern)]
        return fitting[-1] if fitting else self.default

    def check_names(self, names: Iterable[str]) -> None:
        """Raise :class:`InputError` for a pattern that fits none of the layers' ``names``."""
        known = list(names)
        for pattern in (*(o.pattern for o in self.overrides), *self.excluded):
            if not any(fnmatchcase(name, pattern) for name in known):
                layers = ", ".join(known) or "none"
                raise InputError(f"mapping: {pattern!r} fits no layer: the network's layers are {layers[:300]}")
