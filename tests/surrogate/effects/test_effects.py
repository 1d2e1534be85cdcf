"""Every effect against its closed form; sizes of zero; seeds."""

import math
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from synthetic import surrogate

from surrogate.effects.converters import ConverterOffset, GainError
from surrogate.effects.mismatch import ThresholdMismatch
from surrogate.effects.programming import IndependentError, MeasuredError, ProportionalError, WriteVerify
from surrogate.effects.pulses import PulseJitter, PulseOffset
from surrogate.effects.retention import ChargeLoss, Drift
from surrogate.errors import InputError
from surrogate.mapping import CurrentRange

HIGH = 1e-6
NARROW = CurrentRange(5e-7, 1e-6)
COUNT = 40_000
SPREAD = 5 / math.sqrt(2 * COUNT)
"""Five standard deviations of a standard deviation found of that many values, relative."""


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def currents(*values):
    return torch.tensor(values, dtype=torch.float64)[:, None].expand(-1, COUNT)


def volts(state):
    return surrogate().state_map.inverse(state)


def test_independent_errors_are_as_large_everywhere():
    told = currents(1e-8, 3e-7, 1e-6)
    off = IndependentError(0.02).apply(told, HIGH, seeded()) - told
    torch.testing.assert_close(off.std(1), torch.full((3,), 0.02 * HIGH, dtype=torch.float64), rtol=SPREAD, atol=0)
    assert float(off.mean(1).abs().max()) < 5 * 0.02 * HIGH / math.sqrt(COUNT)


def test_proportional_errors_grow_with_the_current():
    told = currents(1e-8, 3e-7, 1e-6)
    off = ProportionalError(0.05).apply(told, HIGH, seeded()) - told
    torch.testing.assert_close(off.std(1), 0.05 * told[:, 0], rtol=SPREAD, atol=0)


def test_measured_errors_are_interpolated():
    told = currents(1e-8, 1e-7, 2e-7, 5e-7, 1e-6)
    off = MeasuredError((1e-7, 3e-7, 5e-7), (1e-9, 3e-9, 1e-8)).apply(told, HIGH, seeded()) - told
    wanted = torch.tensor([1e-9, 1e-9, 2e-9, 1e-8, 1e-8], dtype=torch.float64)
    torch.testing.assert_close(off.std(1), wanted, rtol=SPREAD, atol=0)


def test_write_verify_cuts_the_error_off():
    told = currents(2e-7, 8e-7)
    off = (WriteVerify(IndependentError(0.02), 0.02, 40).apply(told, HIGH, seeded()) - told) / HIGH
    assert float(off.abs().max()) <= 0.02 * (1 + 1e-9)
    density, inside = math.exp(-0.5) / math.sqrt(2 * math.pi), math.erf(1 / math.sqrt(2))
    wanted = 0.02 * math.sqrt(1 - 2 * density / inside)
    torch.testing.assert_close(off.std(1), torch.full((2,), wanted, dtype=torch.float64), rtol=SPREAD, atol=0)
    once = (WriteVerify(IndependentError(0.02), 0.04, 1).apply(told, HIGH, seeded()) - told) / HIGH
    assert float((once.abs() > 0.04).double().mean()) == pytest.approx(1 - math.erf(2 / math.sqrt(2)), rel=0.1)


def test_mismatch_is_a_shift_of_the_floating_gate():
    state = torch.linspace(-4, 2, 5, dtype=torch.float64)[:, None].expand(-1, COUNT)
    shifted = volts(ThresholdMismatch(1e-3).apply(state, surrogate(), seeded())) - volts(state)
    torch.testing.assert_close(shifted.std(1), torch.full((5,), 1e-3, dtype=torch.float64), rtol=SPREAD + 1e-2, atol=0)


def test_charge_is_lost_exponentially_and_faster_when_hot():
    state, neutral = torch.linspace(-4, 2, 7, dtype=torch.float64), 0.3
    left = volts(ChargeLoss(50.0, 100.0, neutral).apply(state, surrogate(), None))
    torch.testing.assert_close(left - neutral, math.exp(-0.5) * (volts(state) - neutral), rtol=1e-6, atol=1e-9)
    hot = ChargeLoss(1.0, 1e9, neutral, temperature=400.0, activation=1.0)
    faster = math.exp(1.0 / 8.617333262e-5 * (1 / 300 - 1 / 400))
    assert -math.log(hot.remaining) == pytest.approx(faster / 1e9, rel=1e-6)
    assert ChargeLoss(16.0, 1.0, neutral, stretch=0.25).remaining == pytest.approx(math.exp(-2))


def test_drift_is_a_power_of_time():
    told = currents(1e-7)
    torch.testing.assert_close(Drift(99.0, 0.05).apply(told, HIGH, None), told * 100**-0.05)
    exponent = -torch.log(Drift(99.0, 0.5, 0.02).apply(told, HIGH, seeded()) / told) / math.log(100)
    assert float(exponent.std()) == pytest.approx(0.02, rel=SPREAD)


