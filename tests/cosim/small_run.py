"""The folder of a small whole run: 4x4 resistive cells in ngspice, a network of two layers that fits on two arrays."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from cosim.campaigns.campaign import run_campaign
from cosim.campaigns.plan import PlanSize, standard_plan
from cosim.deployment.networks import tile_settings
from cosim.deployment.signoff import sign_off
from cosim.deployment.steps import SIGN_OFF_REPORT, write_retrained
from cosim.files.dataset import save_dataset
from cosim.files.folders import write_json
from cosim.fitting.fit import fit_dataset
from cosim.fitting.validation import validate_dataset
from cosim.run_folder.summary import network_figures, surrogate_figures
from cosim.spice.ngspice import Ngspice
from cosim.vmm.programming import read_curve
from cosim.vmm.waveforms import record_waveforms
from netlists.design import Design
from surrogate.analog import Mapping, convert
from surrogate.data.images import Images
from surrogate.files import save_surrogate
from surrogate.surrogate import Surrogate
from surrogate.training.comparison import ComparisonRecipe, SeedResult

ARRAY = {
    "wires": {"word_line_resistance": "30 ohm", "bit_line_resistance": "7 ohm", "switch_resistance": "2 kohm"},
    "weights": {"current_min": "500 nA", "current_max": "50 uA"},
    "read": {"t_max": "50 ns"},
}


def make_run(design: Design, engine: Ngspice, folder: Path, workers: int = 1) -> None:
    """Every artefact of a run but its report, as ``cosim.run_folder.pipeline`` writes them; the network has random
    weights."""
    folder.mkdir(parents=True)
    write_json({"design": design.name, "design_hash": design.hash}, folder / "run.json")
    plan = standard_plan(design, read_curve(design, engine), seed=3, size=PlanSize(patterns=2, weights=2))
    data = run_campaign(design, plan, engine, folder, workers)
    save_dataset(data, folder / "data.h5")
    surrogate = fit_dataset(data)
    surrogate = surrogate.with_report(validate_dataset(surrogate, data))
    save_surrogate(surrogate, folder / "surrogate.safetensors")
    network = random_network(surrogate, design)
    result = SeedResult(0, 0.9, 0.8, 0.8, 0.9, (0.9, 0.9), (0.8, 0.9), network, network)
    retrained = write_retrained(folder, surrogate, [result], ComparisonRecipe(), torch.zeros(1, design.array.rows))
    generator = torch.Generator().manual_seed(1)
    pixels = torch.rand(2, design.array.rows, generator=generator)
    images = Images(pixels, torch.tensor([0, 1]), "two", ("a", "b"))
    signed = sign_off(design, surrogate, network, images, engine, folder / "signoff", workers)
    write_json(signed.summary, folder / SIGN_OFF_REPORT)
    record_waveforms(design, data.cells[0], data.duration[0], engine, folder / "waveforms.npz")
    figures = {**surrogate_figures(data, surrogate), "network": network_figures(retrained, signed.summary)}
    write_json({**figures, "wall_seconds": {"total": 1.0}}, folder / "summary.json")


def random_network(surrogate: Surrogate, design: Design) -> nn.Module:
    """Two layers, each on one array of ``design``."""
    generator = torch.Generator().manual_seed(0)
    rows, pairs = design.array.rows, design.array.columns // 2
    first, second = nn.Linear(rows, pairs), nn.Linear(pairs, pairs)
    with torch.no_grad():
        for layer, bias in ((first, 2.0), (second, 0.0)):  # so that the second layer is never given zeros alone
            layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator))
            layer.bias.fill_(bias)
    return convert(nn.Sequential(first, nn.ReLU(), second), surrogate, Mapping(tile_settings(design)))
