"""``fgcosim simulate``, ``generate`` and ``deck``: SPICE runs, single or a campaign, and their decks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosim.campaigns.campaign import simulate_many, write_campaign
from cosim.campaigns.decks import deck_of
from cosim.campaigns.plan import generator, random_cells, random_durations, standard_plan
from cosim.commands.arguments import require_writable
from cosim.errors import InputError
from cosim.files.dataset import load_dataset
from cosim.files.folders import file_hash, write_json
from cosim.files.measurements import load_durations, save_measurements
from cosim.files.provenance import of_simulation
from cosim.progress import Stages
from cosim.run_folder.pipeline import network_durations, require_pairs
from cosim.spice.ngspice import find_ngspice
from cosim.vmm.programming import read_curve
from netlists.circuits.stimulus import check_durations
from netlists.design import Design
from netlists.designfile import load_design
from surrogate.atomic import replacing


def simulate_csv(
    design: str, out: Path, vmms: int, durations: Path | None, decks: Path | None, seed: int,
    workers: int | None, stages: Stages, scheduler: str | None = None, monolithic: bool = False,
) -> bool:  # fmt: skip
    """Simulate VMMs of one array with random cells; durations are random or come from a CSV file."""
    loaded = load_design(design)
    require_writable(out)
    engine = find_ngspice(monolithic)
    rng = generator(seed)
    cells = random_cells(rng, loaded, read_curve(loaded, engine), 1)
    widths = _read_durations(durations, loaded) if durations else random_durations(rng, loaded, vmms)
    folder = decks or out.with_name(f"{out.stem}-decks")
    index = np.zeros(len(widths), dtype=np.int64)
    with stages.counted("Simulating arrays in ngspice") as progress:
        data = simulate_many(loaded, cells, widths, index, engine, folder, workers, progress, scheduler)
    save_measurements(data.duration, data.charge, out)
    write_json(of_simulation(loaded, engine, seed, csv=file_hash(out)).as_dict(), out.with_name(f"{out.name}.json"))
    return True


def generate(
    design: str, out: Path, seed: int, workers: int | None, stages: Stages, scheduler: str | None = None,
    monolithic: bool = False,
) -> bool:  # fmt: skip
    """The campaign of a cross-validated fit; its samples lie beside ``out`` until the data set is whole."""
    loaded = load_design(design)
    require_writable(out)
    require_pairs(loaded)
    engine = find_ngspice(monolithic)
    with stages.stage("Reading the cell's curve in SPICE and a software network's pulse widths"):
        plan = standard_plan(
            loaded, read_curve(loaded, engine), seed, network_duration=network_durations(loaded)
        )
    with stages.counted("Simulating arrays in ngspice") as progress:
        folder = out.with_name(f"{out.stem}-campaign")
        write_campaign(loaded, plan, engine, folder, out, workers, progress, scheduler)
    return True


def deck(data: Path, run: int, out: Path) -> bool:
    """Write the deck of one run of a data set, as ngspice got it, for running it by hand."""
    require_writable(out)
    loaded = load_dataset(data)
    try:
        text = deck_of(loaded, run)
    except InputError as error:
        raise InputError(f"{data}: {error}") from None
    with replacing(out) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return True


def _read_durations(path: Path, design: Design) -> NDArray[np.float64]:
    try:
        return check_durations(design, load_durations(path, design.array.rows))
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith(str(path)) else f"{path}: {text}: correct the file") from None
