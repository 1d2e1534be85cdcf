"""Arrays of the reference model that the tests of this folder share: parameters of a real fit, random states, times."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from surrogate.parameters import SPECS, Parameters, unflatten
from surrogate.state_map import StateMap
from surrogate.surrogate import Domain, Surrogate

FITTED = {
    "log_specific_current": -1.8,
    "curve": [-2.0, 3.0, -0.7, -5.0, 1.5],
    "drain_limit": 25.0,
    "kappa": [[-0.07, -0.27, -1.04, -0.07], [-0.07, -1.04, -0.27, -0.07]],
    "array_edge": 0.27,
    "edge_fall": 0.02,
    "edge_shift": -0.025,
    "edge_gate": -0.02,
    "gate_row": -0.004,
    "gate_column": -0.001,
    "sensitivity": 0.08,
    "output_conductance": 0.001,
    "log_switch": -1.3,
    "log_bit_line": -6.7,
    "log_driver": -5.5,
    "log_word_line": -10.3,
    "idle_depth": 40.0,
    "idle_drop": 0.4,
    "edge_time": 0.0007,
}
PASSED = {"passed": True, "failed": []}


def fitted(**changes: object) -> Parameters:
    """Parameters as a fit of the built-in design gives them, with ``changes``."""
    return unflatten(fitted_flat(**changes))


def fitted_flat(**changes: object) -> Tensor:
    values = {**FITTED, **changes}
    return torch.cat([torch.tensor(values[s.name], dtype=torch.float64).reshape(-1) for s in SPECS])


def random_state(*shape: int, seed: int = 0) -> Tensor:
    """States u, uniform in −4..2."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 6 - 4


def random_duration(count: int, rows: int, seed: int = 0) -> Tensor:
    """Durations in 0..1: a third random, a third with ties, a third with idle rows; the last VMM is all idle."""
    generator = torch.Generator().manual_seed(1000 + seed)
    duration = torch.rand(count, rows, generator=generator, dtype=torch.float64)
    duration[1::3] = (duration[1::3] * 3).round() / 3
    duration[2::3] *= torch.rand(duration[2::3].shape, generator=generator) > 0.4
    duration[-1] = 0
    return duration


def decibels(truth: Tensor, predicted: Tensor) -> float:
    """SER in dB."""
    return 20 * math.log10(float(truth.square().mean().sqrt() / (truth - predicted).square().mean().sqrt()))


def surrogate(rows: int = 8, columns: int = 6, report: dict | None = PASSED, **changes: object) -> Surrogate:
    """A programmed array's surrogate: u = 12·(V − 0.5 V)/0.5 V − 1 + small curvature, 1 µA and 1 µs as scales."""
    flat = fitted_flat(**changes)
    return Surrogate(
        shared=flat,
        shared_error=torch.full_like(flat, 0.01),
        current_scale=1e-6,
        time_scale=1e-6,
        domain=Domain(1e-9, 1e-6, -4.5, 2.5, rows, columns),
        state_map=StateMap(torch.tensor([-1.0, 12.0, -0.5, 0.1], dtype=torch.float64), 0.5, 0.5),
        provenance={"design": "synthetic", "design_hash": "0" * 64},
        report=report,
    )
