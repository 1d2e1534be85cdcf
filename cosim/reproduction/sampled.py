"""Sign-off of networks with too many array VMMs for SPICE: a random sample of each layer's, and what their errors would
do to the accuracy.

Of all VMMs that some images take in a layer, a stated number is drawn and simulated. The errors found, charge in SPICE
less charge predicted, are then put back into the network at random: either drawn anew for every VMM, or one for each
array, phase of signed inputs, and all VMMs of the two, as an error that belongs to the array's own cells would be.
Real errors lie between the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

from cosim.campaigns.campaign import simulate_many
from cosim.files.provenance import network_hash, of_surrogate
from cosim.reproduction.signoff import Arrays, require_own_design
from surrogate.analog import AnalogLayer, analog_layers
from surrogate.analog.observed import Hook, hooked, observed
from surrogate.data.images import Images
from surrogate.reproduction.bounds import Interval, accuracy_bounds
from surrogate.scores import decibel
from surrogate.training.evaluation import scores_of

REPLICATES = 10
"""Networks with errors of each kind; each draws from a bootstrap sample of the errors found."""


@dataclass(frozen=True)
class Sample:
    """VMMs of one layer: charges [k, M] C in SPICE and as predicted, of how many they were drawn."""

    truth: np.ndarray
    predicted: np.ndarray
    population: int


def sampled_sign_off(
    arrays: Arrays, network: nn.Module, images: Images, per_layer: int, seed: int, judged: Images, known_accuracy: float
) -> dict[str, Any]:
    """Simulate ``per_layer`` random VMMs of each layer out of those that ``images`` take, and bound by their errors
    the accuracy in SPICE on all test images, of which the surrogate gets ``known_accuracy`` right.

    Each of :data:`REPLICATES` networks with errors of either kind gives bounds (:func:`accuracy_bounds`) by the images
    of ``judged`` that only it or only the surrogate gets right; those returned hold all of them. Raises as
    :func:`cosim.reproduction.signoff.sign_off`.
    """
    layers = analog_layers(network)
    shown = observed(network, layers, images.pixels)
    rng = np.random.default_rng(seed)
    samples = {name: _sample(name, arrays, layer, shown[name].given, per_layer, rng) for name, layer in layers.items()}
    foreseen = _right(network, judged)
    bounds = []
    generator = Generator().manual_seed(seed)
    for common in (False, True):
        for _ in range(REPLICATES):
            with _disturbed(layers, samples, common, generator):
                right = _right(network, judged)
            gained, lost = int((right & ~foreseen).sum()), int((~right & foreseen).sum())
            bounds.append(accuracy_bounds(gained, lost, len(judged), known_accuracy))
    estimate = float(np.mean([b.estimate for b in bounds]))
    widest = Interval(estimate, min(b.low for b in bounds), max(b.high for b in bounds))
    surrogate = next(iter(layers.values())).arrays.surrogate
    return {
        "vmms_per_layer": {name: len(s.truth) for name, s in samples.items()},
        "drawn_of": {name: s.population for name, s in samples.items()}, "images": len(images),
        "judged_images": len(judged), "replicates": 2 * REPLICATES, "seed": seed,
        "ser_by_layer_db": {name: decibel(s.truth, s.predicted) for name, s in samples.items()},
        "ser_db": decibel(*(np.concatenate([getattr(s, x) for s in samples.values()]) for x in ("truth", "predicted"))),
        "vmms": sum(len(s.truth) for s in samples.values()),
        "accuracy_of_all_surrogate": known_accuracy, "accuracy_of_all_spice": asdict(widest),
        "estimates": [b.estimate for b in bounds],
        "provenance": of_surrogate(surrogate, network=network_hash(network.state_dict())).as_dict()
        | {"simulator": arrays.engine.label},
    }  # fmt: skip


def _right(network: nn.Module, images: Images) -> Tensor:
    """Which of ``images`` the network puts into the right class."""
    return scores_of(network, images.pixels).argmax(-1) == images.labels


def _sample(
    name: str, arrays: Arrays, layer: AnalogLayer, given: Tensor, count: int, rng: np.random.Generator
) -> Sample:
    """``count`` VMMs (all where there are fewer) of one layer, drawn without repetition and simulated."""
    require_own_design(layer, arrays.design)
    surrogate, settings = layer.arrays.surrogate, layer.settings
    assert surrogate.state_map is not None
    with torch.no_grad():
        widths, states = layer.durations(given), layer.states()
    surrogate.domain.check_state(states)
    groups, tiles, columns = states.shape[:3]
    widths = widths.flatten(0, 1)
    population = widths.shape[0] * groups * tiles * columns
    drawn = np.sort(rng.choice(population, min(count, population), replace=False))
    which = torch.from_numpy(drawn)
    array = which % (groups * tiles * columns)
    rows = widths.flatten(0, 2)[which // columns]
    volts = surrogate.state_map.inverse(states.double()).flatten(0, 2).numpy()
    used, index = np.unique(array.numpy(), return_inverse=True)
    top = 2**settings.bits - 1
    duration = np.round(rows.double().numpy() * top) / top * arrays.design.read.t_max
    tile = arrays.design.resized(settings.rows, settings.columns)
    data = simulate_many(
        tile, volts[used], duration, index, arrays.engine, arrays.folder / name, arrays.workers, arrays.progress
    )
    flat = states.flatten(0, 2)[array]
    predicted = torch.cat([
        layer.arrays.tiles.tile_charges(row[None, None], state[None, None]).flatten(0, 2)
        for row, state in zip(rows, flat, strict=True)
    ])  # fmt: skip
    scale = surrogate.current_scale * surrogate.time_scale
    return Sample(data.charge, predicted.detach().double().numpy() * scale, population)


@contextmanager
def _disturbed(
    layers: dict[str, AnalogLayer], samples: dict[str, Sample], common: bool, generator: Generator
) -> Iterator[None]:
    """Layers whose charges have errors drawn from their ``samples``; ``common``: one for each array and phase."""
    with hooked({layer: _disturbing(layer, samples[name], common, generator) for name, layer in layers.items()}):
        yield


def _disturbing(layer: AnalogLayer, sample: Sample, common: bool, generator: Generator) -> Hook:
    surrogate, t = layer.arrays.surrogate, layer.tiling
    error = torch.from_numpy((sample.truth - sample.predicted) / (surrogate.current_scale * surrogate.time_scale))
    again = error[torch.randint(len(error), (len(error),), generator=generator)].to(layer.weight.dtype)
    shape = (t.groups, t.row_tiles, t.column_tiles)
    of_array = torch.randint(len(again), (layer.phases_per_input, 1, *shape), generator=generator)

    def hook(_layer: AnalogLayer, given: Tensor, out: Tensor) -> Tensor:
        vmms = layer.windows().vmms(layer.images(given))
        own = (layer.phases_per_input, vmms, *shape)
        drawn = of_array if common else torch.randint(len(again), own, generator=generator)
        wrong = layer.summed(again[drawn], again.new_zeros(())).expand(-1, vmms, -1)
        shift = layer.scaled(wrong) - layer.scaled(torch.zeros_like(wrong))
        return out + layer.arranged(shift, given)

    return hook
