"""Cells that were programmed in one state of the world and are read in another: what they carry and what a network
loses."""

from __future__ import annotations

import numpy as np

from cosim.deployment.networks import tile_settings
from cosim.study.studyfile import Network
from cosim.vmm.programming import ReadCurve
from netlists.design import Design
from surrogate.data.digits import digits
from surrogate.surrogate import Surrogate
from surrogate.training.comparison import trained_software
from surrogate.training.evaluation import accuracy_of
from surrogate.training.kept import programmed_elsewhere


def kept_figures(
    surrogate: Surrogate, programmed: ReadCurve, here: ReadCurve, design: Design, network: Network
) -> dict[str, float]:
    """Currents and, where ``network`` asks for them, accuracies of cells that the curve ``programmed`` gave the
    voltages of target currents, read in ``design``, whose own curve is ``here`` and whose ``surrogate`` this is. Gains
    and offsets of the read-out are calibrated there. Raises ``InputError`` where cells leave curve or domain."""
    settings = tile_settings(design)
    volts = programmed.state_for(np.array([settings.currents.low, settings.currents.high]))
    least, largest = here.current_for(volts).tolist()
    figures = {"kept_current_min": least, "kept_current_max": largest}
    if not network.seeds:
        return figures
    train_set, test_set = digits()
    found = dict[str, list[float]](software=[], kept=[])
    for seed in range(network.seeds):
        software = trained_software(train_set, seed, network.recipe)
        twin = programmed_elsewhere(software, surrogate, settings, programmed.state_for, train_set.pixels)
        found["software"].append(accuracy_of(software, test_set))
        found["kept"].append(accuracy_of(twin, test_set))
    spread = float(np.std(found["kept"], ddof=1)) if network.seeds > 1 else 0.0
    return figures | {name: float(np.mean(values)) for name, values in found.items()} | {"kept_std": spread}
