"""The three comparisons by name, and the shortened ones that only show that everything works."""

from __future__ import annotations

from surrogate.data.images import DataSet
from surrogate.errors import InputError
from surrogate.reproduction.comparison import AS_THEY_COME, Plan, Wires, limited
from surrogate.training.recipe import Adam, AdamW, Augmentation, Distillation, OneCycle, RelativeAdam, TrainingRecipe
from surrogate.training.recipe_files import load_recipe

QUICK_TRAIN, QUICK_TEST = 2000, 500

_RETRAINING = {
    "mlp": TrainingRecipe(
        epochs=30, batch=128, optimiser=AdamW(rate=4e-3, weight_decay=0.05), schedule=OneCycle(warmup=0.2),
        label_smoothing=0.05,
    ),
    "lenet5": TrainingRecipe(
        epochs=10, epoch_images=20_000, batch=64, optimiser=Adam(rate=2e-3), schedule=OneCycle(warmup=0.2),
        augmentation=Augmentation(shift=2),
    ),
    "vgg": TrainingRecipe(
        epochs=6, epoch_images=10_000, batch=16, optimiser=RelativeAdam(rate=0.01), schedule=OneCycle(warmup=0.2),
        distillation=Distillation(features=10.0, features_until=0.5), augmentation=Augmentation(flip=True, shift=2),
    ),
    "digits": TrainingRecipe(epochs=12, batch=64, optimiser=Adam(rate=4e-3)),
}  # fmt: skip
NAMES = tuple(_RETRAINING)

_TESTING = {"vgg": (3, 2, 1)}
"""The engine's expansion at tests of networks too large for the finest: 10,000 images through the network of CIFAR-10
take a third of the time."""

_WIRES = {"vgg": Wires({"0": 2})}
"""The first of so many layers spoils what all others see, and has the fewest word lines: they are taken twice."""


def plan(name: str, quick: bool = False) -> Plan:
    """The comparison ``name``; ``quick``: of one epoch each, on few images. Raises :class:`InputError`."""
    if name not in _RETRAINING:
        raise InputError(f"comparison {name[:40]}: choose one of {', '.join(NAMES)}")
    recipe, retraining = load_recipe(name), _RETRAINING[name]
    if quick:
        short = recipe.training.model_copy(update={"epochs": 1, "validation": 200})
        recipe = recipe.model_copy(update={"training": short})
        retraining = retraining.model_copy(update={"epochs": 1})
    calibration, wires = 200 if quick else 1000, _WIRES.get(name, AS_THEY_COME)
    return Plan(recipe, retraining, calibration=calibration, testing=_TESTING.get(name), wires=wires)


def shortened(data: DataSet) -> DataSet:
    """The images of a quick comparison."""
    return DataSet(limited(data.train, QUICK_TRAIN), limited(data.test, QUICK_TEST))
