"""Gains and offsets of a chip against the network as it was trained: its outputs come back, its ranges stay."""

from __future__ import annotations

import torch
from torch import nn

from surrogate.analog import analog_layers, calibrate, calibrate_outputs, convert, deploy
from surrogate.hardware import parse_hardware

RECIPE = """
name: test
tiles: {rows: 16, columns: 16, current_max: 5e-7, on_off_ratio: 10.0}
converter: {bits: 8}
"""
ERROR = "programming: {error: {kind: proportional, sigma: 0.1}}\n"


def test_outputs_come_back_and_ranges_stay() -> None:
    torch.manual_seed(3)
    network, inputs = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 5)), torch.rand(300, 12)
    plain, erring = (parse_hardware(RECIPE + more, "test.yaml") for more in ("", ERROR))
    meant = convert(network, plain.arrays(), plain.mapping())
    calibrate(meant, inputs, network)
    twin = convert(network, erring.arrays(), erring.mapping())
    twin.load_state_dict(meant.state_dict())
    chip = deploy(twin, seed=1)
    ranges = [float(layer.converter_range or 0) for layer in analog_layers(chip).values()]
    with torch.no_grad():
        wanted, before = meant(inputs), chip(inputs)
        calibrate_outputs(chip, inputs, meant)
        after = chip(inputs)
    assert float((after - wanted).square().mean()) < 0.7 * float((before - wanted).square().mean())
    assert [float(layer.converter_range or 0) for layer in analog_layers(chip).values()] == ranges
