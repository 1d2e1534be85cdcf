"""Transients: no noise of their own, and with injected noise what the closed forms say.

ngspice cannot seed ``trnoise``, so every run draws anew; bounds are five standard errors.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from cosim.errors import InputError
from cosim.noise.agreement import channel_agreement, flicker_agreement, telegraph_agreement
from cosim.noise.generator import delivered_share
from cosim.noise.injected import Train, charges, white
from cosim.spice.ngspice import Ngspice
from netlists.designfile import load_design
from surrogate.noise import ChannelNoise, FlickerNoise, TelegraphNoise

DEFAULT = load_design("default")
WIDTH = 1e-6
CHANNEL = ChannelNoise(specific_current=1.1e-7)
CELL = Train(np.array([1e-7]), np.array([WIDTH]), pulses=16, columns=16)


def test_transients_have_no_device_noise(engine: Ngspice) -> None:
    """Pulses of one run and equal columns differ by a ten-thousandth of what the cell's noise would make."""
    found = charges(DEFAULT, CELL, [], engine)
    promised = float(CHANNEL.charge_variance(torch.tensor(1e-7).double(), torch.tensor(WIDTH).double())) ** 0.5
    assert found.mean() == pytest.approx(1e-7 * WIDTH, rel=0.02, abs=0)
    assert found.std() < 1e-3 * promised
    assert np.array_equal(charges(DEFAULT, CELL, [], engine), found), "and every run gives the same"


def test_injected_noise_differs_from_run_to_run(engine: Ngspice) -> None:
    sources = white(DEFAULT, np.array([1e-25]), CELL)
    first, second = (charges(DEFAULT, CELL, sources, engine) for _ in range(2))
    assert not np.array_equal(first, second)


def test_white_noise_of_a_column_with_different_currents_and_widths(engine: Ngspice) -> None:
    train = Train(np.array([1e-7, 5e-9]), WIDTH * np.array([0.5, 1.0]), 20, 20)
    agreement = channel_agreement(DEFAULT, train, CHANNEL, engine)
    assert agreement.passed, agreement
    twice = dataclasses.replace(agreement, expected=2 * agreement.expected)
    assert not twice.passed, "counted twice it would not agree"


def test_one_over_f_noise_of_a_cell(engine: Ngspice) -> None:
    train = dataclasses.replace(CELL, columns=32)
    for agreement in flicker_agreement(DEFAULT, train, FlickerNoise(6e-7), engine):
        assert agreement.passed, agreement


@pytest.mark.parametrize("ratio", [0.5, 3.0])
def test_telegraph_noise_of_a_cell(engine: Ngspice, ratio: float) -> None:
    noise = TelegraphNoise(0.01, 1.5 * ratio * WIDTH, 3 * ratio * WIDTH)
    train = dataclasses.replace(CELL, pulses=12 + int(5 * ratio), columns=48)
    agreement = telegraph_agreement(DEFAULT, train, noise, engine)
    assert agreement.passed, agreement


def test_the_generator_of_one_over_f_noise_delivers_more_the_longer_its_record() -> None:
    """And all of it for neighbours in a long one."""
    times, weights = np.array([0.0, 1.0]), np.array([-1.0, 1.0])
    shares = [delivered_share(times, weights, 1.0, 1.0, stop, 1 / 8) for stop in (32.0, 512.0, 32768.0)]
    assert shares == sorted(shares)
    assert 0.8 < shares[0] < 0.95 and shares[-1] > 0.97


@pytest.mark.parametrize(
    "wrong", [{"pulses": 1}, {"columns": 1}, {"width": np.array([0.0])}, {"current": np.array([1e-7, 1e-8])}]
)
def test_trains_that_tell_nothing_are_refused(wrong: dict) -> None:  # type: ignore[type-arg]
    with pytest.raises(InputError, match="train"):
        dataclasses.replace(CELL, **wrong)
