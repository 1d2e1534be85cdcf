"""Retraining over seeds in parallel processes, and networks on disk."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from cosim.errors import InputError
from netlists.design import Design
from surrogate.atomic import replacing
from surrogate.digits import digits
from surrogate.layers import TileSettings
from surrogate.mapping import CurrentRange
from surrogate.network import SIZES, Perceptron, analog_layers, analog_network, software_network
from surrogate.surrogate import Surrogate
from surrogate.training import Recipe, SeedResult, compare

FORMAT = "fgcosim-network-1"
ACCURACIES = ("software", "deployed", "control", "retrained")


def tile_settings(design: Design) -> TileSettings:
    """Tiles of the design's own size, resolution and weight range."""
    currents = CurrentRange(design.weights.current_min, design.weights.current_max)
    return TileSettings(design.array.rows, design.array.columns // 2 * 2, design.read.bits, currents)


def retrain_seeds(
    surrogate: Surrogate,
    settings: TileSettings,
    seeds: list[int],
    recipe: Recipe,
    workers: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[SeedResult]:
    """:func:`surrogate.training.compare` for every seed, one process each. Refuses an unvalidated surrogate."""
    surrogate.require_passed()
    context = multiprocessing.get_context("spawn")
    results: dict[int, SeedResult] = {}
    with context.Manager() as manager, ProcessPoolExecutor(
        min(workers or os.cpu_count() or 1, len(seeds)), mp_context=context
    ) as pool:
        epochs = manager.Queue()
        total = len(seeds) * 2 * recipe.retraining_epochs
        futures = {pool.submit(_one_seed, surrogate, settings, seed, recipe, epochs): seed for seed in seeds}
        while len(results) < len(seeds):
            for future in list(futures):
                if future.done():
                    results[futures.pop(future)] = future.result()
            progress(epochs.qsize(), total)
            if futures:
                _wait_a_little(futures)
    return [results[seed] for seed in seeds]


def _wait_a_little(futures: dict[Any, int]) -> None:
    try:
        next(as_completed(futures, timeout=0.5))
    except TimeoutError:
        return


def _one_seed(surrogate: Surrogate, settings: TileSettings, seed: int, recipe: Recipe, epochs: Any) -> SeedResult:
    torch.set_num_threads(1)
    train_set, test_set = digits()
    return compare(surrogate, settings, train_set, test_set, seed, recipe, epochs.put)


def accuracies(results: list[SeedResult]) -> dict[str, float]:
    """Mean over seeds and standard deviation (``<name>_std``) of every accuracy."""
    summary: dict[str, float] = {}
    for name in ACCURACIES:
        values = torch.tensor([getattr(r, name) for r in results], dtype=torch.float64)
        summary[name] = float(values.mean())
        summary[f"{name}_std"] = float(values.std(correction=1)) if len(values) > 1 else 0.0
    return summary


def describe(results: list[SeedResult], recipe: Recipe) -> dict[str, Any]:
    """For ``network.json``: accuracies and learning curves by seed, and how the layers sit on arrays."""
    seeds = [
        {"seed": r.seed, **{name: getattr(r, name) for name in ACCURACIES},
         "control_curve": list(r.control_curve), "retrained_curve": list(r.retrained_curve)}
        for r in results
    ]  # fmt: skip
    tiles = []
    for layer in analog_layers(results[0].network):
        s, (fan_in, fan_out) = layer.settings, layer.weight.shape
        arrays = layer.row_tiles * layer.column_tiles
        used = fan_in * fan_out * 2
        tiles.append({
            "layer": f"{fan_in}x{fan_out}", "arrays": arrays, "rows": s.rows, "columns": s.columns, "cells_used": used,
            "utilisation": used / (arrays * s.rows * s.columns), "vmms_per_image": arrays,
        })  # fmt: skip
    return {"epochs": recipe.retraining_epochs, "recipe": asdict(recipe), "seeds": seeds, "tiles": tiles}


def save_network(network: Perceptron, surrogate: Surrogate, seed: int, path: Path) -> None:
    """Write the trained weights with the surrogate's design hash, atomically."""
    header = {"design_hash": surrogate.provenance.get("design_hash"), "seed": seed, "sizes": list(SIZES)}
    tensors = {name: value.detach().clone() for name, value in network.state_dict().items()}
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={"format": FORMAT, "header": json.dumps(header)})


def load_network(path: Path, surrogate: Surrogate, settings: TileSettings) -> Perceptron:
    """The network in ``path`` on arrays of ``surrogate``. Raises :class:`InputError` on foreign or unfit files."""
    if not path.is_file():
        raise InputError(f"{path}: no such network: make one with 'fgcosim retrain'")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise InputError(f"{path}: no network of this program ({FORMAT}): make one with 'fgcosim retrain'")
            header = json.loads(metadata["header"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: truncated or no network: make it again with 'fgcosim retrain'") from None
    if header.get("design_hash") != surrogate.provenance.get("design_hash"):
        raise InputError(f"{path}: trained for another design than the surrogate's: retrain it")
    network = analog_network(software_network(0), surrogate, settings)
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise InputError(f"{path}: does not fit the {'-'.join(map(str, SIZES))} network: {str(error)[:80]}") from None
    return network
