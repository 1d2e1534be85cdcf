"""Provenance: which design, program, simulator and options made an artefact, and from which other artefacts.

Neither time of day nor machine are in it: two equal runs write equal files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cosim.files.dataset import DataSet
from cosim.spice.ngspice import Ngspice
from cosim.version import code_version
from netlists.design import Design
from surrogate.hashes import network_hash, surrogate_hash
from surrogate.surrogate import Surrogate

__all__ = ["Provenance", "network_hash", "of_dataset", "of_simulation", "of_surrogate", "surrogate_hash"]


@dataclass(frozen=True)
class Provenance:
    """Where an artefact comes from; what does not apply is None (a measured chip has no design)."""

    design: str | None = None
    """Name of the design."""
    design_hash: str | None = None
    simulator: str | None = None
    options: Mapping[str, Any] | None = None
    """Simulator options."""
    seed: int | None = None
    made_from: Mapping[str, str] = field(default_factory=dict)
    """Hash of every artefact that went into this one, by kind: dataset, surrogate, network, …"""
    code_version: str = field(default_factory=code_version)

    def as_dict(self) -> dict[str, Any]:
        """For JSON; the hash of an artefact of kind k is its entry ``k_hash``."""
        entries = {
            "design": self.design, "design_hash": self.design_hash, "code_version": self.code_version,
            "simulator": self.simulator, "options": self.options and dict(sorted(self.options.items())),
            "seed": self.seed, **{f"{kind}_hash": value for kind, value in sorted(self.made_from.items())},
        }  # fmt: skip
        return {name: value for name, value in entries.items() if value is not None}


def of_simulation(design: Design, engine: Ngspice, seed: int | None = None, **made_from: str) -> Provenance:
    """Of what ``engine`` simulates of ``design``."""
    return Provenance(design.name, design.hash, engine.label, engine.options(), seed, made_from)


def of_dataset(data: DataSet, design: Design) -> Provenance:
    """Of what is made from ``data`` alone; ``design`` is the one in it."""
    options = json.loads(data.options)
    return Provenance(design.name, data.design_hash, data.simulator, options, data.seed, {"dataset": data.hash})


def of_surrogate(surrogate: Surrogate, seed: int | None = None, /, **made_from: str) -> Provenance:
    """Of what is made with ``surrogate``: its own origin, and itself."""
    known = surrogate.provenance
    origin = {kind: known[f"{kind}_hash"] for kind in ("dataset", "measurements") if f"{kind}_hash" in known}
    return Provenance(
        known.get("design"), known.get("design_hash"), known.get("simulator"), known.get("options"), seed,
        {**origin, "surrogate": surrogate_hash(surrogate), **made_from},
    )  # fmt: skip
