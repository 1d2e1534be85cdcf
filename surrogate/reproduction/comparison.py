"""One seed of the comparison: a software network, its deployment, two networks trained without the layout, and the one
retrained through it. Every step leaves its result in a folder and is not repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import nn

from surrogate.analog import LayerSettings, Mapping, analog_layers, calibrate, convert, deploy, order_rows, to_digital
from surrogate.data.images import DataSet, Images
from surrogate.hashes import network_hash, surrogate_hash
from surrogate.reproduction.kept import Result, digest, kept
from surrogate.stated import ideal_arrays
from surrogate.surrogate import Surrogate
from surrogate.training.evaluation import accuracy_of
from surrogate.training.recipe import Recipe, TrainingRecipe
from surrogate.training.session import Observer, train_in
from surrogate.training.software import BEST, load_software, train_software
from surrogate.training.trainer import Trainer, held_out

RETRAINING_SEED = 1000
"""Added to the seed, so that retraining sees the images in another order than the software network did."""


@dataclass(frozen=True)
class Wires:
    """Which word lines drive a network: in the layers of ``spacing``, by name, inputs lie so many lines apart; where
    they are ``ordered``, neighbours are seldom active together (:mod:`surrogate.analog.ordering`)."""

    spacing: dict[str, int] = field(default_factory=dict)
    ordered: bool = True


AS_THEY_COME = Wires(ordered=False)


@dataclass(frozen=True)
class Plan:
    """What is compared: the software network's recipe, how its twins are retrained (all alike), the standard deviation
    of the relative weight noise of the simple baseline, how many training images calibrate, and the engine's expansion
    (:class:`LayerSettings`) in ``products`` while training, in ``testing`` at every test (None: the one that suits the
    arrays' size). The sign-off compares SPICE with networks as tested. The retrained network's inputs
    lie on ``wires``, those of the networks that it is compared with as they come."""

    software: Recipe
    retraining: TrainingRecipe
    noise: float = 0.1
    calibration: int = 1000
    products: tuple[int, int, int] = (2, 1, 1)
    testing: tuple[int, int, int] | None = None
    wires: Wires = AS_THEY_COME


@dataclass(frozen=True)
class Layout:
    """A layout under its name: the surrogate of its arrays, and how all layers sit on them."""

    name: str
    surrogate: Surrogate
    settings: LayerSettings

    def twin(
        self,
        network: nn.Module,
        products: tuple[int, int, int] | None = None,
        spacing: dict[str, int] | None = None,
    ) -> nn.Module:
        """``network`` on the arrays, the same settings for all layers but perhaps another expansion of the engine, and
        another ``spacing`` of inputs in some layers."""
        apart = {name: {"spacing": lines} for name, lines in (spacing or {}).items()}
        return convert(network, self.surrogate, Mapping.of(replace(self.settings, products=products), apart))


class SeedRun:
    """The comparison for ``seed`` in ``folder``. Accuracies are shares of all test images of ``data``."""

    def __init__(
        self, plan: Plan, data: DataSet, seed: int, folder: Path, device: str = "cpu", observer: Observer | None = None
    ) -> None:
        self.plan, self.data, self.seed, self.folder = plan, data, seed, folder
        self.device, self.observer = device, observer or Observer()
        self._images = data.train.digest(), data.test.digest()

    @cached_property
    def software(self) -> nn.Module:
        """The trained software network."""
        return load_software(self._software_folder / BEST)[0]

    @cached_property
    def software_result(self) -> Result:
        """Accuracy and time of the software network."""
        return self._train_software()

    @property
    def _software_folder(self) -> Path:
        return self.folder / f"software-{digest([self.plan.software.model_dump(), self.seed, self._images])[:8]}"

    def _train_software(self) -> Result:
        def compute() -> Result:
            made = train_software(
                self.plan.software, self._software_folder, self.data, self.seed, self.device, self.observer
            )
            return {"accuracy": made["test_accuracy_best"], "wall_s": made["wall_s"], "cpu_s": made["cpu_s"]}

        depends = [self.plan.software.model_dump(), self.seed, self._images]
        return kept(self._software_folder / "accuracy.json", depends, compute)

    def deployed(self, layout: Layout, network: nn.Module | None = None) -> Result:
        """``network`` (the software network by default) programmed one-hot into the arrays of ``layout``, ranges and
        the gain and offset of each column calibrated, not retrained."""
        chosen = self._trained_software() if network is None else network
        return self._deployed(layout, chosen, AS_THEY_COME, "deployed")

    def deployed_on_wires(self, layout: Layout) -> Result:
        """The software network, deployed with the wires that the retrained one has."""
        return self._deployed(layout, self._trained_software(), self.plan.wires, "wired")

    def on_wires(
        self, layout: Layout, network: nn.Module, products: tuple[int, int, int] | None, wires: Wires
    ) -> nn.Module:
        """``network`` on the arrays of ``layout``, its inputs on ``wires``."""
        twin = layout.twin(network, products, wires.spacing)
        if wires.ordered:
            order_rows(twin, self.data.train.first(self.plan.calibration).pixels, network)
        return twin

    def _deployed(self, layout: Layout, network: nn.Module, wires: Wires, name: str) -> Result:
        made_of = network_hash(network.state_dict())

        def compute() -> Result:
            twin = self.on_wires(layout, network, self.plan.testing, wires)
            return {"accuracy": accuracy_of(self.calibrated(deploy(twin), network), self.data.test)}

        depends = [made_of, self._layout(layout, self.plan.testing), self.plan.calibration, self._images]
        if wires != AS_THEY_COME:
            depends.append(asdict(wires))
        return kept(self.folder / layout.name / f"{name}-{made_of[:8]}.json", depends, compute)

    def calibrated(self, twin: nn.Module, network: nn.Module) -> nn.Module:
        """``twin`` with ranges, gains and offsets that bring its layers closest to those of ``network``."""
        calibrate(twin, self.data.train.first(self.plan.calibration).pixels, reference=network)
        return twin

    def without_layout(self, settings: LayerSettings, noise: float = 0.0) -> tuple[nn.Module, Result]:
        """The network after as many epochs on the ideal quantised model (the control), or on that with ``noise`` on its
        weights alone (the simple baseline), as a digital one, and its accuracy on ideal arrays."""
        ideal = Layout("ideal", ideal_arrays(settings), settings)
        recipe = self.plan.retraining.model_copy(update={"weight_noise": noise})
        name = f"noise-{noise:g}" if noise else "control"
        twin, result = self._trained(ideal, recipe, name, self.folder, AS_THEY_COME)
        return to_digital(twin), result

    def retrained(self, layout: Layout) -> tuple[nn.Module, Result]:
        """The twin on ``layout``, with the plan's wires, after retraining through its surrogate."""
        folder = self.folder / layout.name
        return self._trained(layout, self.plan.retraining, "retrained", folder, self.plan.wires)

    def _trained(
        self, layout: Layout, recipe: TrainingRecipe, name: str, folder: Path, wires: Wires
    ) -> tuple[nn.Module, Result]:
        software = self._trained_software()
        twin = self.calibrated(self.on_wires(layout, software, self.plan.products, wires), software)
        made: dict[str, Any] = {
            "layout": self._layout(layout), "calibration": self.plan.calibration, "products": list(self.plan.products),
        }  # fmt: skip
        if wires != AS_THEY_COME:
            made["wires"] = asdict(wires)
        depends = made | {
            "start": network_hash(software.state_dict()), "recipe": recipe.model_dump(), "seed": self.seed,
            "images": list(self._images),
        }  # fmt: skip
        where = folder / f"{name}-{digest(depends)[:8]}"
        split = held_out(self.data.train, self.plan.software.training.validation)
        trainer = Trainer(twin, split, recipe, self.seed + RETRAINING_SEED, self.device, teacher=software)
        spent = train_in(where, trainer, made, self.observer)
        final = layout.twin(software, self.plan.testing, wires.spacing)
        final.load_state_dict(trainer.best)
        for part in analog_layers(final).values():
            layout.surrogate.domain.check_state(part.states().detach())

        def compute() -> Result:
            accuracy = accuracy_of(final, self.data.test)
            return {"accuracy": accuracy, "best_epoch": trainer.best_epoch, **asdict(spent)}

        tested = depends | {"layout": self._layout(layout, self.plan.testing)}
        return final.eval(), kept(where / "accuracy.json", tested, compute)

    def _trained_software(self) -> nn.Module:
        assert self.software_result
        return self.software

    def _layout(self, layout: Layout, products: tuple[int, int, int] | None = None) -> list[Any]:
        return [surrogate_hash(layout.surrogate), replace(layout.settings, products=products).as_dict()]


@dataclass(frozen=True)
class Compared:
    """One seed on one layout: accuracies, seconds of training, and the retrained network."""

    seed: int
    layout: str
    accuracy: dict[str, float]
    seconds: dict[str, float]
    network: nn.Module


def compare(run: SeedRun, layout: Layout, report: Callable[[str], None] = lambda text: None) -> Compared:
    """All figures of ``run`` on ``layout``: control and noise-injected networks are deployed on it as the software
    network is."""
    accuracy: dict[str, float] = {}
    seconds: dict[str, float] = {}

    def note(name: str, result: Result) -> None:
        accuracy[name] = result["accuracy"]
        seconds[name] = result.get("wall_s", 0.0)
        report(f"seed {run.seed}, {layout.name}: {name} {result['accuracy']:.2%}")

    note("software", run.software_result)
    note("deployed", run.deployed(layout))
    if run.plan.wires != AS_THEY_COME:
        note("wired", run.deployed_on_wires(layout))
    for name, noise in (("control", 0.0), ("noise", run.plan.noise)):
        network, trained = run.without_layout(layout.settings, noise)
        note(f"{name}_ideal", trained)
        note(name, run.deployed(layout, network))
    network, result = run.retrained(layout)
    note("retrained", result)
    return Compared(run.seed, layout.name, accuracy, seconds, network)


def limited(images: Images, count: int | None) -> Images:
    """The first ``count`` images, all for None."""
    return images if count is None else images.first(count)
