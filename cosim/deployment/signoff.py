"""Sign-off: the retrained network's own charges in the netlist, real images as pulse widths, every VMM in ngspice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cosim.campaigns.campaign import simulate_many
from cosim.errors import InputError
from cosim.files.dataset import DataSet, save_dataset
from cosim.files.provenance import network_hash, of_surrogate
from cosim.spice.ngspice import Ngspice
from netlists.circuits.stimulus import t_stop
from netlists.design import Design
from surrogate.analog import AnalogLayer, analog_layers
from surrogate.analog import summary as summary_of
from surrogate.analog.observed import hooked
from surrogate.data.images import Images
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
    network: nn.Module,
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
    total, done = vmms_of(network, images.pixels), 0
    truth: list[Array] = []
    predicted: list[Array] = []
    energy: list[Array] = []
    hashes: dict[str, str] = {}

    def in_spice(layer: AnalogLayer, given: Tensor, _out: Tensor) -> Tensor:
        nonlocal done
        where, before = folder / f"layer-{len(truth)}", done
        charge, expected, data = _layer_charges(
            design, surrogate, layer, given, engine, where, workers,
            lambda finished, _total: progress(before + finished, total), scheduler,
        )  # fmt: skip
        save_dataset(data, where / "data.h5")
        hashes[f"layer_{len(truth)}"] = data.hash
        done += len(data)
        truth.append(charge.reshape(-1, charge.shape[-1]))
        predicted.append(expected.reshape(-1, charge.shape[-1]))
        energy.append(data.energy)
        scale = surrogate.current_scale * surrogate.time_scale
        shown = torch.from_numpy(charge / scale).to(given)
        return layer.arranged(layer.read_out(shown, layer.durations(given)), given)

    with torch.no_grad():
        surrogate_class = network(images.pixels).argmax(-1)
        with hooked({layer: in_spice for layer in layers.values()}):
            spice_class = network(images.pixels).argmax(-1)
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


def vmms_of(network: nn.Module, pixels: Tensor) -> int:
    """Array VMMs that images of ``pixels`` take on all analog layers of ``network``."""
    return len(pixels) * sum(row.vmms_per_image for row in summary_of(network, pixels[:1]).layers)


def _layer_charges(
    design: Design,
    surrogate: Surrogate,
    layer: AnalogLayer,
    given: Tensor,
    engine: Ngspice,
    folder: Path,
    workers: int | None,
    progress: Progress,
    scheduler: str | None,
) -> tuple[Array, Array, DataSet]:
    """Charges [P, v, G, R, C, M] C of one layer in SPICE and as the surrogate predicts them, and the campaign."""
    if surrogate.state_map is None:
        raise InputError("signoff: the surrogate has no map from states to voltages: fit it to a design's data set")
    settings = layer.settings
    tile_design = design.resized(settings.rows, settings.columns)
    states = layer.states()
    surrogate.domain.check_state(states)
    volts = surrogate.state_map.inverse(states.double()).flatten(0, 2).numpy()
    widths, t = layer.durations(given), layer.tiling
    top = 2**settings.bits - 1
    duration = np.round(widths.double().numpy() * top) / top * design.read.t_max
    per_tile = np.repeat(duration.reshape(-1, settings.rows), t.column_tiles, axis=0)
    matrix = np.tile(np.arange(t.arrays), len(per_tile) // t.arrays)
    data = simulate_many(tile_design, volts, per_tile, matrix, engine, folder, workers, progress, scheduler)
    expected = layer.column_charges(widths, states).double().numpy() * surrogate.current_scale * surrogate.time_scale
    return data.charge.reshape(expected.shape), expected, data
