"""Accuracy of ResNet-20 on CIFAR-10 by mapping, without retraining: one point for each system, size of an effect, and
seed, kept when it is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from cosim.design_space.pool import computed, processes
from cosim.design_space.systems import SYSTEMS, hardware
from cosim.errors import InputError
from surrogate.analog import calibrate_ranges, convert, deploy
from surrogate.analog.convert import folded
from surrogate.data import catalogue
from surrogate.data.folder import data_folder
from surrogate.data.images import Images
from surrogate.hardware import Hardware
from surrogate.networks.resnet20 import WEIGHTS, ResNet20, load_resnet20
from surrogate.reproduction.kept import digest, kept
from surrogate.training.evaluation import accuracy_of

NOTHING, INDEPENDENT, PROPORTIONAL, CONVERTER, WIRES = "nothing", "independent", "proportional", "converter", "wires"
SIZES: dict[str, tuple[float, ...]] = {
    NOTHING: (0.0,),
    INDEPENDENT: (0.005, 0.01, 0.02, 0.04),
    PROPORTIONAL: (0.05, 0.1, 0.2, 0.4),
    WIRES: (2.0, 10.0, 50.0),
    CONVERTER: (8, 6, 5),
}
"""Sizes of the effects: errors of the largest current or of the cell's own, bits, Ω a segment of word and bit line."""

PAIRS = "differential, converter of pairs"
"""The differential system with one converter a pair, for its difference; else each column has one."""

CALIBRATION = 32
"""Training images that ranges of inputs and converters are calibrated on."""
BATCH, BATCH_OF_WIRES = 50, 500
"""Images at a time: few stay in the cache, but the matrices of arrays with wires are computed for each."""
CONVERTER_SHARE = 0.5
"""Share of the images that converters are judged on, which see every charge."""


@dataclass(frozen=True)
class Point:
    """One evaluation: ``images`` test images from number ``seed``·``images`` on, on the chip of that seed."""

    effect: str
    system: str
    size: float
    seed: int
    images: int

    @property
    def name(self) -> str:
        """A name for its file."""
        return digest(asdict(self))

    def hardware(self) -> Hardware:
        """Its recipe."""
        system = "differential" if self.system == PAIRS else self.system
        if self.effect in (INDEPENDENT, PROPORTIONAL):
            return hardware(system, programming={"error": {"kind": self.effect, "sigma": self.size}})
        if self.effect == CONVERTER:
            return hardware(system, {"bits": int(self.size), "of": "pair" if self.system == PAIRS else "column"})
        if self.effect == WIRES:
            return hardware(system, wires={"word_line": self.size, "bit_line": self.size})
        return hardware(system)


def points(images: int, seeds: int, sizes: int | None = None) -> list[Point]:
    """All points, of every effect its first ``sizes`` sizes (None: all)."""
    return list(_points(images, seeds, sizes))


def _points(images: int, seeds: int, sizes: int | None) -> Iterator[Point]:
    for seed in range(seeds):
        for effect, all_sizes in SIZES.items():
            count = max(1, round(CONVERTER_SHARE * images)) if effect == CONVERTER else images
            for system in (*SYSTEMS, PAIRS) if effect == CONVERTER else SYSTEMS:
                for size in all_sizes[:sizes]:
                    yield Point(effect, system, size, seed, count)


@dataclass(frozen=True)
class Given:
    """The trained network, test images and those that calibrate."""

    network: ResNet20
    test: Images
    calibration: torch.Tensor


def given(data: Path | None) -> Given:
    """What the study needs, from the folder ``data`` (None: that of FGCOSIM_DATA). Raises :class:`InputError`."""
    folder = data_folder(data)
    if folder is None:
        raise InputError("data: needs CIFAR-10 and the weights of ResNet-20: name their folder with --data")
    train, test = catalogue.load("cifar10", folder)
    return Given(load_resnet20(folder / WEIGHTS), test, train.pixels[:CALIBRATION])


def evaluate(point: Point, given: Given) -> dict[str, Any]:
    """The accuracy of one point and what it took (processor s)."""
    began = time.process_time()
    recipe, first = point.hardware(), point.seed * point.images
    plain = folded(given.network)
    twin = convert(given.network, recipe.arrays(), recipe.mapping())
    calibrate_ranges(twin, given.calibration, plain)
    chip = deploy(twin, point.seed)
    if first + point.images > len(given.test):
        raise InputError(f"images {point.images}: {point.seed + 1} times as many test images are needed: use fewer")
    images = given.test.chosen(torch.arange(first, first + point.images))
    accuracy = accuracy_of(chip, images, BATCH_OF_WIRES if point.effect == WIRES else BATCH)
    return {**asdict(point), "accuracy": accuracy, "cpu_s": time.process_time() - began}


def run(
    wanted: list[Point], data: Path | None, folder: Path, workers: int, progress: Callable[[int, int], None]
) -> list[dict[str, Any]]:
    """Results of all ``wanted`` points in their order, ``workers`` processes at a time; finished ones are kept in
    ``folder``, and those found there are not computed again. Raises :class:`InputError`, ``OSError``."""
    calls, total = [(point, data, folder) for point in wanted], len(wanted)
    with processes(min(workers, total)) as pool:
        return computed(pool, _one, calls, lambda done: progress(done, total))


def baseline(given: Given) -> float:
    """Accuracy of the digital network on all test images."""
    return accuracy_of(given.network, given.test, BATCH)


_given = lru_cache(maxsize=1)(given)
"""Read once in each process."""


def _one(point: Point, data: Path | None, folder: Path) -> dict[str, Any]:
    recipe = point.hardware().model_dump(mode="json", exclude_defaults=True)
    depends = {**asdict(point), "hardware": recipe, "version": VERSION}
    return kept(folder / f"{point.name}.json", depends, lambda: evaluate(point, _given(data)))


VERSION = 1
"""Raised where the program changes what a point gives."""
