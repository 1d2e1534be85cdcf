"""Every way to hold weights: ideal arrays give the weights back, gradients pass, contradictions are refused."""

import itertools

import pytest
import torch
from pydantic import ValidationError

from surrogate.analog.weights import Weights, encoding_of
from surrogate.analog.weights.integers import kept
from surrogate.analog.weights.slices import Slices
from surrogate.mapping import CurrentRange, level_currents

CURRENTS, SCALE = CurrentRange(1e-8, 1e-6), 3e-7
PLAIN = [{}, {"sides": "two"}, {"mapping": "offset"}, {"mapping": "offset", "reference": "unit-cell"}]
SLICED = [
    {**way, "bits": bits, "slices": slices}
    for way, bits, slices in itertools.product(PLAIN, (1, 2, 4, 5, 8), (1, 2, 3, 4))
    if slices == 1 or slices <= (bits if way else bits - 1)
]
WAYS = [*PLAIN, *SLICED, {"zero": 0.3}, {"bits": 1, "zero": 0.2}, {"bits": 4, "zero": 0.5}]


def random_weight(rows=7, outputs=5, seed=0):
    weight = torch.rand(rows, outputs, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2.4 - 1.2
    weight[0, 0], weight[1, 1], weight[2, 2] = 0.0, 1.0, -1.0
    return weight


def shown(settings, weight):
    """What ideal arrays make of each row alone, over the swing."""
    encoding = encoding_of(settings)
    level = encoding.levels(weight)
    if encoding.shared_level is not None:
        level = torch.cat([level, torch.full_like(level[:, :1], encoding.shared_level)], dim=-1)
    current = level_currents(level, CURRENTS) / SCALE
    back = encoding.read_back(CURRENTS, SCALE)
    out = back.outputs(current[:, None], torch.ones(len(weight), dtype=torch.float64), weight.shape[1])[:, 0]
    return level, out / ((CURRENTS.high - CURRENTS.low) / SCALE)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_ideal_arrays_give_the_weights_back(way):
    settings, weight = Weights(**way), random_weight()
    level, out = shown(settings, weight)
    assert level.shape[1] == 5 * encoding_of(settings).columns + (encoding_of(settings).shared_level is not None)
    assert float(level.min()) >= 0 and float(level.max()) <= 1
    torch.testing.assert_close(out, kept(weight.clamp(-1, 1), settings.bits), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_gradients_are_those_of_the_weight(way):
    weight = random_weight().requires_grad_(True)
    _, out = shown(Weights(**way), weight)
    factor = random_weight(seed=5)
    (gradient,) = torch.autograd.grad((factor * out).sum(), weight)
    inside = (weight.detach().abs() < 1) & (weight.detach().abs() > 0.6 / 7)  # where rounding to zero hides no side
    if Weights(**way).bits == 2:
        inside &= weight.detach().abs() > 0.5
    torch.testing.assert_close(gradient[inside], factor[inside], rtol=1e-12, atol=1e-12)
    assert float(gradient[weight.detach().abs() > 1].abs().max()) == 0


def test_proportional_cells_of_no_weight_are_at_the_minimum():
    level = encoding_of(Weights()).levels(torch.tensor([[0.0, 0.5, -0.25]], dtype=torch.float64))
    assert level.tolist() == [[0, 0, 0.5, 0, 0, 0.25]]
    assert encoding_of(Weights(sides="two")).levels(torch.tensor([[0.5]])).tolist() == [[0.75, 0.25]]
    assert encoding_of(Weights(mapping="offset")).levels(torch.tensor([[-0.5]])).tolist() == [[0.25]]


@pytest.mark.parametrize(("bits", "cells"), [(8, 4), (7, 4), (8, 3), (5, 4), (4, 1)])
def test_slices_are_digits(bits, cells):
    slices = Slices(bits, cells)
    assert sum(slices.widths) == bits and max(slices.widths) - min(slices.widths) <= 1
    number = torch.arange(2.0**bits, dtype=torch.float64)
    levels = slices.levels(number)
    assert sum(slices.worth) == 2**bits - 1
    torch.testing.assert_close(levels @ torch.tensor(slices.worth, dtype=torch.float64), number)
    digits = levels * torch.tensor([2**w - 1 for w in slices.widths])
    torch.testing.assert_close(digits, digits.round())


def test_stored_curve_and_asymmetry():
    weight = torch.tensor([[0.5, -0.5]], dtype=torch.float64)
    curve = (1 - 2.718281828459045**-1.0) / (1 - 2.718281828459045**-2.0)
    level = encoding_of(Weights(nonlinearity=2.0, asymmetry=0.1)).levels(weight)
    assert level[0].tolist() == pytest.approx([curve, 0, 0, 0.9 * curve])
    assert encoding_of(Weights(nonlinearity=1e-6)).levels(weight)[0, 0] == pytest.approx(0.5, rel=1e-6)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"slices": 2}, "slices 2 without bits"),
        ({"slices": 4, "bits": 4}, "slices 4 of bits 4: more cells than the 3 bits beside the sign"),
        ({"slices": 4, "bits": 3, "mapping": "offset"}, "more cells than the 3 bits"),
        ({"mapping": "offset", "sides": "two"}, "sides two"),
        ({"mapping": "offset", "asymmetry": 0.1}, "asymmetry"),
        ({"sides": "two", "zero": 0.1}, "zero"),
        ({"slices": 2, "bits": 8, "zero": 0.1}, "zero"),
        ({"reference": "unit-cell"}, "reference: pairs need none"),
        ({"span": {"by": "percentile"}}, "percentile without one"),
        ({"span": {"by": "max", "percentile": 99.0}}, "no effect"),
        ({"bits": 0}, "bits"), ({"slices": 5}, "slices"), ({"bit": 3}, "bit"),
    ],
)  # fmt: skip
def test_contradictions_are_refused(settings, match):
    with pytest.raises(ValidationError, match=match):
        Weights.model_validate(settings)
