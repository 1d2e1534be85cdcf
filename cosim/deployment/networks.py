"""Retraining over seeds in parallel processes, and networks on disk."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing.managers import SyncManager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cosim.errors import InputError
from cosim.files.provenance import of_surrogate
from netlists.design import Design
from netlists.orphans import end_with_parent
from surrogate.analog import LayerSettings, Mapping, convert, summary
from surrogate.data.digits import digits
from surrogate.mapping import CurrentRange
from surrogate.surrogate import Surrogate
from surrogate.tensor_file import save_tensors
from surrogate.tensor_reader import ForeignFile, read_tensors
from surrogate.training.comparison import SIZES, ComparisonRecipe, SeedResult, compare, software_network

FORMAT = "fgcosim-network-2"
MAX_BYTES = 10_000_000
ACCURACIES = ("software", "deployed", "control", "retrained")


def tile_settings(design: Design) -> LayerSettings:
    """Tiles of the design's own size, resolution and weight range."""
    currents = CurrentRange(design.weights.current_min, design.weights.current_max)
    return LayerSettings(design.array.rows, design.array.columns // 2 * 2, design.read.bits, currents)


def retrain_seeds(
    surrogate: Surrogate,
    settings: LayerSettings,
    seeds: list[int],
    recipe: ComparisonRecipe,
    workers: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[SeedResult]:
    """:func:`~surrogate.training.comparison.compare` for every seed, one process each. Refuses an unvalidated
    surrogate."""
    surrogate.require_passed()
    context = multiprocessing.get_context("spawn")
    results: dict[int, SeedResult] = {}
    shared = SyncManager(ctx=context)
    shared.start(end_with_parent, (os.getpid(),))
    count = min(workers or os.cpu_count() or 1, len(seeds))
    with shared as manager, ProcessPoolExecutor(count, context, end_with_parent, (os.getpid(),)) as pool:
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


def _one_seed(
    surrogate: Surrogate, settings: LayerSettings, seed: int, recipe: ComparisonRecipe, epochs: Any
) -> SeedResult:
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


def describe(results: list[SeedResult], recipe: ComparisonRecipe, image: torch.Tensor) -> dict[str, Any]:
    """For ``network.json``: accuracies and learning curves by seed, and how the layers sit on arrays that take one
    ``image``."""
    seeds = [
        {"seed": r.seed, **{name: getattr(r, name) for name in ACCURACIES},
         "control_curve": list(r.control_curve), "retrained_curve": list(r.retrained_curve)}
        for r in results
    ]  # fmt: skip
    tiles = [{**asdict(row), "layer": row.matrix} for row in summary(results[0].network, image).layers]
    return {"epochs": recipe.retraining_epochs, "recipe": asdict(recipe), "seeds": seeds, "tiles": tiles}


def save_network(network: nn.Module, surrogate: Surrogate, seed: int, path: Path) -> None:
    """Write the trained weights and where they come from, atomically."""
    header = {**of_surrogate(surrogate, seed).as_dict(), "sizes": list(SIZES)}
    save_tensors(network.state_dict(), {"format": FORMAT, "header": json.dumps(header)}, path)


def read_network(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Header and tensors of the network in ``path``. Raises :class:`InputError` on foreign or damaged files."""
    if not path.is_file():
        raise InputError(f"{path}: no such network: make one with 'fgcosim retrain'")
    try:
        return read_tensors(path, FORMAT, MAX_BYTES)
    except ForeignFile:
        raise InputError(f"{path}: no network of this program ({FORMAT}): make one with 'fgcosim retrain'") from None
    except ValueError as error:
        raise InputError(f"{path}: truncated or no network ({error}): make it again with 'fgcosim retrain'") from None


def load_network(path: Path, surrogate: Surrogate, settings: LayerSettings) -> nn.Module:
    """The network in ``path`` on arrays of ``surrogate``. Raises :class:`InputError` on foreign or unfit files."""
    header, tensors = read_network(path)
    if header.get("design_hash") != surrogate.provenance.get("design_hash"):
        raise InputError(f"{path}: trained for another design than the surrogate's: retrain it")
    network = convert(software_network(0), surrogate, Mapping(settings))
    try:
        _check_tensors(tensors, network.state_dict())
        network.load_state_dict(tensors)
    except (RuntimeError, ValueError) as error:
        reason, sizes = " ".join(str(error).split())[:100], "-".join(map(str, SIZES))
        raise InputError(f"{path}: does not fit the {sizes} network ({reason}): retrain it") from None
    return network


def _check_tensors(tensors: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> None:
    """Raise ``ValueError`` unless ``tensors`` are those ``wanted`` by type and hold usable values."""
    for name, tensor in tensors.items():
        if name in wanted and tensor.dtype != wanted[name].dtype:
            raise ValueError(f"{name} is of type {tensor.dtype}")
        if not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"{name} holds values that are not finite")
        if name.endswith(("input_range", "span")) and not bool((tensor > 0).all()):
            raise ValueError(f"{name} is not positive")
