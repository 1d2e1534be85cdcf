"""What is compared: hardware of few bits, with one thing after the other wrong with it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from surrogate.hardware import Hardware
from surrogate.validation import first_error

RATIOS = (3.0, 10.0, 30.0, 1000.0)
PROGRAMMING_ERROR = 0.2
"""Standard deviation of the cells' currents over the currents where the on/off ratio is studied with an error: what a
cell at the minimum current then scatters by is nothing at a large ratio and a third of the largest error at 3."""
CONVERTER_BITS = 4
"""Of each column's converter where the ratio is studied with one: the minimum currents take their part of its range."""


@dataclass(frozen=True)
class Case:
    """One setting of the hardware, in a ``group`` of settings that vary one thing."""

    group: str
    weight_bits: int = 4
    activation_bits: int = 4
    on_off_ratio: float = 1000.0
    nonlinearity: float = 0.0
    asymmetry: float = 0.0
    error: float = 0.0
    converter_bits: int | None = None

    @property
    def name(self) -> str:
        """For files."""
        values = {"w": self.weight_bits, "a": self.activation_bits, "r": self.on_off_ratio, "n": self.nonlinearity,
                  "s": self.asymmetry, "e": self.error, "c": self.converter_bits or 0}  # fmt: skip
        return "-".join(f"{key}{value:g}" for key, value in values.items())

    def hardware(self, base: Hardware) -> Hardware:
        """``base`` with this case's settings. Raises :class:`InputError` where they contradict the others of it."""
        content = base.model_dump(exclude_defaults=True)
        sections: dict[str, dict[str, Any]] = {
            "tiles": {"on_off_ratio": self.on_off_ratio},
            "weights": {"bits": self.weight_bits, "nonlinearity": self.nonlinearity, "asymmetry": self.asymmetry},
            "inputs": {"bits": self.activation_bits},
        }
        if self.error:
            sections["programming"] = {"error": {"kind": "proportional", "sigma": self.error}}
        if self.converter_bits is not None:
            sections["converter"] = {"bits": self.converter_bits}
        for key, values in sections.items():
            content[key] = {**content.get(key, {}), **values}
        with first_error(f"{base.name} {self.name}", content):
            return Hardware.model_validate(content)

    def as_dict(self) -> dict[str, Any]:
        """Its values by name."""
        return asdict(self)


CASES = (
    *(Case("bits of both", b, b) for b in (1, 2, 3, 4)),
    *(Case("bits of weights", b, 4) for b in (1, 2, 3)),
    *(Case("bits of activations", 4, b) for b in (1, 2, 3)),
    *(Case("ratio with error", on_off_ratio=r, error=PROGRAMMING_ERROR) for r in RATIOS),
    *(Case("ratio with converters", on_off_ratio=r, converter_bits=CONVERTER_BITS) for r in RATIOS),
    *(Case("nonlinearity", nonlinearity=n) for n in (2.0, 4.0, 6.0)),
    *(Case("asymmetry", asymmetry=s) for s in (0.2, 0.4, 0.6)),
    Case("all together", 4, 4, 10.0, 4.0, 0.2, PROGRAMMING_ERROR, CONVERTER_BITS),
)  # fmt: skip
"""Every case of the default study. What a case does not name is 4 bits, an on/off ratio of 1000 and linear cells."""
