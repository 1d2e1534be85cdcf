"""Retraining and sign-off as steps of a run: what they leave in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from cosim.deployment.networks import accuracies, describe, load_network, retrain_seeds, save_network, tile_settings
from cosim.deployment.signoff import sign_off
from cosim.files.folders import write_json
from cosim.files.provenance import network_hash, of_surrogate
from cosim.progress import Stages
from cosim.spice.ngspice import Ngspice
from netlists.design import Design
from surrogate.data.digits import digits
from surrogate.surrogate import Surrogate
from surrogate.training.comparison import ComparisonRecipe, SeedResult

NETWORK, NETWORK_REPORT, SIGN_OFF_REPORT = "network.safetensors", "network.json", "signoff.json"


def retrain_into(
    folder: Path, surrogate: Surrogate, design: Design, seeds: int, recipe: ComparisonRecipe, workers: int | None,
    stages: Stages,
) -> dict[str, Any]:  # fmt: skip
    """Retrain the digits network with ``seeds`` seeds; writes the first one's ``network.safetensors`` and, last, what
    it returns: ``network.json``. Raises ``InputError`` for a surrogate that has not passed."""
    with stages.counted("Retraining the network through the surrogate") as progress:
        results = retrain_seeds(surrogate, tile_settings(design), list(range(seeds)), recipe, workers, progress)
    return write_retrained(folder, surrogate, results, recipe, digits().test.pixels[:1])


def write_retrained(
    folder: Path, surrogate: Surrogate, results: list[SeedResult], recipe: ComparisonRecipe, image: Tensor
) -> dict[str, Any]:
    """Write the first network of ``results``, which takes an ``image`` like this one, and, last, ``network.json``,
    which is returned."""
    network = results[0].network
    provenance = of_surrogate(surrogate, results[0].seed, network=network_hash(network.state_dict()))
    report = {
        **describe(results, recipe, image),
        "accuracy": accuracies(results),
        "provenance": provenance.as_dict(),
    }
    save_network(network, surrogate, results[0].seed, folder / NETWORK)
    write_json(report, folder / NETWORK_REPORT)
    return report


def sign_off_into(
    folder: Path, surrogate: Surrogate, network: Path, design: Design, images: int, engine: Ngspice,
    workers: int | None, stages: Stages, scheduler: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Sign ``network`` off with the first ``images`` test images; runs and data sets lie in ``folder/signoff``, what it
    returns in ``signoff.json``. Raises ``InputError`` where network, surrogate and design do not belong together."""
    loaded = load_network(network, surrogate, tile_settings(design))
    _, test_set = digits()
    some = test_set.first(images)
    with stages.counted("Signing off: every VMM of the test images in ngspice") as progress:
        result = sign_off(design, surrogate, loaded, some, engine, folder / "signoff", workers, progress, scheduler)
    write_json(result.summary, folder / SIGN_OFF_REPORT)
    return result.summary
