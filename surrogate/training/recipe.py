"""Recipes: what is trained on which data and how, validated; in YAML files or made in Python."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from surrogate.data.catalogue import NAMES
from surrogate.networks.recipe import NetworkRecipe
from surrogate.strict import Strict

Count = Annotated[int, Field(ge=1, le=1_000_000)]
Share = Annotated[float, Field(ge=0, lt=1)]
Rate = Annotated[float, Field(gt=0, le=100)]


class Sgd(Strict):
    """Stochastic gradient descent; Nesterov's momentum where there is any."""

    kind: Literal["sgd"] = "sgd"
    rate: Rate
    momentum: Share = 0.9
    weight_decay: Share = 0.0


class Adam(Strict):
    """Adam, its weight decay an L2 term of the loss."""

    kind: Literal["adam"] = "adam"
    rate: Rate
    weight_decay: Share = 0.0


class AdamW(Strict):
    """Adam with decoupled weight decay."""

    kind: Literal["adamw"] = "adamw"
    rate: Rate
    weight_decay: Share = 0.01


class RelativeAdam(Strict):
    """Adam with a rate of each tensor's own: the share ``rate`` of the root mean square that its values start with, so
    that layers of small and of large weights are retrained alike. It has a warm start to begin from: tensors of zeros
    hardly move."""

    kind: Literal["relative-adam"] = "relative-adam"
    rate: Rate


class Constant(Strict):
    """The optimiser's rate throughout."""

    kind: Literal["constant"] = "constant"


class Cosine(Strict):
    """Half a cosine from the optimiser's rate to 0, one update a step."""

    kind: Literal["cosine"] = "cosine"


class OneCycle(Strict):
    """From rate/25 up to the optimiser's rate over ``warmup`` of all steps, then down to nearly 0, both as cosines."""

    kind: Literal["one-cycle"] = "one-cycle"
    warmup: Annotated[float, Field(gt=0, lt=1)] = 0.3


class Augmentation(Strict):
    """What is done to every training image each time it is shown: mirrored left to right half of the time (``flip``),
    and shifted by up to ``shift`` pixels each way, zeros moving in."""

    flip: bool = False
    shift: Annotated[int, Field(ge=0, le=16)] = 0


class Distillation(Strict):
    """Learning from what the network says that training starts from: ``share`` of the loss is the distance from its
    classes' probabilities at ``temperature``, the rest is that of the labels. ``features`` times the squared relative
    errors of all layers on arrays are added until the share ``features_until`` of all steps is done
    (:mod:`surrogate.training.losses`)."""

    temperature: Annotated[float, Field(gt=0, le=100)] = 2.0
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    features: Annotated[float, Field(ge=0, le=1000)] = 0.0
    features_until: Annotated[float, Field(gt=0, le=1)] = 1.0


class TrainingRecipe(Strict):
    """How any network is trained.

    ``validation`` images of the training set are held out: the best epoch is chosen by them, never by the test set;
    with 0 the last epoch is the best. ``weight_noise`` is the standard deviation of the relative Gaussian noise that
    every weight is given anew at each step (0: none). ``precision`` bfloat16 runs matrix products in it (autocast).
    ``epoch_images`` of the training images, drawn anew for each, make an epoch (None: all): for networks whose images
    are dear. ``distillation`` is for retraining, which has a network to learn from.
    """

    epochs: Annotated[int, Field(ge=1, le=10_000)]
    batch: Count = 64
    epoch_images: Count | None = None
    validation: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    optimiser: Annotated[Sgd | Adam | AdamW | RelativeAdam, Field(discriminator="kind")]
    schedule: Annotated[Constant | Cosine | OneCycle, Field(discriminator="kind")] = Cosine()
    label_smoothing: Share = 0.0
    distillation: Distillation | None = None
    augmentation: Augmentation = Augmentation()
    weight_noise: Annotated[float, Field(ge=0, le=10)] = 0.0
    precision: Literal["float32", "bfloat16"] = "float32"
    memory: Literal["contiguous", "channels_last"] = "contiguous"


class Recipe(Strict):
    """A software network, its data set and its training."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
    data: Literal[NAMES]  # type: ignore[valid-type]
    network: NetworkRecipe
    training: TrainingRecipe
