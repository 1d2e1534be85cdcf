"""The comparison software – deployed – control – retrained of the digits network, one seed at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from surrogate.analog import LayerSettings, Mapping, analog_layers, calibrate, convert, deploy, quantised, unquantised
from surrogate.data.images import Images
from surrogate.networks.build import build
from surrogate.networks.recipe import MlpRecipe
from surrogate.surrogate import Surrogate
from surrogate.training.evaluation import accuracy_of
from surrogate.training.recipe import Adam, TrainingRecipe
from surrogate.training.trainer import Epoch, Trainer, held_out

Progress = Callable[[str], None]
SIZES = (64, 32, 10)
"""Units of the perceptron, inputs first."""

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
    network: nn.Module
    software_network: nn.Module


def software_network(seed: int) -> nn.Module:
    """The untrained software network."""
    return build(MlpRecipe(kind="mlp", sizes=list(SIZES)), SIZES[:1], SIZES[-1], seed)


def trained_software(train_set: Images, seed: int, recipe: ComparisonRecipe) -> nn.Module:
    """A trained software network."""
    network = software_network(seed)
    Trainer(network, held_out(train_set, 0), recipe.software(), seed).run()
    return network.eval()


def compare(
    surrogate: Surrogate,
    settings: LayerSettings,
    train_set: Images,
    test_set: Images,
    seed: int,
    recipe: ComparisonRecipe,
    progress: Progress = lambda text: None,
) -> SeedResult:
    """The four accuracies of one seed (see the module's title). Raises ``InputError`` for an unvalidated surrogate."""
    software = trained_software(train_set, seed, recipe)
    analog = convert(software, surrogate, Mapping(settings))
    calibrate(analog, train_set.pixels, software)
    control = quantised(analog)
    control_curve = _retrain(control, train_set, test_set, seed, recipe, lambda a: progress(f"control {a:.3f}"))
    controlled = unquantised(control)
    deployed = [_deployed(digital, surrogate, settings, train_set) for digital in (software, controlled)]
    curve = _retrain(analog, train_set, test_set, seed, recipe, lambda a: progress(f"retrained {a:.3f}"))
    for layer in analog_layers(analog).values():
        surrogate.domain.check_state(layer.states().detach())
    return SeedResult(
        seed=seed,
        software=accuracy_of(software, test_set),
        deployed=accuracy_of(deployed[0], test_set),
        control=accuracy_of(deployed[1], test_set),
        retrained=curve[-1],
        control_curve=tuple(control_curve),
        retrained_curve=tuple(curve),
        network=analog,
        software_network=software,
    )


def _retrain(
    network: nn.Module,
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


def _deployed(digital: nn.Module, surrogate: Surrogate, settings: LayerSettings, train_set: Images) -> nn.Module:
    """``digital`` as programmed into arrays, calibrated there."""
    deployed = deploy(convert(digital, surrogate, Mapping(settings)))
    calibrate(deployed, train_set.pixels, digital)
    return deployed
