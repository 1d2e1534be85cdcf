"""Telegraph noise of cells against the closed form of one trap: two levels where it is slow, normal where it is fast or
where many cells add up."""

from __future__ import annotations

import math

import pytest
import torch

from surrogate.effects import telegraph
from surrogate.effects.effect import Read
from surrogate.effects.noise import ReadNoise, SlowNoise
from surrogate.effects.telegraph import PART
from surrogate.noise import CellNoise, TelegraphNoise

T_MAX, CURRENT, AMPLITUDE = 1e-6, 1e-7, 0.02
COUNT = 40_000


def trap(relaxation: float, occupancy: float = 0.3) -> TelegraphNoise:
    """A trap that is high for the share ``occupancy`` of the time."""
    return TelegraphNoise(AMPLITUDE, time_low=relaxation / occupancy, time_high=relaxation / (1 - occupancy))


def read(rows: int, width: float = 1.0, count: int = COUNT) -> Read:
    """``count`` reads of one column of ``rows`` equal cells."""
    widths = torch.full((1, count, 1, 1, rows), width, dtype=torch.float64)
    return Read(widths, torch.full((1, 1, 1, rows, 1), CURRENT, dtype=torch.float64), CURRENT, T_MAX)


def shifts(noise: TelegraphNoise, given: Read, run: float | None = None) -> torch.Tensor:
    """Charges C that the noise adds."""
    torch.manual_seed(3)
    nothing = torch.zeros(1, given.width.shape[1], 1, 1, 1, 1, dtype=torch.float64)
    return ReadNoise(CellNoise(telegraph=noise), run).apply(nothing, given, None).flatten() * CURRENT * T_MAX


def closed_form(noise: TelegraphNoise, rows: int, width: float = 1.0) -> float:
    current, seconds = (torch.tensor(x, dtype=torch.float64) for x in (CURRENT, width * T_MAX))
    return rows * float(noise.charge_variance(current, seconds))


def kurtosis(values: torch.Tensor) -> float:
    """Excess kurtosis."""
    centred = values - values.mean()
    return float(centred.pow(4).mean() / centred.square().mean().square()) - 3


@pytest.mark.parametrize("ratio", [1e-3, 0.3, 1.0, 10.0, 300.0])
@pytest.mark.parametrize("rows", [1, 5])
def test_mean_and_variance_are_the_closed_form(ratio: float, rows: int) -> None:
    noise = trap(T_MAX / ratio)
    shown, variance = shifts(noise, read(rows, 0.7)), closed_form(noise, rows, 0.7)
    assert abs(float(shown.mean())) < 5 * math.sqrt(variance / COUNT)
    assert float(shown.var()) == pytest.approx(variance, rel=0.05, abs=0)


def test_a_slow_trap_keeps_one_of_two_levels_over_a_vmm() -> None:
    noise = trap(1.0)
    shown, levels = shifts(noise, read(1)), AMPLITUDE * CURRENT * T_MAX
    high = shown > 0
    assert float(high.double().mean()) == pytest.approx(0.3, abs=5 * math.sqrt(0.21 / COUNT))
    assert torch.allclose(shown, (high.double() - 0.3) * levels, rtol=1e-9, atol=0)
    assert kurtosis(shown) == pytest.approx((1 - 6 * 0.21) / 0.21, abs=0.1)


def test_traps_that_are_neither_stay_at_a_level_as_long_as_dwell_times_say() -> None:
    """From the start of the pulse to its end: with exp(−T/time_low) low, with exp(−T/time_high) high."""
    noise = trap(T_MAX)
    shown, level = shifts(noise, read(1)), AMPLITUDE * CURRENT * T_MAX
    for stays, start, time in ((-0.3, 0.7, noise.time_low), (0.7, 0.3, noise.time_high)):
        share = start * math.exp(-T_MAX / time)
        found = ((shown - stays * level).abs() < 1e-9 * level).double().mean()
        assert float(found) == pytest.approx(share, abs=5 * math.sqrt(share / COUNT))


