"""``fgcosim retrain`` and ``signoff``: a network through a surrogate, and back into SPICE."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from cosim.commands.arguments import design_of
from cosim.deployment.steps import retrain_into, sign_off_into
from cosim.progress import Stages
from cosim.spice.ngspice import find_ngspice
from surrogate.files import load_surrogate
from surrogate.training.comparison import ComparisonRecipe


def retrain(surrogate: Path, out: Path, seeds: int, workers: int | None, stages: Stages) -> bool:
    """Retrain the digits network; ``out`` is a folder."""
    fitted = load_surrogate(surrogate)
    fitted.require_passed()
    design = design_of(fitted, surrogate)
    out.mkdir(parents=True, exist_ok=True)
    accuracy = retrain_into(out, fitted, design, seeds, ComparisonRecipe(), workers, stages)["accuracy"]
    Console().print({name: round(value, 4) for name, value in accuracy.items()})
    return True


def signoff(
    surrogate: Path, network: Path, out: Path, images: int, workers: int | None, stages: Stages,
    scheduler: str | None = None,
) -> bool:  # fmt: skip
    """Sign a retrained network off in SPICE; ``out`` is a folder."""
    fitted = load_surrogate(surrogate)
    fitted.require_passed()
    design = design_of(fitted, surrogate)
    engine = find_ngspice()
    out.mkdir(parents=True, exist_ok=True)
    summary = sign_off_into(out, fitted, network, design, images, engine, workers, stages, scheduler)
    figures = ("images", "class_agreement", "ser_db", "ser_pair_db")
    Console().print({name: summary[name] for name in figures})
    return True
