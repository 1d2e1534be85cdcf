"""The training loop: steps, epochs, and a state from which it goes on to the bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

from surrogate.data.images import Images
from surrogate.errors import InputError
from surrogate.hashes import network_hash
from surrogate.training.augmentation import augmented
from surrogate.training.evaluation import accuracy_of
from surrogate.training.losses import objective_of
from surrogate.training.noise import Forward, as_it_is, with_weight_noise
from surrogate.training.optimisers import make_optimiser, make_schedule, rate_of
from surrogate.training.recipe import Augmentation, TrainingRecipe

HELD_OUT_SEED = 0
"""The validation images are the same for every seed."""


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to: training loss, mean of its batches, training accuracy as the images were shown
    (augmented, with noise), accuracy on the validation images (None without any), and the last learning rate."""

    epoch: int
    loss: float
    train_accuracy: float
    validation_accuracy: float | None
    rate: float


@dataclass(frozen=True)
class Split:
    """The images that are trained on and those held out (None where the recipe holds out none)."""

    train: Images
    validation: Images | None


def held_out(images: Images, count: int) -> Split:
    """``count`` of ``images`` held out at random, always the same. Raises :class:`InputError` where none are left."""
    if count == 0:
        return Split(images, None)
    if count >= len(images):
        raise InputError(f"training.validation: {count} of {len(images)} training images: leave some to train on")
    order = torch.randperm(len(images), generator=Generator().manual_seed(HELD_OUT_SEED))
    return Split(images.chosen(order[count:].sort().values), images.chosen(order[:count].sort().values))


