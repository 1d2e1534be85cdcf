"""A training of a few seconds with all that must survive a kill; runs as a program of its own, too: FOLDER [SEED]."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from surrogate.data.images import DataSet, Images
from surrogate.networks.recipe import VggRecipe
from surrogate.training.recipe import AdamW, Augmentation, OneCycle, Recipe, Sgd, TrainingRecipe
from surrogate.training.session import Observer
from surrogate.training.software import train_software

EPOCHS = 24
"""Of the program: long enough to be killed in the middle."""


def images(count: int, seed: int, side: int = 8) -> Images:
    """Bright squares on the left (class 0), in the middle (1) or on the right (2), in noise."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (count,), generator=generator)
    pixels = 0.6 * torch.rand(count, 1, side, side, generator=generator)
    for k, label in enumerate(labels):
        pixels[k, 0, 2:6, 2 * label + 1 : 2 * label + 3] += 0.4
    return Images(pixels, labels, f"squares {seed}", ("left", "middle", "right"))


def data() -> DataSet:
    """Training and test images."""
    return DataSet(images(300, 0), images(100, 1))


def recipe(epochs: int = 6, **changes: object) -> Recipe:
    """A small convolutional network with batch norm, noise on its weights and shifted images."""
    training = {
        "epochs": epochs, "batch": 16, "validation": 50, "optimiser": Sgd(rate=0.05), "schedule": OneCycle(),
        "augmentation": Augmentation(shift=1), "weight_noise": 0.05, **changes,
    }  # fmt: skip
    network = VggRecipe(kind="vgg", widths=[4, "pool", 8])
    return Recipe(name="tiny", data="digits", network=network, training=TrainingRecipe(**training))


def adam_recipe(epochs: int = 6) -> Recipe:
    """The same with an optimiser of more state."""
    return recipe(epochs, optimiser=AdamW(rate=0.01))


class Shown(Observer):
    """Prints what it is told."""

    def message(self, text: str) -> None:
        print(text, flush=True)

    def epoch(self, epoch: object) -> None:
        print(epoch, flush=True)


def main() -> None:
    torch.set_num_threads(1)
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    train_software(recipe(EPOCHS), Path(sys.argv[1]), data(), seed, observer=Shown())


if __name__ == "__main__":
    main()
