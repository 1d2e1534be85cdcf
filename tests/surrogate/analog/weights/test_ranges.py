"""Ranges by maximum, percentile and mean square error."""

import pytest
import torch

from surrogate.analog.weights import RangeRule
from surrogate.analog.weights.ranges import SAMPLE, some_of


def normal(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def error(values, span, steps):
    return float(((values.abs() / span * steps).round().clamp(max=steps) * span / steps - values.abs()).square().mean())


def test_maximum_and_percentile():
    size = normal(3, 4001).abs()
    assert torch.equal(RangeRule().spans(size, 7), size.amax(1))
    median = RangeRule(by="percentile", percentile=75.0).spans(size, None)
    torch.testing.assert_close(median, torch.full((3,), 1.1503, dtype=torch.float64), rtol=0.05, atol=0)
    torch.testing.assert_close(RangeRule(by="percentile", percentile=100.0).spans(size, 3), size.amax(1))


@pytest.mark.parametrize("steps", [1, 3, 7, 127])
def test_the_mean_square_optimum_beats_its_neighbours(steps):
    values = normal(20000)
    span = float(RangeRule(by="mse").spans(values.abs()[None], steps)[0])
    best = error(values, span, steps)
    assert best <= min(error(values, span * f, steps) for f in (0.9, 1.1))
    assert best < error(values, values.abs().max(), steps)


def test_the_mean_square_optimum_of_normal_values_is_the_published_one():
    # optimal step of the uniform quantiser of a normal source: Max, IRE Trans. Inf. Theory 6 (1960), table II; with a
    # level at zero and 3 on each side (7 levels) the step is 0.6508
    span = float(RangeRule(by="mse").spans(normal(100000).abs()[None], 3)[0])
    assert span / 3 == pytest.approx(0.6508, rel=0.04)


def test_signs_alone_are_worth_the_mean_size():
    size = normal(1, 1000).abs()
    assert float(RangeRule(by="mse").spans(size, 0)) == pytest.approx(float(size.mean()))
    assert torch.equal(RangeRule(by="mse").spans(size, None), size.amax(1))


@pytest.mark.parametrize("period", [2, 3, 64, 128])
def test_samples_meet_every_column_alike(period):
    values = torch.arange(period).repeat(4 * SAMPLE // period + 7)
    counts = torch.bincount(some_of(values), minlength=period)
    assert int(counts.sum()) == SAMPLE
    assert float(counts.max() / counts.min()) < 1.01
