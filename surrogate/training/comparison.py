"""The comparison software – deployed – control – retrained of the digits network, one seed at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from surrogate.data.images import Images
from surrogate.layers import TileSettings
from surrogate.network import (
    Perceptron,
    analog_layers,
    analog_network,
    calibrate_ranges,
    calibrate_read_out,
    deployed_scores,
    quantised_network,
    software_network,
)
from surrogate.surrogate import Surrogate
from surrogate.training.evaluation import accuracy, accuracy_of
from surrogate.training.recipe import Adam, TrainingRecipe
from surrogate.training.trainer import Epoch, Trainer, held_out

Progress = Callable[[str], None]
RETRAINING_SEED = 1000
"""Added to the seed, so that retraining sees the images in another order than the software network did."""


@dataclass(frozen=True)
class ComparisonRecipe:
    """Epochs and learning rates; the control gets exactly as many retraining epochs."""

    software_epochs: int = 60
    retraining_epochs: int = 12
    software_rate: float = 4e-3
    retraining_rate: float = 2e-2
    weight_decay: float = 1e-4

    def software(self) -> TrainingRecipe:
        """How the software network is trained."""
        optimiser = Adam(rate=self.software_rate, weight_decay=self.weight_decay)
        return TrainingRecipe(epochs=self.software_epochs, optimiser=optimiser)

    def retraining(self) -> TrainingRecipe:
        """How its twins are retrained."""
        return TrainingRecipe(epochs=self.retraining_epochs, optimiser=Adam(rate=self.retraining_rate))


@dataclass(frozen=True)
class SeedResult:
    """One seed: test accuracies (0..1), learning curves (test accuracy per epoch), and the networks."""

    seed: int
    software: float
    deployed: float
    control: float
    retrained: float
    control_curve: tuple[float, ...]
    retrained_curve: tuple[float, ...]
    network: Perceptron
    software_network: Perceptron


def trained_software(train_set: Images, seed: int, recipe: ComparisonRecipe) -> Perceptron:
    """A trained software network with calibrated hidden ranges."""
    network = software_network(seed)
    network.ranges.fill_(1.0)
    plain = nn.Sequential(network.layers[0], nn.ReLU(), network.layers[1])
    Trainer(plain, held_out(train_set, 0), recipe.software(), seed).run()
    return calibrate_ranges(network, train_set.pixels)


def compare(
    surrogate: Surrogate,
    settings: TileSettings,
    train_set: Images,
    test_set: Images,
    seed: int,
    recipe: ComparisonRecipe,
    progress: Progress = lambda text: None,
) -> SeedResult:
    """The four accuracies of one seed (see the module's title). Raises ``InputError`` for an unvalidated surrogate."""
    software = trained_software(train_set, seed, recipe)
    analog = analog_network(software, surrogate, settings)
    states = [layer.programmed_states() for layer in analog_layers(analog)]
    for layer_states in states:
        surrogate.domain.check_state(layer_states)
    calibrate_read_out(analog, software, train_set.pixels, states)
    deployed = accuracy(deployed_scores(analog, test_set.pixels, states), test_set.labels)
    control = quantised_network(software, settings.bits)
    control_curve = _retrain(control, train_set, test_set, seed, recipe, lambda a: progress(f"control {a:.3f}"))
    control_accuracy = _deploy_control(control, software, surrogate, settings, train_set, test_set)
    curve = _retrain(analog, train_set, test_set, seed, recipe, lambda a: progress(f"retrained {a:.3f}"))
    for layer in analog_layers(analog):
        surrogate.domain.check_state(layer.states().detach())
    return SeedResult(
        seed=seed,
        software=accuracy_of(software, test_set),
        deployed=deployed,
        control=control_accuracy,
        retrained=curve[-1],
        control_curve=tuple(control_curve),
        retrained_curve=tuple(curve),
        network=analog,
        software_network=software,
    )


def _retrain(
    network: Perceptron,
    train_set: Images,
    test_set: Images,
    seed: int,
    recipe: ComparisonRecipe,
    report: Callable[[float], None],
) -> list[float]:
    curve = [accuracy_of(network, test_set)]

    def after(_: Epoch) -> None:
        curve.append(accuracy_of(network, test_set))
        report(curve[-1])

    Trainer(network, held_out(train_set, 0), recipe.retraining(), seed + RETRAINING_SEED).run(after)
    return curve


def _deploy_control(
    control: Perceptron,
    software: Perceptron,
    surrogate: Surrogate,
    settings: TileSettings,
    train_set: Images,
    test_set: Images,
) -> float:
    """Accuracy of the control network once it is deployed on the arrays like the software network was."""
    with torch.no_grad():
        for layer in control.layers:
            layer.get_parameter("weight").clamp_(-layer.get_buffer("span"), layer.get_buffer("span"))
    analog = analog_network(control, surrogate, settings)
    states = [layer.programmed_states() for layer in analog_layers(analog)]
    calibrate_read_out(analog, control, train_set.pixels, states)
    return accuracy(deployed_scores(analog, test_set.pixels, states), test_set.labels)
