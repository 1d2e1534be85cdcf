"""What wires alone do for a deployed network: its inputs in another order, and word lines left idle between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from surrogate.analog import analog_layers, deploy
from surrogate.reproduction.comparison import AS_THEY_COME, Layout, SeedRun, Wires, limited
from surrogate.training.evaluation import accuracy_of


@dataclass(frozen=True)
class Wired:
    """One way to wire a network: inputs of all its layers and the idle word lines between them, arrays that they take,
    and the share of test images that its deployed twin gets right."""

    wires: str
    word_lines: int
    arrays: int
    accuracy: float


def wired(run: SeedRun, layout: Layout, images: int | None = None) -> Iterator[Wired]:
    """The software network of ``run`` on ``layout`` in five ways, tested with the first ``images`` test images, ranges
    and each column's gain and offset calibrated, nothing retrained."""
    assert run.software_result
    network = run.software
    names = list(analog_layers(layout.twin(network)))
    first, all_of_them = {names[0]: 2}, dict.fromkeys(names, 2)
    for title, wires in (
        ("as they come", AS_THEY_COME),
        ("in order", Wires()),
        ("first layer apart", Wires(first, ordered=False)),
        ("in order, first layer apart", Wires(first)),
        ("all layers apart", Wires(all_of_them, ordered=False)),
    ):
        twin = run.on_wires(layout, network, run.plan.testing, wires)
        tilings = [layer.tiling for layer in analog_layers(twin).values()]
        fixed = run.calibrated(deploy(twin), network)
        yield Wired(
            title,
            sum(t.fan_in * t.groups for t in tilings),
            sum(t.arrays for t in tilings),
            accuracy_of(fixed, limited(run.data.test, images)),
        )
