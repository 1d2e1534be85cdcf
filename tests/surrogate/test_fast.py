"""The fast engine against the reference engine."""

import pytest
import torch
from synthetic import decibels, fitted, random_duration, random_state

from surrogate.fast import expand, fast_charges, shift_range
from surrogate.model import charges


def fast(p, state, duration):
    """Charges [b, M] of one tile ``state`` [N, M]."""
    return fast_charges(p, expand(p, state[None, None]), duration[:, None])[:, 0, 0]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("shape", [(8, 6), (16, 10), (7, 5), (1, 2), (2, 1)])
def test_agrees_with_the_reference(shape, seed):
    p, state, duration = fitted(), random_state(*shape, seed=seed), random_duration(15, shape[0], seed)
    truth = charges(p, state[None], duration)
    given = fast(p, state, duration)
    assert decibels(truth, given) >= 60
    assert decibels(truth - truth.mean(0), given - truth.mean(0)) >= 60
    assert given[-1].abs().max() == 0  # the idle VMM


@pytest.mark.parametrize("rows", [5, 6])
def test_agrees_with_stronger_effects_one_at_a_time(rows):
    for changes in (
        {"log_switch": -0.5},
        {"log_bit_line": -4.5},
        {"log_driver": -4.0},
        {"gate_row": -0.05, "gate_column": -0.02},
        {"edge_time": 0.01},
        {"kappa": [[-0.2, -0.6, -1.5, -0.1], [-0.1, -1.5, -0.6, -0.2]]},
        {"kappa": [[0.05] * 4, [-0.3] * 4]},
    ):
        p, state, duration = fitted(**changes), random_state(rows, 4, seed=1), random_duration(12, rows, 1)
        level = 45 if "gate_row" in changes else 60  # a row's gates pull their neighbours by their mean
        assert decibels(charges(p, state[None], duration), fast(p, state, duration)) >= level, changes


@pytest.mark.parametrize("changes", [{"log_switch": 0.5}, {"log_switch": 1.0}, {"log_bit_line": -3.0}])
def test_strong_bit_line_drops_need_every_term_of_the_expansion(changes):
    p, state, duration = fitted(**changes), random_state(16, 10, seed=1), random_duration(12, 16, 1)
    assert decibels(charges(p, state[None], duration), fast(p, state, duration)) >= 66


def test_tiles_together_are_tiles_alone():
    p, states = fitted(), random_state(2, 3, 6, 4)
    duration = torch.stack([random_duration(5, 6, seed=k) for k in range(2)], dim=1)
    together = fast_charges(p, expand(p, states), duration)
    assert together.shape == (5, 2, 3, 4)
    for r in range(2):
        for c in range(3):
            torch.testing.assert_close(together[:, r, c], fast(p, states[r, c], duration[:, r]), rtol=1e-9, atol=1e-13)


def gradients(function, *leaves):
    leaves = [leaf.clone().requires_grad_(True) for leaf in leaves]
    return torch.autograd.grad(function(*leaves), leaves)


def test_gradients_agree_with_the_reference():
    p, state = fitted(), random_state(8, 5, seed=3)
    duration = random_duration(9, 8, seed=3)
    duration[duration == 0] = 0.01
    duration += 1e-5 * torch.randn(duration.shape, generator=torch.Generator().manual_seed(0))  # no ties
    weight = torch.randn(9, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    wanted = gradients(lambda u, t: (weight * charges(p, u[None], t)).sum(), state, duration)
    given = gradients(lambda u, t: (weight * fast(p, u, t)).sum(), state, duration)
    for g, w in zip(given, wanted, strict=True):
        assert float(torch.nn.functional.cosine_similarity(g.reshape(1, -1), w.reshape(1, -1))) > 0.9999
        assert float((g - w).norm() / w.norm()) < 1e-2


def test_single_precision_is_enough():
    p, state, duration = fitted(), random_state(16, 6), random_duration(12, 16)
    double, single = fast(p, state, duration), fast(p, state.float(), duration.float())
    assert single.dtype == torch.float32
    assert decibels(double, single.double()) >= 90


def test_single_precision_gradients_are_finite_for_extreme_states():
    p = fitted()
    state = torch.tensor([[-30.0, 4.0], [0.0, -8.0]], requires_grad=True)
    fast(p, state, torch.tensor([[1.0, 0.5], [0.0, 0.0]])).sum().backward()
    assert bool(torch.isfinite(state.grad).all())


def test_the_expansion_covers_every_shift_of_the_coupling():
    kernel = [[-0.07, 0.2, -1.04, -0.07], [-0.07, -1.04, 0.3, 0.1]]
    low, high = shift_range(fitted(kappa=kernel))
    assert low < -1.18 and high > 0.4
