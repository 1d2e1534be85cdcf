"""Confidence bounds: exact values, coverage in simulation, refusals."""

import numpy as np
import pytest

from surrogate.errors import InputError
from surrogate.reproduction.bounds import accuracy_bounds, share_bounds


def test_bounds_of_none_and_all_are_the_rule_of_the_tail():
    low, high = share_bounds(0, 100), share_bounds(100, 100)
    assert (low.low, high.high) == (0.0, 1.0)
    assert low.high == pytest.approx(1 - 0.025 ** (1 / 100), rel=1e-9)
    assert high.low == pytest.approx(0.025 ** (1 / 100), rel=1e-9)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_share_is_covered(share):
    hits = np.random.default_rng(0).binomial(60, share, 1000)
    found = [share_bounds(int(h), 60) for h in hits]
    assert np.mean([b.low <= share <= b.high for b in found]) >= 0.94


@pytest.mark.parametrize(("gain", "loss"), [(0.0, 0.01), (0.02, 0.03), (0.01, 0.1)])
def test_accuracy_in_spice_is_covered(gain, loss):
    known = 0.9
    draws = np.random.default_rng(1).multinomial(100, [gain, loss, 1 - gain - loss], 1000)
    found = [accuracy_bounds(int(g), int(l), 100, known) for g, l, _ in draws]
    truth = known + gain - loss
    assert np.mean([b.low <= truth <= b.high for b in found]) >= 0.94
    assert np.mean([b.estimate for b in found]) == pytest.approx(truth, abs=2e-3)


def test_agreement_bounds_tighter_than_the_images_own_accuracy():
    agreed, alone = accuracy_bounds(0, 0, 100, 0.9), share_bounds(90, 100)
    assert agreed.high - agreed.low < 0.8 * (alone.high - alone.low)


@pytest.mark.parametrize(("hits", "count"), [(-1, 3), (4, 3), (0, 0)])
def test_impossible_counts_are_refused(hits, count):
    with pytest.raises(InputError, match="bounds"):
        share_bounds(hits, count)
