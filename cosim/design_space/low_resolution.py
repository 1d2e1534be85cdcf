"""What retraining through the hardware recovers of a perceptron on cells and pulses of few bits: one point for each
case, data set and seed, kept when it is done.

After Obradovic et al., "High-accuracy inference in neuromorphic circuits using hardware-aware training"
(arXiv:1809.04982). A point is a software network, the same on the hardware, and the same retrained through it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import nn

from cosim.design_space.low_resolution_cases import Case
from cosim.design_space.pool import computed, processes
from surrogate.analog import calibrate, calibrate_outputs, convert, deploy
from surrogate.data.catalogue import load
from surrogate.data.images import DataSet
from surrogate.hardware import Hardware
from surrogate.networks.recipe import MlpRecipe
from surrogate.reproduction.kept import Result, digest, kept
from surrogate.training.evaluation import accuracy_of
from surrogate.training.recipe import Adam, AdamW, Cosine, OneCycle, Recipe, TrainingRecipe
from surrogate.training.software import BEST, load_software, train_software
from surrogate.training.trainer import Trainer, held_out

HIDDEN = 128
RETRAINING_SEED = 1000
"""Added to the seed, so that retraining sees the images in another order than the software network did."""

SOFTWARE = TrainingRecipe(
    epochs=8, batch=128, validation=5000, optimiser=AdamW(rate=0.004, weight_decay=0.02), schedule=OneCycle()
)
RETRAINING = TrainingRecipe(epochs=2, batch=256, validation=5000, optimiser=Adam(rate=0.002), schedule=Cosine())


@dataclass(frozen=True)
class Study:
    """What all cases share: the hardware that they change, how networks are trained and retrained, how many training
    images there are and how many of them calibrate."""

    base: Hardware
    software: TrainingRecipe = SOFTWARE
    retraining: TrainingRecipe = RETRAINING
    training_images: int = 60_000
    calibration: int = 1000

    def recipe(self, data: str, pixels: int, classes: int) -> Recipe:
        """Of the software network for images of ``pixels`` and as many ``classes``."""
        network = MlpRecipe(kind="mlp", sizes=[pixels, HIDDEN, classes])
        return Recipe(name=f"low-resolution-{data}"[:40], data=data, network=network, training=self.software)


@dataclass(frozen=True)
class Point:
    """One case with one seed on the images of ``data``."""

    case: Case
    data: str
    seed: int


@lru_cache(maxsize=2)
def images(data: str, folder: Path | None, training_images: int) -> DataSet:
    """The data set ``data`` in ``folder`` with its first ``training_images``. Raises :class:`InputError`."""
    whole = load(data, folder)
    return DataSet(whole.train.first(training_images), whole.test)


def result(study: Study, point: Point, out: Path, data_folder: Path | None) -> Result:
    """Accuracies (shares of all test images) of ``point``: ``software``, ``deployed`` on the hardware without and
    ``retrained`` with training through it; both on the chip that the seed draws, gains and offsets of each layer's
    outputs calibrated there.

    What is in the folder ``out`` from the same settings is not computed again. Raises :class:`InputError`.
    """
    data = images(point.data, data_folder, study.training_images)
    network, software = _software(study, point, out, data)
    hardware = point.case.hardware(study.base)
    depends: dict[str, Any] = {
        "software": software, "hardware": hardware.model_dump(), "retraining": study.retraining.model_dump(),
        "calibration": study.calibration, "images": [data.train.digest(), data.test.digest()], "seed": point.seed,
    }  # fmt: skip

    def compute() -> Result:
        began, few = time.process_time(), data.train.first(study.calibration).pixels
        twin = convert(network, hardware.arrays(), hardware.mapping())
        calibrate(twin, few, reference=network)
        chip = deploy(twin, point.seed)
        calibrate(chip, few, reference=network, ranges=False)
        deployed = accuracy_of(chip, data.test)
        split = held_out(data.train, study.retraining.validation)
        trainer = Trainer(twin, split, study.retraining, point.seed + RETRAINING_SEED)
        trainer.run()
        twin.load_state_dict(trainer.best)
        plain = replace(point.case, error=0.0).hardware(study.base)
        meant = convert(network, plain.arrays(), plain.mapping())
        meant.load_state_dict(trainer.best)
        chip = deploy(twin, point.seed)
        calibrate_outputs(chip, few, meant)
        retrained = accuracy_of(chip, data.test)
        return {"software": software, "deployed": deployed, "retrained": retrained,
                "cpu_s": time.process_time() - began}  # fmt: skip

    return kept(out / point.data / point.case.name / f"{point.seed}.json", depends, compute)


def _software(study: Study, point: Point, out: Path, data: DataSet) -> tuple[nn.Module, float]:
    """The trained software network of the point's seed, and its accuracy."""
    recipe = study.recipe(point.data, data.train.pixels[0].numel(), len(data.train.classes))
    depends = [recipe.model_dump(), point.seed, data.train.digest(), data.test.digest()]
    folder = out / point.data / f"software-{point.seed}-{digest(depends)[:8]}"

    def compute() -> Result:
        return {"accuracy": train_software(recipe, folder, data, point.seed)["test_accuracy_best"]}

    accuracy = float(kept(folder / "accuracy.json", depends, compute)["accuracy"])
    return load_software(folder / BEST)[0], accuracy


def run(
    study: Study, points: list[Point], out: Path, data_folder: Path | None, workers: int,
    progress: Callable[[int, int], None],
) -> list[Result]:  # fmt: skip
    """Results of all ``points`` in their order, ``workers`` processes at a time. Raises :class:`InputError`,
    ``OSError``."""
    seeds = {(point.data, point.seed): point for point in reversed(points)}  # these train the software networks
    first, rest = list(seeds.values()), [point for point in points if point not in seeds.values()]

    def calls(some: list[Point]) -> list[tuple[Any, ...]]:
        return [(study, point, out, data_folder) for point in some]

    with processes(workers) as pool:
        found = computed(pool, result, calls(first), lambda done: progress(done, len(points)))
        found += computed(pool, result, calls(rest), lambda done: progress(len(first) + done, len(points)))
    by_point = dict(zip((*first, *rest), found, strict=True))
    return [by_point[point] for point in points]
