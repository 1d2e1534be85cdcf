"""Networks on cells that were programmed elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from surrogate.analog import LayerSettings, analog_layers
from surrogate.errors import InputError
from surrogate.mapping import CurrentRange, InverseCurve
from surrogate.state_map import StateMap
from surrogate.training.kept import programmed_elsewhere
from tests.surrogate.synthetic import surrogate

CURRENTS = CurrentRange(5e-9, 1e-7)
SETTINGS = LayerSettings(8, 6, 6, CURRENTS)
COLD = surrogate()


def _hotter(by: float):
    """The cold surrogate, its cells' states higher by ``by`` at every voltage."""
    coefficients = COLD.state_map.coefficients + torch.tensor([by, 0.0, 0.0, 0.0], dtype=torch.float64)
    return replace(COLD, state_map=StateMap(coefficients, COLD.state_map.centre, COLD.state_map.unit))


def _volts(current: np.ndarray) -> np.ndarray:
    """Voltages that give target currents on the cold array."""
    inverse = InverseCurve(COLD, CURRENTS, 8)
    targets = torch.from_numpy(current)
    states = inverse(targets) if targets.dim() > 1 else inverse(targets.expand(8, -1))[4]  # those of an inner row
    return COLD.state_map.inverse(states).numpy()


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(12, 3), nn.ReLU(), nn.Linear(3, 2))


@pytest.mark.parametrize("by", [0.0, 0.8])
def test_cells_keep_their_voltages_and_the_read_out_is_calibrated(by):
    hot = _hotter(by)
    network, inputs = _network(), torch.rand(200, 12, generator=torch.Generator().manual_seed(1))
    twin = programmed_elsewhere(network, hot, SETTINGS, _volts, inputs)
    here = programmed_elsewhere(network, COLD, SETTINGS, _volts, inputs)
    for layer, cold in zip(analog_layers(twin).values(), analog_layers(here).values(), strict=True):
        torch.testing.assert_close(layer.states(), cold.states() + by, rtol=0, atol=1e-5)
    with torch.no_grad():
        error = (twin(inputs) - network(inputs)).square().mean() / network(inputs).var()
    assert float(error) < 0.1


def test_cells_that_leave_the_domain_are_refused():
    with pytest.raises(InputError, match="leave the surrogate's domain"):
        programmed_elsewhere(_network(), _hotter(5.0), SETTINGS, _volts, torch.rand(20, 12))
