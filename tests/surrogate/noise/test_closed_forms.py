"""Every closed form against its own spectrum or covariance, integrated numerically."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from surrogate.errors import InputError
from surrogate.noise import Calibration, CellNoise, ChannelNoise, FlickerNoise, TelegraphNoise
from surrogate.noise.channel import ELEMENTARY_CHARGE
from surrogate.noise.flicker import HIGH_PASS, contrast_variance, time_factor

CURRENT = torch.logspace(-12, -4, 30, dtype=torch.float64)
WIDTH = 1e-6
Array = NDArray[np.float64]


def one(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


def windowed(density: Callable[[Array], Array], width: float, lowest: float = 0.0) -> float:
    """∫ S(f)·T²·sinc²(πfT) df from ``lowest`` to 400 lobes of the sinc."""
    slow, fast = np.geomspace(1e-7, 0.1, 20_000), np.linspace(0.1, 400, 400_001)
    frequency = np.concatenate([[0.0], slow, fast[1:]]) / width
    frequency = np.concatenate([[lowest], frequency[frequency > lowest]])
    return float(np.trapezoid(density(frequency) * (width * np.sinc(frequency * width)) ** 2, frequency))


def test_channel_noise_has_its_two_limits() -> None:
    noise = ChannelNoise(specific_current=1e-8)
    ratio = noise.density(CURRENT) / (2 * ELEMENTARY_CHARGE * CURRENT)
    assert float(ratio[0]) == pytest.approx(1, rel=1e-3)
    # far in strong inversion: 4kTγ·g_ms with g_ms = sqrt(I·I_spec)/U_T, that is 2q·I·2γ·sqrt(I_spec/I)
    strong = 2 * noise.gamma * math.sqrt(1e-8 / float(CURRENT[-1]))
    assert float(ratio[-1]) == pytest.approx(strong, rel=0.02)
    assert bool((ratio.diff() < 0).all())


def test_channel_noise_is_counted_once() -> None:
    """Nowhere more than 2qI: thermal and shot noise are one."""
    assert bool((ChannelNoise(1e-7).density(CURRENT) <= 2 * ELEMENTARY_CHARGE * CURRENT).all())


def test_channel_noise_in_terms_of_transconductance() -> None:
    noise = ChannelNoise(specific_current=3e-7)
    q = (torch.sqrt(1 + 4 * CURRENT / 3e-7) - 1) / 2
    eta = 1 / (1 + q)
    expected = 2 * ELEMENTARY_CHARGE * CURRENT * eta * (4 - eta) / 3
    assert torch.allclose(noise.density(CURRENT), expected, rtol=1e-9, atol=0)


def test_white_charge_variance_is_the_windowed_spectrum() -> None:
    noise = ChannelNoise(specific_current=1e-7)
    density = float(noise.density(one(1e-7)))
    found = float(noise.charge_variance(one(1e-7), one(WIDTH)))
    assert found == pytest.approx(windowed(lambda f: np.full_like(f, density), WIDTH), rel=1e-3, abs=0)


@pytest.mark.parametrize("ratio", [0.01, 1.0, 100.0])
def test_telegraph_charge_variance_is_the_windowed_lorentzian(ratio: float) -> None:
    noise = TelegraphNoise(amplitude=0.1, time_low=3 * ratio * WIDTH, time_high=1.5 * ratio * WIDTH)
    expected = windowed(lambda f: noise.density(one(1.0), torch.from_numpy(f)).numpy(), WIDTH)
    assert float(noise.charge_variance(one(1.0), one(WIDTH))) == pytest.approx(expected, rel=2e-3, abs=0)


def test_telegraph_goes_from_rest_to_white() -> None:
    noise = TelegraphNoise(amplitude=1.0, time_low=1e-6, time_high=2e-6)
    tau, power = noise.relaxation_time, noise.occupancy_variance
    width = torch.logspace(-6, 6, 200, dtype=torch.float64) * tau
    factor = noise.time_factor(width)
    slope = factor.log().diff() / width.log().diff()
    assert float(slope[0]) == pytest.approx(2, abs=1e-3)
    assert float(slope[-1]) == pytest.approx(1, abs=1e-3)
    assert bool((slope.diff() < 1e-6).all()), "between the limits the exponent falls steadily"
    assert float(factor[0]) == pytest.approx(power * float(width[0]) ** 2, rel=1e-5, abs=0)
    assert float(factor[-1]) == pytest.approx(2 * power * tau * float(width[-1]), rel=1e-5, abs=0)


def test_constant_of_a_high_pass() -> None:
    """∫ from 1/t of T²·sinc²/f against ln(t/T) + c."""
    since = 1e4 * WIDTH
    expected = windowed(lambda f: 1 / f, WIDTH, lowest=1 / since) / WIDTH**2
    assert math.log(since / WIDTH) + HIGH_PASS == pytest.approx(expected, rel=1e-3)


def test_readings_side_by_side_have_twice_the_allan_variance() -> None:
    """Known: the Allan variance of flicker noise is 2·ln 2·K, and that is half of the mean square difference."""
    found = contrast_variance(torch.tensor([0.0, 1.0]).double(), torch.tensor([1.0, -1.0]).double(), 1.0)
    assert float(found) == pytest.approx(4 * math.log(2), rel=1e-12)


def test_contrasts_against_the_spectrum() -> None:
    """Var of q(τ) − q(0) is ∫ K/f·T²·sinc²(πfT)·4·sin²(πfτ) df."""
    lag = 7.3
    found = contrast_variance(torch.tensor([0.0, lag]).double(), torch.tensor([-1.0, 1.0]).double(), 1.0)
    frequency = np.geomspace(1e-7, 1e4, 1_000_001)
    power = np.sinc(frequency) ** 2 * 4 * np.sin(np.pi * frequency * lag) ** 2
    assert float(found) == pytest.approx(np.trapezoid(power, np.log(frequency)), rel=1e-3)


@pytest.mark.parametrize("slope", [0.84, 1.2])
def test_other_slopes_against_the_spectrum(slope: float) -> None:
    lag = 5.0
    found = contrast_variance(torch.tensor([0.0, lag]).double(), torch.tensor([-1.0, 1.0]).double(), 1.0, slope)
    frequency = np.geomspace(1e-9, 1e4, 1_000_001)
    power = frequency ** (1 - slope) * np.sinc(frequency) ** 2 * 4 * np.sin(np.pi * frequency * lag) ** 2
    assert float(found) == pytest.approx(np.trapezoid(power, np.log(frequency)), rel=2e-3)


def test_slopes_near_one_go_over_into_the_logarithm() -> None:
    calibration, width = Calibration(window=0.1, since=10.0), torch.tensor([1e-6, 1e-8, 0.0]).double()
    exact, near = time_factor(width, calibration), time_factor(width, calibration, 1 + 1e-7)
    assert torch.allclose(exact, near, rtol=1e-5, atol=0)
    logarithms = torch.log(10.0 / width[:2]) + calibration.constant
    assert torch.allclose(exact[:2], width[:2] ** 2 * logarithms, rtol=1e-12, atol=0)


@pytest.mark.parametrize(("ratio", "slope"), [(0.2, 1.0), (1.0, 1.0), (30.0, 1.0), (1.0, 0.84)])
def test_calibration_constant_against_exact_contrasts(ratio: float, slope: float) -> None:
    """A window of readings side by side, then a pause, then the reading."""
    count, since = 800, 800 / ratio
    times = torch.cat([torch.arange(count).double(), torch.tensor([count + since]).double()])
    weights = torch.full((count + 1,), -1 / count, dtype=torch.float64)
    weights[-1] = 1
    exact = float(contrast_variance(times, weights, 1.0, slope))
    found = float(time_factor(one(1.0), Calibration(window=count, since=since), slope))
    assert found == pytest.approx(exact, rel=2e-3)


def test_a_reading_calibrated_by_one_reading_long_ago() -> None:
    lag = 1e5
    found = contrast_variance(torch.tensor([0.0, lag]).double(), torch.tensor([-1.0, 1.0]).double(), 1.0)
    assert float(found) == pytest.approx(2 * (math.log(lag) + 1.5), rel=1e-5)


def test_flicker_grows_with_the_square_of_the_width_but_for_a_logarithm() -> None:
    calibration = Calibration(window=1.0, since=1.0)
    width = torch.tensor([1e-7, 2e-7]).double()
    first, second = time_factor(width, calibration).tolist()
    logarithms = [math.log(1 / w) + calibration.constant for w in width.tolist()]
    assert second / first == pytest.approx(4 * logarithms[1] / logarithms[0], rel=1e-12)


def test_a_column_adds_its_cells_and_idle_ones_add_nothing() -> None:
    noise = CellNoise(
        ChannelNoise(1e-7), FlickerNoise(1e-6, 2.0, 1.0, 1e-7), TelegraphNoise(0.01, 1e-6, 3e-6), Calibration(1.0, 1.0)
    )
    rng = np.random.default_rng(5)
    current = torch.from_numpy(rng.uniform(1e-9, 5e-7, (4, 3)))
    width = torch.tensor([[1e-6, 0.0, 3e-7, 5e-9], [0.0, 0.0, 0.0, 0.0]]).double()
    found = noise.charge_variance(current, width)
    assert found.shape == (2, 3)
    assert noise.flicker is not None and noise.channel is not None and noise.telegraph is not None
    for j in range(3):
        cells = 0.0
        for i in (0, 2, 3):
            one_cell, t = current[i, j], width[0, i]
            cells += float(noise.channel.charge_variance(one_cell, t) + noise.telegraph.charge_variance(one_cell, t))
            cells += float(noise.flicker.charge_variance(one_cell, t, Calibration(1.0, 1.0)))
        assert float(found[0, j]) == pytest.approx(cells, rel=1e-9, abs=0)
    assert bool((found[1] == 0).all())


def test_no_noise_is_exactly_none() -> None:
    assert bool((CellNoise().charge_variance(torch.ones(3, 2), torch.ones(5, 3)) == 0).all())


def test_json_round_trip_and_errors_that_name_the_key() -> None:
    noise = CellNoise(ChannelNoise(1e-7), FlickerNoise(1e-6), None, Calibration(1.0, 2.0))
    assert CellNoise.of(noise.as_dict()) == noise
    for values, key in (
        ({"channel": {"specific_current": -1}}, "noise.channel.specific_current"),
        ({"flicker": {"strength": 1e-6}}, "noise.calibration"),
        ({"telegraph": {"amplitude": 2, "time_low": 1, "time_high": 1}}, "noise.telegraph.amplitude"),
        ({"calibration": {"window": 0, "since": 1}}, "noise.calibration.window"),
        ({"shot": {}}, "noise.shot"),
        ({"channel": {"nonsense": 1}}, "noise.channel"),
    ):
        with pytest.raises(InputError, match=key.replace(".", r"\.")):
            CellNoise.of(values)


def test_a_calibration_too_recent_for_the_closed_form_is_refused() -> None:
    with pytest.raises(InputError, match=r"noise\.calibration"):
        time_factor(one(1e-6), Calibration(window=1.0, since=5e-6))
