"""Every reader of files that a user may be handed, each with a valid small file: for the hostile and the fuzz tests.

A new reader is one line of :data:`READERS`.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import numpy as np
import torch
from small_designs import BASE

from cosim.campaigns.samples import SampleStore
from cosim.commands.parasitics import write_parasitics
from cosim.deployment.networks import load_network, save_network, tile_settings
from cosim.errors import InputError
from cosim.files.dataset import DataSet, load_dataset, save_dataset
from cosim.files.measurements import load_durations, load_measurements, save_measurements
from cosim.run_folder.report import read_run
from cosim.spice.rawfile import read_raw
from cosim.vmm.sample import Sample
from cosim.vmm.waveforms import Waveforms, load_waveforms
from netlists.design import Design
from netlists.designfile import dump_design, load_design
from netlists.parasitics.read import read_parasitics
from surrogate.analog import Mapping, convert
from surrogate.errors import InputError as SurrogateInputError
from surrogate.files import load_surrogate, save_surrogate
from surrogate.parameters import SIZE, start_values
from surrogate.state_map import StateMap
from surrogate.surrogate import Domain, Surrogate
from surrogate.training.comparison import software_network

ROWS, COLUMNS = 4, 2
STAGES = ("software", "deployed", "control", "retrained")


@cache
def design() -> Design:
    """A 4x2 array of MOS cells."""
    data = copy.deepcopy(BASE)
    data["array"].update(rows=ROWS, columns=COLUMNS)
    return Design.model_validate(data)


@cache
def surrogate() -> Surrogate:
    """A validated surrogate of :func:`design`, with neutral parameters."""
    roles = {"ser_db": 50.0, "ser_centred_db": 47.0, "ser_worst_column_db": 44.0, "median_cell_error": None, "count": 3}
    return Surrogate(
        shared=start_values(),
        shared_error=torch.full((SIZE,), 0.01, dtype=torch.float64),
        current_scale=1e-6,
        time_scale=design().read.t_max,
        domain=Domain(design().read.t_edge, design().read.t_max, -6.0, 6.0, ROWS, COLUMNS),
        state_map=StateMap(torch.tensor([0.0, 10.0, 0.0, 0.0], dtype=torch.float64), 0.5, 0.5),
        provenance={"design": "test", "design_hash": design().hash, "design_yaml": dump_design(design())},
        report={
            "passed": True, "failed": [], "roles": {"patterns": roles, "weights": roles},
            "levels": {"ser": 45.0, "ser_centred": 40.0, "ser_worst_column": 40.0, "median_cell_error": 0.02},
            "budget": [{"effect": "crosstalk", "ser_db": 9.0}],
        },
    )  # fmt: skip


@cache
def measured() -> Surrogate:
    """A surrogate of a measured array."""
    state = torch.linspace(-2, 2, ROWS * COLUMNS, dtype=torch.float64).reshape(ROWS, COLUMNS)
    return replace(surrogate(), state_map=None, state=state, state_error=state.abs(), provenance={}, report=None)


@cache
def dataset() -> DataSet:
    """Runs whose charges are the surrogate's own."""
    rng = np.random.default_rng(1)
    role = ("fit",) * 3 + ("patterns",) * 2 + ("weights",) * 2
    n, slots, read = len(role), 18, design().read
    cells, index = rng.uniform(0.4, 0.6, (2, ROWS, COLUMNS)), np.array([0] * 5 + [1] * 2)
    duration = rng.uniform(read.t_edge, read.t_max, (n, ROWS))
    charge = surrogate().charge(duration, surrogate().states(cells)[torch.from_numpy(index)])
    return DataSet(
        duration=duration, cells=cells, weights_index=index, role=role, charge=charge,
        slot_sample=np.repeat(np.arange(3), slots // 3), slot_active=rng.random((slots, ROWS)) < 0.5,
        slot_current=rng.uniform(1e-9, 1e-6, (slots, COLUMNS)), energy=1.3 * np.abs(charge).sum(axis=1),
        attempt=np.zeros(n, dtype=np.int64), floating_gate_return=np.full(n, 1e-7),
        passes=np.zeros(n, dtype=np.int64), split_error=np.zeros(n), design_yaml=dump_design(design()),
        design_hash=design().hash, simulator="ngspice-46 KLU", options='{"gmin": 1e-15, "klu": null}',
        deck_hash="d" * 64, code_version="fgcosim test", seed=7,
    )  # fmt: skip


def waveforms() -> Waveforms:
    """Made-up waveforms of :func:`design`."""
    time = np.linspace(0, 2.2e-7, 12)
    wave = np.sin(1e8 * time)
    return Waveforms(
        time=time, driver=np.tile(wave, (ROWS, 1)), gate=np.tile(wave, (2, 1)), gate_index=np.array([[0, 1], [1, 1]]),
        clamp=np.tile(wave, (COLUMNS, 1)), duration=dataset().duration[0], pulse_start=2e-9,
    )  # fmt: skip


def write_waveforms(path: Path) -> None:
    """As the program writes them."""
    arrays = {name: value for name, value in vars(waveforms()).items()}
    np.savez_compressed(path, **arrays)


def run_files() -> dict[str, Any]:
    """The JSON files of a run folder."""
    seed = {**dict.fromkeys(STAGES, 0.9), "control_curve": [0.8, 0.9], "retrained_curve": [0.7, 0.95]}
    tile = {"layer": "64x32", "arrays": 1, "rows": 4, "columns": 2, "cells_used": 8, "utilisation": 1.0}
    accuracy = {f"{stage}{end}": x for stage in STAGES for end, x in (("", 0.9), ("_std", 0.01))}
    return {
        "network.json": {"seeds": [{"seed": k, **seed} for k in (0, 1)], "tiles": [{**tile, "vmms_per_image": 1}]},
        "signoff.json": {
            "images": 2, "class_agreement": 0.5, "ser_db": 50.0, "ser_pair_db": 44.0, "accuracy_spice": 0.5,
            "accuracy_surrogate": 1.0, "label": [3, 4], "spice_class": [3, 9], "surrogate_class": [3, 4], "vmms": 8,
            "energy_per_vmm_j": 7e-12, "energy_per_image_j": 2.8e-11, "time_per_vmm_s": 2.2e-7,
        },
        "summary.json": {
            "spice": {"simulator": "ngspice-46", "klu": True, "runs": 9},
            "surrogate": {"ser_db": {"patterns": 50.1, "weights": 49.9}},
            "ideal": {"ser_db": {"one_hot": 8.0, "least_squares": 17.0}},
            "network": {"accuracy": accuracy},
            "wall_seconds": {"simulate": 75.0, "fit": 3.0, "total": 4000.0},
        },
    }  # fmt: skip


def write_run(path: Path) -> None:
    """A whole run folder, of which ``path`` is one file."""
    save_surrogate(surrogate(), path.parent / "surrogate.safetensors")
    save_dataset(dataset(), path.parent / "data.h5")
    write_waveforms(path.parent / "waveforms.npz")
    for name, content in run_files().items():
        (path.parent / name).write_text(json.dumps(content), encoding="utf-8")


def write_raw(path: Path) -> None:
    """A raw file of three vectors."""
    names = "".join(f"\t{k}\t{name}\tvoltage\n" for k, name in enumerate(("time", "v(a)", "i(vclamp_0)")))
    header = f"Title: t\nFlags: real\nNo. Variables: 3\nNo. Points: 4\nVariables:\n{names}Binary:\n"
    path.write_bytes(header.encode() + np.arange(12, dtype="<f8").tobytes())


def write_sample(path: Path) -> None:
    """A finished run; of fields that are not known here, the zero of their type."""
    data = dataset()
    known = {"charge": data.charge[0], "slot_active": data.slot_active[:6], "slot_current": data.slot_current[:6]}
    others = {name: (get_origin(kind) or kind)() for name, kind in get_type_hints(Sample).items() if name not in known}
    SampleStore(path.parent).save(path.stem, Sample(**known, **others))


def write_measurements(path: Path) -> None:
    """The runs of :func:`dataset`."""
    save_measurements(dataset().duration, dataset().charge, path)


def write_durations(path: Path) -> None:
    """Pulse widths alone."""
    path.write_text("T_0,T_1,T_2,T_3\n0,1e-8,2e-8,0\n1e-7,0,0,5e-8\n", encoding="utf-8")


def write_network(path: Path) -> None:
    """A network on arrays of :func:`surrogate`, untrained."""
    network = convert(software_network(0), surrogate(), Mapping(tile_settings(design())))
    save_network(network, surrogate(), 0, path)


@dataclass(frozen=True)
class Reader:
    """A kind of file: its ``name`` in a folder, how a valid one is written and how it is read.

    ``read`` gives a usable value, or None where a damaged file is the same as an absent one, or raises one of
    ``errors`` with one line that says which file and why.
    """

    kind: str
    name: str
    write: Callable[[Path], object]
    read: Callable[[Path], Any]
    errors: tuple[type[Exception], ...] = (InputError, SurrogateInputError)

    def valid(self, folder: Path) -> Path:
        """A valid file in ``folder``."""
        path = folder / self.name
        self.write(path)
        return path

    def refusal(self, path: Path) -> str:
        """What the reader says against ``path``: one line that names it; nothing where it reads it."""
        try:
            value = self.read(path)
        except self.errors as error:
            text = str(error)
            assert str(path.parent) in text, text
            assert "\n" not in text and len(text) < 600, text
            return text
        return "taken for absent" if value is None else ""


READERS = [
    Reader("SPEF", "x.spef", lambda p: write_parasitics(design(), p), read_parasitics),
    Reader("DSPF", "x.dspf.gz", lambda p: write_parasitics(design(), p), read_parasitics),
    Reader("design", "d.yaml", lambda p: p.write_text(dump_design(design()), "utf-8"), load_design),
    Reader("measurements", "m.csv", write_measurements, load_measurements),
    Reader("durations", "t.csv", write_durations, lambda p: load_durations(p, ROWS)),
    Reader("data set", "data.h5", lambda p: save_dataset(dataset(), p), load_dataset),
    Reader("surrogate", "s.safetensors", lambda p: save_surrogate(surrogate(), p), load_surrogate),
    Reader("measured", "s.safetensors", lambda p: save_surrogate(measured(), p), load_surrogate),
    Reader("network", "n.safetensors", write_network, lambda p: load_network(p, surrogate(), tile_settings(design()))),
    Reader("waveforms", "waveforms.npz", write_waveforms, load_waveforms),
    Reader("raw file", "deck.raw", write_raw, read_raw, (ValueError,)),
    Reader("sample", "0123.sample", write_sample, lambda p: SampleStore(p.parent).load(p.stem)),
    Reader("network.json", "network.json", write_run, lambda p: read_run(p.parent)),
    Reader("signoff.json", "signoff.json", write_run, lambda p: read_run(p.parent)),
    Reader("summary.json", "summary.json", write_run, lambda p: read_run(p.parent)),
]


def reader(kind: str) -> Reader:
    """The one of this kind."""
    return next(r for r in READERS if r.kind == kind)
