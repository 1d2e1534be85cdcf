"""Training loops, and the comparison software – deployed – control – retrained over seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from surrogate.digits import Images
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

BATCH = 64
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Recipe:
    """Epochs and learning rates; the control gets exactly as many retraining epochs."""

    software_epochs: int = 60
    retraining_epochs: int = 12
    software_rate: float = 4e-3
    retraining_rate: float = 2e-2
    weight_decay: float = 1e-4


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


def accuracy(scores: Tensor, label: Tensor) -> float:
    """Share of images whose highest score is their label's."""
    return float((scores.argmax(-1) == label).double().mean())


def evaluate(network: nn.Module, images: Images) -> float:
    """Test accuracy of ``network``."""
    with torch.no_grad():
        return accuracy(torch.cat([network(x) for x in images.pixels.split(BATCH)]), images.label)


def train(
    network: nn.Module,
    images: Images,
    epochs: int,
    rate: float,
    seed: int,
    weight_decay: float = 0.0,
    after_epoch: Callable[[int], None] = lambda epoch: None,
) -> None:
    """Adam with a cosine schedule on cross-entropy; batches are shuffled by ``seed``."""
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(network.parameters(), lr=rate, weight_decay=weight_decay)
    batches = -(-len(images.label) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * batches)
    for epoch in range(epochs):
        for index in torch.randperm(len(images.label), generator=generator).split(BATCH):
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(network(images.pixels[index]), images.label[index])
            loss.backward()
            optimiser.step()
            schedule.step()
        after_epoch(epoch)


def trained_software(train_set: Images, seed: int, recipe: Recipe) -> Perceptron:
    """A trained software network with calibrated hidden ranges."""
    network = software_network(seed)
    network.ranges.fill_(1.0)
    plain = nn.Sequential(network.layers[0], nn.ReLU(), network.layers[1])
    train(plain, train_set, recipe.software_epochs, recipe.software_rate, seed, recipe.weight_decay)
    return calibrate_ranges(network, train_set.pixels)


def compare(
    surrogate: Surrogate,
    settings: TileSettings,
    train_set: Images,
    test_set: Images,
    seed: int,
    recipe: Recipe,
    progress: Progress = lambda text: None,
) -> SeedResult:
    """The four accuracies of one seed (see the module's title). Raises ``InputError`` for an unvalidated surrogate."""
    software = trained_software(train_set, seed, recipe)
    analog = analog_network(software, surrogate, settings)
    states = [layer.programmed_states() for layer in analog_layers(analog)]
    for layer_states in states:
        surrogate.domain.check_state(layer_states)
    calibrate_read_out(analog, software, train_set.pixels, states)
    deployed = accuracy(deployed_scores(analog, test_set.pixels, states), test_set.label)
    control = quantised_network(software, settings.bits)
    control_curve = _retrain(control, train_set, test_set, seed, recipe, lambda a: progress(f"control {a:.3f}"))
    control_accuracy = _deploy_control(control, software, surrogate, settings, train_set, test_set)
    curve = _retrain(analog, train_set, test_set, seed, recipe, lambda a: progress(f"retrained {a:.3f}"))
    for layer in analog_layers(analog):
        surrogate.domain.check_state(layer.states().detach())
    return SeedResult(
        seed=seed,
        software=evaluate(software, test_set),
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
    recipe: Recipe,
    report: Callable[[float], None],
) -> list[float]:
    curve = [evaluate(network, test_set)]

    def after(epoch: int) -> None:
        curve.append(evaluate(network, test_set))
        report(curve[-1])

    train(network, train_set, recipe.retraining_epochs, recipe.retraining_rate, seed + 1000, after_epoch=after)
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
    return accuracy(deployed_scores(analog, test_set.pixels, states), test_set.label)
