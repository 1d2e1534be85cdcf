"""A software network from its recipe, trained in a folder and tested."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from surrogate.atomic import replacing
from surrogate.data.images import DataSet
from surrogate.errors import InputError
from surrogate.networks.build import build
from surrogate.tensor_file import save_tensors
from surrogate.tensor_reader import ForeignFile, read_tensors
from surrogate.training.evaluation import accuracy_of
from surrogate.training.recipe import Recipe
from surrogate.training.recipe_files import parse_recipe, recipe_text
from surrogate.training.session import Observer, train_in
from surrogate.training.trainer import Trainer, held_out

FORMAT = "fgcosim-software-1"
MAX_BYTES = 1_000_000_000
RECIPE, BEST, RESULT = "recipe.yaml", "best.safetensors", "result.json"


def train_software(
    recipe: Recipe,
    folder: Path,
    data: DataSet,
    seed: int = 0,
    device: str = "cpu",
    observer: Observer | None = None,
) -> dict[str, Any]:
    """Train ``recipe``'s network on ``data`` in ``folder`` (see :func:`surrogate.training.session.train_in`).

    Leaves the recipe, ``best.safetensors`` (weights of the best epoch) and ``result.json``, which is returned:
    accuracies in 0..1 on the test images of the best and the last epoch, the learning curve, time and machine.
    Raises :class:`InputError`.
    """
    network = build(recipe.network, tuple(data.train.pixels.shape[1:]), len(data.train.classes), seed)
    trainer = Trainer(network, held_out(data.train, recipe.training.validation), recipe.training, seed, device)
    folder.mkdir(parents=True, exist_ok=True)
    spent = train_in(folder, trainer, {"recipe": recipe.model_dump(exclude={"training"})}, observer)
    _write(folder / RECIPE, recipe_text(recipe))
    last = accuracy_of(trainer.network, data.test)
    trainer.network.load_state_dict(trainer.best)
    result = {
        "recipe": recipe.name, "data": data.test.name, "seed": seed, "test_images": len(data.test),
        "test_accuracy_best": accuracy_of(trainer.network, data.test), "best_epoch": trainer.best_epoch,
        "test_accuracy_last": last, "epochs": len(trainer.curve),
        "parameters": sum(p.numel() for p in network.parameters()),
        "curve": [asdict(epoch) for epoch in trainer.curve],
        **asdict(spent), "device": device, "threads": torch.get_num_threads(), "torch": torch.__version__,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }  # fmt: skip
    header = {"recipe": recipe_text(recipe), "seed": seed, "shape": list(data.train.pixels.shape[1:]),
              "classes": list(data.train.classes), "test_accuracy": result["test_accuracy_best"]}  # fmt: skip
    save_tensors(trainer.best, {"format": FORMAT, "header": json.dumps(header)}, folder / BEST)
    _write(folder / RESULT, json.dumps(result, indent=1) + "\n")
    return result


def load_software(path: Path) -> tuple[nn.Module, Recipe]:
    """The trained network in ``path`` (``best.safetensors``) and its recipe. Raises :class:`InputError`."""
    if not path.is_file():
        raise InputError(f"{path}: no such network: make one with 'fgcosim train'")
    try:
        header, tensors = read_tensors(path, FORMAT, MAX_BYTES)
        recipe = parse_recipe(str(header["recipe"]), f"{path}: recipe")
        network = build(recipe.network, tuple(map(int, header["shape"])), len(header["classes"]), 0)
        network.load_state_dict(tensors)
    except ForeignFile:
        raise InputError(f"{path}: no network of 'fgcosim train' ({FORMAT}): make one with it") from None
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        if isinstance(error, InputError):
            raise
        reason = " ".join(str(error).split())[:100]
        raise InputError(f"{path}: damaged or no network ({reason}): make it again with 'fgcosim train'") from None
    return network.eval(), recipe


def _write(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