def test_pulses_jitter_and_are_offset_but_idle_rows_stay_idle():
    told = torch.tensor([0.0, 0.01, 0.5, 1.0], dtype=torch.float64)[:, None].expand(-1, COUNT)
    width = PulseJitter(2e-9).apply(told, 1e-6, seeded())
    assert float(width[0].abs().max()) == 0 and float(width.min()) >= 0
    torch.testing.assert_close((width - told)[1:].std(1), torch.full((3,), 2e-3).double(), rtol=SPREAD, atol=0)
    shifted = PulseOffset(-2e-8).apply(told, 1e-6, None)[:, 0]
    torch.testing.assert_close(shifted, torch.tensor([0, 0, 0.48, 0.98], dtype=torch.float64))


def test_converters_have_offsets_and_gains_of_their_own():
    code = torch.full((2, 7, 1, 1, 1, COUNT), 0.5, dtype=torch.float64)
    off = ConverterOffset(0.01, 0.003).apply(code, seeded()) - code
    assert torch.equal(off, off[:1, :1].expand_as(off))
    assert float(off.std()) == pytest.approx(0.003, rel=SPREAD) and float(off.mean()) == pytest.approx(0.01, rel=0.01)
    gain = GainError(-0.1, 0.02).apply(code, seeded()) / code
    assert float(gain[0, 0].mean()) == pytest.approx(0.9, rel=0.01)
    assert float(gain.std()) == pytest.approx(0.018, rel=0.05)


NOTHING = [
    IndependentError(0.0), ProportionalError(0.0), MeasuredError((0.0, 1e-6), (0.0, 0.0)), Drift(0.0, 0.1),
    Drift(10.0, 0.0), WriteVerify(IndependentError(0.0), 0.01),
]  # fmt: skip


@pytest.mark.parametrize("effect", NOTHING, ids=str)
def test_sizes_of_zero_change_nothing(effect):
    told = currents(1e-8, 1e-6)
    assert torch.equal(effect.apply(told, HIGH, seeded()), told)


def test_sizes_of_zero_change_no_state_width_or_code():
    values = torch.rand(1, 3, 1, 1, 2, 3, generator=seeded())
    for effect in (ThresholdMismatch(0.0), ChargeLoss(0.0, 1.0, 0.3)):
        assert effect.apply(values, surrogate(), seeded()) is values
    for pulses in (PulseJitter(0.0), PulseOffset(0.0)):
        assert pulses.apply(values, 1e-6, seeded()) is values
    assert ConverterOffset().apply(values, seeded()) is values and GainError().apply(values, seeded()) is values


@pytest.mark.parametrize(
    "effect", [IndependentError(0.1), WriteVerify(ProportionalError(0.1), 0.05), Drift(9, 0.1, 0.1)]
)
def test_equal_seeds_draw_the_same_chip(effect):
    told = torch.full((3, 4, 5), 1e-7)
    one, same, other = (effect.apply(told, HIGH, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other) and one.shape == told.shape


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: IndependentError(-0.1), "sigma -0.1"),
        (lambda: ProportionalError(float("nan")), "sigma nan"),
        (lambda: IndependentError(1.5), "sigma 1.5: not below"),
        (lambda: MeasuredError((1e-7, 1e-7), (1e-9, 1e-9)), "not rising"),
        (lambda: MeasuredError((1e-7, 2e-7), (1e-9,)), "as many"),
        (lambda: MeasuredError((1e-7, 2e-7), (1e-9, -1e-9)), "sigmas"),
        (lambda: WriteVerify(IndependentError(0.1), 1e-4), "tolerance 0.0001: below the error 0.1"),
        (lambda: ChargeLoss(1.0, 0.0, 0.3), "lifetime 0"),
        (lambda: ChargeLoss(1.0, 1.0, 0.3, stretch=2.0), "stretch"),
        (lambda: PulseJitter(-1e-9), "sigma"),
        (lambda: PulseOffset(float("inf")), "seconds"),
        (lambda: GainError(-1.0), "mean"),
        (lambda: IndependentError(0.9).check(NARROW, surrogate()), "as large as the range of currents"),
        (lambda: PulseJitter(1e-6).check(NARROW, surrogate()), "jitter 1e-06 s: as long as the longest pulse"),
        (lambda: PulseOffset(-1e-6).check(NARROW, surrogate()), "offset -1e-06 s: as long as the longest pulse"),
        (lambda: WriteVerify(ProportionalError(0.3), 1e-9), "tolerance 1e-09: below the error 0.3"),
        (lambda: WriteVerify(MeasuredError((0.0, HIGH), (0.0, 1e-7)), 1e-6).check(NARROW, surrogate()), "below the"),
        (lambda: Drift(1e8, 0.5).check(NARROW, surrogate()), "drift.exponent 0.5: 4 decades of current"),
        (lambda: Drift(1e8, 0.0, 0.5).check(NARROW, surrogate()), "drift.sigma 0.5: 4 decades of current"),
        (lambda: ThresholdMismatch(10.0).check(NARROW, surrogate()), "threshold_mismatch 10 V: as much as the range"),
    ],
)  # fmt: skip
def test_contradictions_are_refused(make, match):
    with pytest.raises(InputError, match=match):
        make()