class Trainer:
    """A network in training. It is changed in place; ``curve`` has one entry an epoch, ``best`` the weights of the
    best one. Between two calls of :meth:`step` it may be left, and later go on from :meth:`state`. A recipe that
    distils learns from a copy of ``teacher``."""

    def __init__(
        self,
        network: nn.Module,
        split: Split,
        recipe: TrainingRecipe,
        seed: int,
        device: str = "cpu",
        forward: Forward | None = None,
        teacher: nn.Module | None = None,
    ) -> None:
        if split.train.pixels.ndim != 4 and recipe.augmentation != Augmentation():
            raise InputError(f"training.augmentation: {split.train.name} has flat images: leave it out")
        self._start = network_hash(network.state_dict())
        self._taught_by = network_hash(teacher.state_dict()) if teacher and recipe.distillation else None
        self.network = network.to(device)
        if recipe.memory == "channels_last":
            self.network = self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.device = torch.device(device)
        self._objective = objective_of(recipe, self.network, teacher, self.device)
        self.split, self.recipe, self._seed = split, recipe, seed
        self._forward = forward or (with_weight_noise(recipe.weight_noise) if recipe.weight_noise else as_it_is)
        self._pixels, self._labels = split.train.pixels.to(device), split.train.labels.to(device)
        self._epoch_images = min(len(split.train), recipe.epoch_images or len(split.train))
        self.steps_per_epoch = -(-self._epoch_images // recipe.batch)
        self.optimiser = make_optimiser(recipe.optimiser, self.network)
        self.schedule = make_schedule(recipe.schedule, self.optimiser, self.steps)
        self._order_generator = Generator().manual_seed(seed)
        self._change_generator = Generator().manual_seed(seed + 1_000_003)
        self._noise_generator = Generator().manual_seed(seed + 2_000_003)
        self.curve: list[Epoch] = []
        self.best: dict[str, Tensor] = {}
        self.best_epoch = 0
        self._begin_epoch()

    @property
    def finished(self) -> bool:
        """Whether all epochs are done."""
        return len(self.curve) >= self.recipe.epochs

    @property
    def steps_done(self) -> int:
        """Steps since the beginning."""
        return len(self.curve) * self.steps_per_epoch + self._step

    @property
    def steps(self) -> int:
        """Steps of all epochs."""
        return self.recipe.epochs * self.steps_per_epoch

    def identity(self) -> dict[str, Any]:
        """Which training this is, of JSON's types: ``seed``, ``recipe``, digests of the ``images`` that are trained on
        and of those held out for ``validation``, and a hash of the network that it is ``taught_by`` (None for none of
        either). Takes about a second for 200 MB of pixels."""
        validation = self.split.validation
        return {
            "seed": self._seed, "recipe": self.recipe.model_dump(mode="json"), "images": self.split.train.digest(),
            "validation": None if validation is None else validation.digest(), "taught_by": self._taught_by,
        }  # fmt: skip

    def start(self) -> str:
        """A hash of all tensors of the network as training found them."""
        if self.steps_done == 0:  # they may have been loaded after this trainer was made
            self._start = network_hash(self.network.state_dict())
        return self._start

    def _begin_epoch(self) -> None:
        self._step = 0
        self._loss = torch.zeros((), dtype=torch.float64, device=self.device)
        self._right = torch.zeros((), dtype=torch.int64, device=self.device)
        self._epoch_start = self._order_generator.get_state()
        order = torch.randperm(len(self._labels), generator=self._order_generator)
        self._order = order[: self._epoch_images]
        self.network.train()

    def step(self) -> None:
        """One batch; after the last one of an epoch the validation images, too."""
        recipe = self.recipe
        index = self._order[self._step * recipe.batch : (self._step + 1) * recipe.batch].to(self.device)
        pixels, labels = self._pixels[index], self._labels[index]
        if pixels.ndim == 4:
            pixels = augmented(pixels, recipe.augmentation, self._change_generator)
            if recipe.memory == "channels_last":
                pixels = pixels.contiguous(memory_format=torch.channels_last)
        self.optimiser.zero_grad()
        with self._precision():
            found = self._objective(self._scores, pixels, labels, self.steps_done / self.steps)
        if self.steps_done == 0 and not bool(torch.isfinite(found.loss)):
            raise self._not_finite(float(found.loss.detach()))
        found.loss.backward()
        self.optimiser.step()
        self.schedule.step()
        self._loss += found.loss.detach().double() * len(index)
        self._right += (found.scores.detach().argmax(-1) == labels).sum()
        self._step += 1
        if self._step == self.steps_per_epoch:
            self._end_epoch()

    def _scores(self, pixels: Tensor) -> Tensor:
        images, batch, classes = self.split.train, self.recipe.batch, len(self.split.train.classes)
        try:
            scores = self._forward(self.network, pixels, self._noise_generator)
        except ValueError as error:
            if len(pixels) == 1 and "more than 1 value per channel" in str(error):
                raise InputError(f"training.batch: {batch} of {self._epoch_images} images leave one image alone, too "
                                 "few for batch norm: choose another") from None  # fmt: skip
            raise
        if scores.ndim != 2 or scores.shape[1] < classes:
            raise InputError(f"network: scores {list(scores.shape)} of {len(pixels)} images, but {images.name} has "
                             f"{classes} classes: give one score for each")  # fmt: skip
        return scores

    def _precision(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bfloat16")

    def _end_epoch(self) -> None:
        count = self._epoch_images
        loss = float(self._loss) / count
        if not np.isfinite(loss):
            raise self._not_finite(loss)
        validation = self.split.validation
        reached = accuracy_of(self.network, validation, self.recipe.batch) if validation is not None else None
        rate = rate_of(self.optimiser)
        self.curve.append(Epoch(len(self.curve) + 1, loss, int(self._right) / count, reached, rate))
        if reached is None or not self.best or reached > self._best_reached():
            self.best = {name: value.detach().cpu().clone() for name, value in self.network.state_dict().items()}
            self.best_epoch = len(self.curve)
        self._begin_epoch()

    def _not_finite(self, loss: float) -> InputError:
        """What is to blame for a ``loss`` that is no number: the rate only where steps have been taken at it."""
        if not bool(torch.isfinite(self._pixels).all()):
            return InputError(
                f"{self.split.train.name}: pixels that are not finite: the loss is {loss}: mend the images"
            )
        if self.steps_done:
            epoch = len(self.curve) + 1
            return InputError(f"training.optimiser.rate: the loss is {loss} in epoch {epoch}: lower it")
        wrong = (name for name, p in self.network.named_parameters() if not bool(torch.isfinite(p).all()))
        which = next((f"its {name} is not finite" for name in wrong), "what it or its teacher gives is not finite")
        return InputError(f"network: the loss is {loss} before the first step, as {which}: start from another")

    def _best_reached(self) -> float:
        return self.curve[self.best_epoch - 1].validation_accuracy or 0.0

    @contextmanager
    def own_generators(self) -> Iterator[None]:
        """Within this context torch's and numpy's global generators, from which dropout and the like draw, are this
        training's own; after it they are as they were."""
        before = np.random.get_state(legacy=True)  # noqa: NPY002 - a module may draw from it
        try:
            with torch.random.fork_rng():
                torch.manual_seed(self._seed)
                np.random.seed(self._seed % 2**32)  # noqa: NPY002
                yield
        finally:
            np.random.set_state(before)  # noqa: NPY002

    def run(self, after_epoch: Callable[[Epoch], None] = lambda epoch: None) -> None:
        """All remaining steps; torch's and numpy's global generators are left as they were."""
        with self.own_generators():
            while not self.finished:
                epochs = len(self.curve)
                self.step()
                if len(self.curve) > epochs:
                    after_epoch(self.curve[-1])

    def state(self) -> dict[str, Any]:
        """Everything that :meth:`load_state` needs to go on exactly from here: tensors and plain values only."""
        kind, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": {k: v for k, v in self.schedule.state_dict().items() if not callable(v)},
            "curve": [asdict(epoch) for epoch in self.curve],
            "best": self.best, "best_epoch": self.best_epoch,
            "step": self._step, "loss": self._loss.cpu(), "right": self._right.cpu(),
            "order": self._epoch_start,
            "change": self._change_generator.get_state(), "noise": self._noise_generator.get_state(),
            "torch": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all(),
            "numpy": [kind, torch.tensor(np.asarray(keys, dtype=np.int64)), *rest],
        }  # fmt: skip

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from ``state``, the :meth:`state` of a trainer made with equal arguments.

        Raises ``KeyError``, ``ValueError``, ``TypeError`` or ``RuntimeError`` where it is not.
        """
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.curve = [Epoch(**epoch) for epoch in state["curve"]]
        self.best, self.best_epoch = state["best"], state["best_epoch"]
        self._order_generator.set_state(state["order"])
        self._begin_epoch()
        self._step = state["step"]
        if not 0 <= self._step < self.steps_per_epoch:
            raise ValueError(f"step {self._step} of epochs of {self.steps_per_epoch}")
        self._loss, self._right = state["loss"].to(self.device), state["right"].to(self.device)
        self._change_generator.set_state(state["change"])
        self._noise_generator.set_state(state["noise"])
        torch.set_rng_state(state["torch"])
        if torch.cuda.device_count() == len(state["cuda"]):
            torch.cuda.set_rng_state_all(state["cuda"])
        kind, keys, *rest = state["numpy"]
        np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
