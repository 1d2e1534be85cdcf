"""Sign-off: the retrained network's own charges in the netlist, real images as pulse widths, every VMM in ngspice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cosim.campaign import simulate_many
from cosim.dataset import DataSet, save_dataset
from cosim.errors import InputError
from cosim.ngspice import Ngspice
from cosim.provenance import network_hash, of_surrogate
from netlists.design import Design
from netlists.stimulus import t_stop
from surrogate.data.images import Images
from surrogate.layers import AnalogLinear
from surrogate.network import Perceptron, analog_layers
from surrogate.scores import decibel
from surrogate.surrogate import Surrogate

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class SignOff:
    """What SPICE says of a network: ``summary`` for JSON, and all column charges [k, M] C, SPICE's and predicted.

    The runs of layer k are a data set of their own, ``layer-k/data.h5`` in the sign-off's folder.
    """

    summary: dict[str, Any]
    charge: Array
    predicted: Array


def sign_off(
    design: Design,
    surrogate: Surrogate,
    network: Perceptron,
    images: Images,
    engine: Ngspice,
    folder: Path,
    workers: int | None = None,
    progress: Progress = lambda done, total: None,
    scheduler: str | None = None,
) -> SignOff:
    """Run ``images`` through ``network`` with every array in ngspice and the rest in torch.

    The VMMs are executed by ``workers`` threads here or by the Dask cluster behind the address ``scheduler``.

    Later layers get what the SPICE results of the layers before them give. Raises ``InputError`` where surrogate and
    design do not belong together, ``SimulationError`` where a VMM fails.
    """
    if surrogate.provenance.get("design_hash") != design.hash:
        raise InputError("signoff: the surrogate was fitted to another design: sign off with its own design file")
    count = len(images.labels)
    layers = analog_layers(network)
    total = sum(layer.row_tiles * layer.column_tiles for layer in layers) * count
    truth, predicted, energy, hashes, done = [], [], [], {}, 0
    given = images.pixels
    with torch.no_grad():
        surrogate_class = network(images.pixels).argmax(-1)
        for k, layer in enumerate(layers):

            def report(finished: int, _total: int, before: int = done) -> None:
                progress(before + finished, total)

            where = folder / f"layer-{k}"
            charge, expected, data = _layer_charges(
                design, surrogate, layer, given, engine, where, workers, report, scheduler
            )
            save_dataset(data, where / "data.h5")
            hashes[f"layer_{k}"] = data.hash
            done += len(data)
            truth.append(charge.reshape(-1, charge.shape[-1]))
            predicted.append(expected.reshape(-1, charge.shape[-1]))
            energy.append(data.energy)
            scale = surrogate.current_scale * surrogate.time_scale
            out = layer.read_out(torch.from_numpy(charge / scale).float())
            given = (torch.relu(out) / network.ranges[k]).clamp(0, 1) if k + 1 < len(layers) else out
    spice_class = given.argmax(-1)
    q, p, joules = np.concatenate(truth), np.concatenate(predicted), np.concatenate(energy)
    summary = {
        "images": count,
        "class_agreement": float((spice_class == surrogate_class).double().mean()),
        "ser_db": decibel(q, p),
        "ser_pair_db": decibel(q[:, 0::2] - q[:, 1::2], p[:, 0::2] - p[:, 1::2]),
        "accuracy_spice": float((spice_class == images.labels).double().mean()),
        "accuracy_surrogate": float((surrogate_class == images.labels).double().mean()),
        "label": images.labels.tolist(),
        "spice_class": spice_class.tolist(),
        "surrogate_class": surrogate_class.tolist(),
        "vmms": len(q),
        "energy_per_vmm_j": float(joules.mean()),
        "energy_per_image_j": float(joules.sum() / count),
        "time_per_vmm_s": t_stop(design),
        "provenance": replace(
            of_surrogate(surrogate, network=network_hash(network.state_dict()), **hashes),
            simulator=engine.label,
            options=engine.options(),
        ).as_dict(),
    }
    return SignOff(summary, q, p)


def _layer_charges(
    design: Design,
    surrogate: Surrogate,
    layer: AnalogLinear,
    given: Tensor,
    engine: Ngspice,
    folder: Path,
    workers: int | None,
    progress: Progress,
    scheduler: str | None,
) -> tuple[Array, Array, DataSet]:
    """Charges [b, R, C, M] C of one layer in SPICE and as the surrogate predicts them, and the campaign."""
    if surrogate.state_map is None:
        raise InputError("signoff: the surrogate has no map from states to voltages: fit it to a design's data set")
    settings = layer.settings
    tile_design = design.resized(settings.rows, settings.columns)
    states = layer.states()
    surrogate.domain.check_state(states)
    volts = surrogate.state_map.inverse(states.double()).flatten(0, 1).numpy()
    widths = layer.durations(given)
    b, r, c = len(given), layer.row_tiles, layer.column_tiles
    top = 2**settings.bits - 1
    duration = np.round(widths.double().numpy() * top) / top * design.read.t_max
    per_tile = np.repeat(duration[:, :, None], c, axis=2).reshape(b * r * c, settings.rows)
    matrix = np.tile(np.arange(r * c), b)
    data = simulate_many(tile_design, volts, per_tile, matrix, engine, folder, workers, progress, scheduler)
    expected = layer.column_charges(widths, states).double().numpy() * surrogate.current_scale * surrogate.time_scale
    return data.charge.reshape(b, r, c, -1), expected, data
