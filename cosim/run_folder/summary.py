"""The key figures of a run, out of its artefacts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cosim.files.dataset import DataSet
from cosim.files.provenance import of_surrogate
from surrogate.surrogate import Surrogate


def surrogate_figures(data: DataSet, surrogate: Surrogate) -> dict[str, Any]:
    """What data set and validated surrogate give."""
    report = surrogate.report or {}
    roles = report["roles"]
    return {
        "design": surrogate.provenance["design"],
        "design_hash": data.design_hash,
        "spice": {
            "simulator": data.simulator.removesuffix(" KLU"),
            "klu": data.simulator.endswith(" KLU"),
            "runs": len(data),
            "slots": len(data.slot_current),
            "energy_per_vmm_j": float(data.energy[data.runs("patterns", "weights")].mean()),
        },
        "surrogate": {
            "passed": report["passed"],
            "failed": report["failed"],
            "ser_db": {role: scores["ser_db"] for role, scores in roles.items()},
            "ser_centred_db": {role: scores["ser_centred_db"] for role, scores in roles.items()},
            "ser_worst_column_db": {role: scores["ser_worst_column_db"] for role, scores in roles.items()},
            "median_cell_error": next(iter(roles.values()))["median_cell_error"],
            "fast_engine_ser_db": report["fast_engine_ser_db"],
        },
        "ideal": {"ser_db": {name: scores["ser_db"] for name, scores in report["ideal"].items()}},
        "provenance": of_surrogate(surrogate, data.seed).as_dict(),
    }


def network_figures(network: Mapping[str, Any], signoff: Mapping[str, Any]) -> dict[str, Any]:
    """What ``network.json`` and ``signoff.json`` give."""
    return {
        "accuracy": network["accuracy"],
        "signoff": {k: signoff[k] for k in ("images", "class_agreement", "ser_db", "ser_pair_db")},
        "energy_per_vmm_j": signoff["energy_per_vmm_j"],
        "time_per_vmm_s": signoff["time_per_vmm_s"],
        "network_hash": signoff["provenance"]["network_hash"],
    }