def test_a_fast_trap_averages_to_a_normal_charge() -> None:
    shown = shifts(trap(T_MAX / 1000), read(1))
    assert abs(kurtosis(shown)) < 5 * math.sqrt(24 / COUNT)
    assert len(shown.unique()) > 0.99 * COUNT


def test_few_cells_have_steps_and_many_are_normal() -> None:
    noise = trap(1.0)
    few, many = shifts(noise, read(4)), shifts(noise, read(200, count=5000))
    assert len((few / (AMPLITUDE * CURRENT * T_MAX)).round(decimals=6).unique()) == 5
    assert kurtosis(few) == pytest.approx((1 - 6 * 0.21) / 0.21 / 4, abs=0.1)
    assert len(many.unique()) > 4990, "200 drawn traps would give 201 levels"
    assert float(many.var()) == pytest.approx(closed_form(noise, 200), rel=0.1, abs=0)


def test_cells_of_little_charge_do_not_count_as_many() -> None:
    """One cell of a column conducts, the others next to nothing: still two levels."""
    given = read(200, count=2000)
    current = given.current * 1e-4
    current[..., 0, :] = CURRENT
    shown = shifts(trap(1.0), Read(given.width, current, CURRENT, T_MAX))
    assert kurtosis(shown) == pytest.approx((1 - 6 * 0.21) / 0.21, abs=0.5)


def test_idle_rows_add_nothing_and_amplitude_zero_is_exactly_nothing() -> None:
    assert bool((shifts(trap(1.0), read(3, width=0.0, count=10)) == 0).all())
    charge = torch.rand(1, 10, 1, 1, 1, 1)
    silent = CellNoise(telegraph=TelegraphNoise(0.0, 1.0, 1.0))
    assert ReadNoise(silent).apply(charge, read(3, count=10), None) is charge


@pytest.mark.parametrize("relaxation", [1e-7, 1e-5, 1e-3, 10.0])
def test_a_run_and_what_differs_within_it_make_up_the_closed_form(relaxation: float) -> None:
    """Of the cells' currents, common to a run, and of the charges, for traps from faster than pulses to slower than
    the run."""
    noise, run = trap(relaxation), 1e-3
    cells = torch.full((COUNT,), CURRENT, dtype=torch.float64)
    torch.manual_seed(4)
    common = (SlowNoise(CellNoise(telegraph=noise), run).apply(cells, CURRENT, None) - CURRENT) * T_MAX
    private = shifts(noise, read(1), run)
    total = closed_form(noise, 1)
    assert float(common.var() + private.var()) == pytest.approx(total, rel=0.05, abs=0)
    if relaxation > 1:
        assert float(common.var()) > 0.99 * total
        assert kurtosis(common) == pytest.approx((1 - 6 * 0.21) / 0.21, abs=0.1), "one level for the whole run"
    if relaxation < 1e-6:
        assert float(private.var()) > 0.95 * total


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("part", [PART, 60])
def test_gradients_are_those_of_the_drawn_shift(rows: int, part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow trap's shift is proportional to the cell's current and to its width, whatever is drawn at a time."""
    monkeypatch.setattr(telegraph, "PART", part)
    given = read(rows, count=50)
    width, current = given.width.requires_grad_(), given.current.requires_grad_()
    torch.manual_seed(5)
    nothing = torch.zeros(1, 50, 1, 1, 1, 1, dtype=torch.float64)
    shown = ReadNoise(CellNoise(telegraph=trap(1.0))).apply(nothing, Read(width, current, CURRENT, T_MAX), None)
    shown.sum().backward()
    assert width.grad is not None and current.grad is not None
    total = float(shown.detach().sum())
    assert total != 0
    assert float((current.grad * current.detach()).sum()) == pytest.approx(total, rel=1e-6)
    assert float((width.grad * width.detach()).sum()) == pytest.approx(total, rel=1e-6)
