"""Learning curves as a table and as a picture."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from surrogate.atomic import replacing
from surrogate.training.trainer import Epoch


def write_curve(curve: Sequence[Epoch], path: Path) -> None:
    """``curve`` as CSV, one row an epoch, accuracies in 0..1; a missing validation accuracy is an empty field."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Epoch)])
        writer.writeheader()
        writer.writerows(asdict(epoch) for epoch in curve)


def draw_curve(curve: Sequence[Epoch], title: str, path: Path) -> None:
    """Loss and accuracies of ``curve`` over the epochs, as SVG."""
    from matplotlib.figure import Figure  # here, as it takes a second to load

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = [x.epoch for x in curve]
    left.plot(epochs, [x.loss for x in curve], "o-", markersize=3)
    left.set(xlabel="epoch", ylabel="training loss", title=title)
    right.plot(epochs, [100 * x.train_accuracy for x in curve], "o-", markersize=3, label="training, as shown")
    validation = [(x.epoch, 100 * x.validation_accuracy) for x in curve if x.validation_accuracy is not None]
    if validation:
        right.plot(*zip(*validation, strict=True), "s-", markersize=3, label="validation")
    right.set(xlabel="epoch", ylabel="accuracy in %")
    right.legend()
    for axes in (left, right):
        axes.grid(alpha=0.3)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None})
