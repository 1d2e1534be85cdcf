"""Sign-off of any network on arrays: images run through it with every array VMM in ngspice and the rest in torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cosim.campaigns.campaign import simulate_many
from cosim.errors import InputError
from cosim.files.dataset import save_dataset
from cosim.files.provenance import network_hash, of_surrogate
from cosim.spice.ngspice import Ngspice
from netlists.design import Design
from surrogate.analog import AnalogLayer, analog_layers
from surrogate.analog.observed import Hook, hooked, watched
from surrogate.data.images import Images
from surrogate.reproduction.bounds import accuracy_bounds, share_bounds
from surrogate.scores import decibel
from surrogate.training.evaluation import scores_of

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Arrays:
    """Where and by what array VMMs are simulated."""

    design: Design
    engine: Ngspice
    folder: Path
    workers: int | None = None
    progress: Progress = lambda done, total: None


@dataclass
class Comparison:
    """Charges [k, M] C in SPICE and as the surrogate predicts them for the same inputs, layer by layer; equal VMMs
    (the same array, the same pulse widths) are ``simulated`` once."""

    truth: dict[str, Array] = field(default_factory=dict)
    predicted: dict[str, Array] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    simulated: dict[str, int] = field(default_factory=dict)

    def ser(self, name: str) -> float:
        """SER of the charges of the layer ``name``, dB."""
        return decibel(self.truth[name], self.predicted[name])

    def ser_of_all(self) -> float:
        """SER of the charges of all layers, dB."""
        return decibel(*(np.concatenate(list(part.values())) for part in (self.truth, self.predicted)))


def sign_off(arrays: Arrays, network: nn.Module, images: Images, known_accuracy: float) -> dict[str, Any]:
    """Run ``images`` through ``network``: later layers get what the SPICE results of those before them give.

    The surrogate's share ``known_accuracy`` of right classes among all test images, together with the images on which
    SPICE differs from it, bounds the accuracy that SPICE would give for all of them: as if ``images`` were drawn at
    random. Every finished VMM is kept in the folder. Raises ``InputError`` where network and design do not belong
    together or a layer is not called exactly once, ``SimulationError`` where a VMM fails.
    """
    layers = analog_layers(network)
    found = Comparison()
    with watched(network, layers):  # before anything is simulated
        expected = scores_of(network, images.pixels, batch=len(images)).argmax(-1)
    with hooked({layer: _in_spice(name, arrays, found) for name, layer in layers.items()}):
        seen = scores_of(network, images.pixels, batch=len(images)).argmax(-1)
    surrogate = next(iter(layers.values())).arrays.surrogate
    right, foreseen = seen == images.labels, expected == images.labels
    gained, lost, count = int((right & ~foreseen).sum()), int((~right & foreseen).sum()), len(images)
    return {
        "images": count, "vmms": sum(map(len, found.truth.values())), "simulated_vmms": sum(found.simulated.values()),
        "class_agreement": asdict(share_bounds(int((seen == expected).sum()), count)),
        "accuracy_spice": float(right.double().mean()), "accuracy_surrogate": float(foreseen.double().mean()),
        "accuracy_of_all_surrogate": known_accuracy,
        "accuracy_of_all_spice": asdict(accuracy_bounds(gained, lost, count, known_accuracy)),
        "ser_db": found.ser_of_all(), "ser_by_layer_db": {name: found.ser(name) for name in found.truth},
        "label": images.labels.tolist(), "spice_class": seen.tolist(), "surrogate_class": expected.tolist(),
        "provenance": of_surrogate(
            surrogate, network=network_hash(network.state_dict()), **found.hashes
        ).as_dict() | {"simulator": arrays.engine.label},
    }  # fmt: skip


def _in_spice(name: str, arrays: Arrays, found: Comparison) -> Hook:
    """A hook that puts what SPICE gives in the place of a layer's output."""

    def hook(layer: AnalogLayer, given: Tensor, out: Tensor) -> Tensor:
        widths, states = layer.durations(given), layer.states()
        charge = _charges(name, arrays, layer, widths, states, found)
        return layer.arranged(layer.read_out(charge.to(out.dtype), widths), given)

    return hook


def _charges(
    name: str, arrays: Arrays, layer: AnalogLayer, widths: Tensor, states: Tensor, found: Comparison
) -> Tensor:
    """Charges [P, v, G, R, C, M] (current scale x t_max) of pulse widths [P, v, G, R, N] in SPICE."""
    surrogate, settings, design = layer.arrays.surrogate, layer.settings, arrays.design
    require_own_design(layer, design)
    assert surrogate.state_map is not None
    surrogate.domain.check_state(states)
    g, r, c = states.shape[:3]
    volts = surrogate.state_map.inverse(states.double()).flatten(0, 2).numpy()
    top = 2**settings.bits - 1
    codes = np.round(widths.double().numpy() * top)
    duration = np.repeat((codes / top * design.read.t_max)[..., None, :], c, axis=-2).reshape(-1, settings.rows)
    array = np.tile(np.arange(g * r * c), len(duration) // (g * r * c))
    tile = design.resized(settings.rows, settings.columns)
    data = simulate_many(
        tile, volts, duration, array, arrays.engine, arrays.folder / name, arrays.workers, arrays.progress
    )
    save_dataset(data, arrays.folder / name / "data.h5")
    scale = surrogate.current_scale * surrogate.time_scale
    predicted = layer.column_charges(widths, states)
    found.truth[name] = data.charge
    found.predicted[name] = predicted.double().flatten(0, -2).numpy() * scale
    found.hashes[f"layer_{name}"] = data.hash
    found.simulated[name] = len(np.unique(np.column_stack([array, duration]), axis=0))
    return torch.from_numpy(data.charge / scale).reshape(predicted.shape)


def require_own_design(layer: AnalogLayer, design: Design) -> None:
    """Raise ``InputError`` unless the surrogate of ``layer`` was fitted to programmed arrays of ``design``."""
    surrogate = layer.arrays.surrogate
    if surrogate.provenance.get("design_hash") != design.hash:
        raise InputError("signoff: the surrogate was fitted to another design: sign off with its own design file")
    if surrogate.state_map is None:
        raise InputError("signoff: the surrogate has no map from states to voltages: fit it to a design's data set")
