"""The fast engine against the reference engine, effect by effect, and against itself."""

from itertools import pairwise

import pytest
import torch
from synthetic import fitted, random_duration, random_state

import surrogate.fast.engine as engine_module
from surrogate.errors import InputError
from surrogate.fast.clock import mean_clock
from surrogate.fast.crosstalk import crosstalk_features
from surrogate.fast.drop import remaining_charge
from surrogate.fast.engine import Accuracy, FastEngine
from surrogate.fast.tables import cell_tables
from surrogate.model import charges
from surrogate.parameters import OFFSETS
from surrogate.slots import adaptive_slots

LOW, HIGH = -5.0, 3.0
TYPICAL = torch.linspace(-4, 2, 100, dtype=torch.float64)
"""As random states are."""
DEFAULT, FINE = Accuracy(), Accuracy(terms=5, drop_terms=3, slots=16)
STRONG_EDGE = {"edge_fall": 0.04, "edge_shift": -0.03, "array_edge": 0.2}
APART = ("bit_line_drop", "word_line_drop", "gate_coupling")
"""Effects that couple the cells of a column or of a row; without them crosstalk by minima is exact."""


def fast(p, state, duration, accuracy=DEFAULT):
    """Charges [b, M] of one tile ``state`` [N, M]."""
    engine = FastEngine(p, len(state), LOW, HIGH, TYPICAL, accuracy)
    return engine.tile_charges(duration[:, None], state[None, None])[:, 0, 0]


def coded(count, rows, seed=0, ties=False):
    """Durations that are codes of 8 bits, pulses on all rows; with ``ties`` of 3 bits, zeros among them."""
    generator = torch.Generator().manual_seed(seed)
    if ties:
        return torch.randint(0, 8, (count, rows), generator=generator).double() / 7
    return torch.stack([torch.randperm(255, generator=generator)[:rows] + 1 for _ in range(count)]).double() / 255


def with_gradients(function, *leaves):
    """Value, and gradients of its sum with fixed random weights."""
    leaves = [leaf.clone().requires_grad_(True) for leaf in leaves]
    value = function(*leaves)
    weight = torch.randn(value.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(value)
    return value.detach(), *torch.autograd.grad((weight * value).sum(), leaves)


def error(given, truth):
    """Largest error over the largest true value."""
    return float((given - truth).abs().max() / truth.abs().max())


def errors(p, state, duration, accuracy):
    """Errors of charges and of their gradients to states and to durations, against the reference."""
    truth = with_gradients(lambda u, t: charges(p, u[None], t), state, duration)
    given = with_gradients(lambda u, t: fast(p, u, t, accuracy), state, duration)
    return [error(g, t) for g, t in zip(given, truth, strict=True)]


# --- crosstalk ------------------------------------------------------------------------------------------------------


def features_by_slots(duration, lost, kernel):
    """The features [b, Q, N] from explicit slots."""
    slots, rows = adaptive_slots(duration), duration.shape[-1]
    pattern = torch.zeros_like(slots.active, dtype=torch.long)
    for bit, offset in enumerate(OFFSETS):
        for i in range(rows):
            if 0 <= i + offset < rows:
                pattern[..., i] += (slots.active[..., i + offset] > 0) * 2**bit
    value = pattern_values(kernel)[torch.arange(rows), pattern] * slots.active[..., None]
    weight = slots.length[..., None] - lost * slots.closing
    return torch.einsum("bsi,bsiq->bqi", weight, value) - lost * value[:, 0].mT


def pattern_values(kernel):
    """Values [N, 16, Q] in each pattern, from the coefficients of all subsets of it."""
    subset = torch.tensor([[float(s & c == s) for s in range(16)] for c in range(16)], dtype=kernel.dtype)
    return torch.einsum("cs,nsq->ncq", subset, kernel)


@pytest.mark.parametrize("rows", [1, 2, 3, 16])
@pytest.mark.parametrize("lost", [0.0, 0.002, -0.002])
def test_features_are_the_sum_over_adaptive_slots(rows, lost):
    kernel = cell_tables(fitted(**STRONG_EDGE), rows, LOW, HIGH, TYPICAL, (5, 2)).kernel
    duration = torch.cat([coded(6, rows), coded(6, rows, ties=True), torch.zeros(1, rows, dtype=torch.float64)])
    given = crosstalk_features(duration, lost, kernel)
    torch.testing.assert_close(given, features_by_slots(duration, lost, kernel), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("rows", [1, 2, 7, 16])
@pytest.mark.parametrize("changes", [STRONG_EDGE, {"kappa": [[0.05] * 4, [-0.3] * 4], "edge_time": 0.002}])
def test_without_drop_charges_and_gradients_are_exact(rows, changes):
    p, state = fitted(**changes).without(*APART), random_state(rows, 5)
    assert max(errors(p, state, coded(2, rows), FINE)) < 1e-5
    ties = coded(5, rows, ties=True)
    assert error(fast(p, state, ties, FINE), charges(p, state[None], ties)) < 1e-5


def test_the_gradient_moves_tied_pulses_together_as_the_reference_does():
    p, state, duration = fitted().without(*APART), random_state(16, 5), coded(1, 16, ties=True)
    engines = (lambda t: charges(p, state[None], t), lambda t: fast(p, state, t, FINE))
    slopes = [with_gradients(engine, duration)[1][0] for engine in engines]
    groups = [duration[0] == level for level in duration[0].unique() if level > 0]
    assert max(int(group.sum()) for group in groups) > 2
    truth, given = (torch.stack([slope[group].sum() for group in groups]) for slope in slopes)
    assert error(given, truth) < 1e-5


def test_more_terms_are_more_exact():
    p, state, duration = fitted().without(*APART), random_state(16, 5), coded(2, 16)
    by_terms = [errors(p, state, duration, Accuracy(terms, 1)) for terms in (2, 3, 4)]
    for fewer, more in pairwise(by_terms):
        assert all(m < 0.5 * f for f, m in zip(fewer, more, strict=True))


# --- drops ----------------------------------------------------------------------------------------------------------


def depth(p, state, duration):
    """Largest charge that the bit-line drop takes, over the largest charge."""
    truth = charges(p, state[None], duration)
    return error(charges(p.without("bit_line_drop"), state[None], duration), truth)


@pytest.mark.parametrize(
    ("changes", "kept", "level"),
    [
        ({"gate_column": 0.0}, "gate_coupling", 1e-4),
        ({}, "gate_coupling", 5e-4),
        ({"log_word_line": -60.0}, "word_line_drop", 3e-4),
        ({"log_driver": -60.0, "log_word_line": -7.5}, "word_line_drop", 3e-4),
    ],
)
def test_effects_along_rows_alone(changes, kept, level):
    p = fitted(**changes).without(*[effect for effect in APART if effect != kept])
    assert max(errors(p, random_state(16, 6), coded(5, 16), FINE)) < level


@pytest.mark.parametrize(
    ("changes", "levels", "fine"),
    [
        ({"log_bit_line": -60.0}, (0.07, 0.1, 0.35), (0.006, 0.02, 0.1)),
        ({"log_switch": -0.5}, (0.07, 0.1, 0.35), (0.006, 0.02, 0.1)),
        ({"log_switch": 0.5, "sensitivity": 0.02}, (0.07, 0.1, 0.35), (0.006, 0.02, 0.1)),
        ({"log_switch": -60.0, "log_bit_line": -3.5}, (0.14, 0.2, 0.6), (0.12, 0.2, 0.25)),
    ],
)
def test_bit_line_drop_alone_is_exact_to_a_share_of_its_depth(changes, levels, fine):
    p, state, duration = fitted(**changes).without("word_line_drop", "gate_coupling"), random_state(16, 6), coded(3, 16)
    taken = depth(p, state, duration)
    assert taken > 5e-4
    assert all(e < share * taken for e, share in zip(errors(p, state, duration, DEFAULT), levels, strict=True))
    assert all(e < share * taken for e, share in zip(errors(p, state, duration, FINE), fine, strict=True))


def test_everything_together_gets_more_exact_with_terms_and_slots():
    p, state, duration = fitted(**STRONG_EDGE), random_state(48, 6), coded(2, 48)
    taken = depth(p, state, duration)
    by_cost = [errors(p, state, duration, Accuracy(*a)) for a in ((2, 1, 1), (3, 2, 1), (4, 2, 4), (5, 3, 16))]
    levels = ((0.15, 0.4, 0.5), (0.05, 0.15, 0.4), (0.02, 0.05, 0.3), (0.01, 0.05, 0.2))
    for found, shares in zip(by_cost, levels, strict=True):
        assert all(e < share * taken for e, share in zip(found, shares, strict=True)), (found, taken)
    for cheap, dear in pairwise(by_cost):
        assert sum(dear) < sum(cheap)


# --- the engine against itself --------------------------------------------------------------------------------------

SHAPES = [(16, 6), (7, 5), (1, 2), (2, 1), (1, 1)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_idle_rows_give_no_charge_and_finite_gradients(shape, dtype):
    idle = torch.zeros(3, shape[0], dtype=dtype)
    charge, *gradients = with_gradients(lambda u, t: fast(fitted(), u, t), random_state(*shape).to(dtype), idle)
    assert charge.dtype == dtype and torch.equal(charge, torch.zeros_like(charge))
    assert all(bool(torch.isfinite(g).all()) for g in gradients)


@pytest.mark.parametrize("shape", SHAPES)
def test_any_shape_is_near_the_reference(shape):
    p, state, duration = fitted(), random_state(*shape), random_duration(9, shape[0])
    assert error(fast(p, state, duration), charges(p, state[None], duration)) < 5e-4


@pytest.mark.parametrize("accuracy", [DEFAULT, Accuracy(4, 2, 4)])
def test_single_precision_is_enough(accuracy):
    p, state, duration = fitted(), random_state(16, 6), coded(9, 16, ties=True)
    double = with_gradients(lambda u, t: fast(p, u, t, accuracy), state, duration)
    single = with_gradients(lambda u, t: fast(p, u, t, accuracy), state.float(), duration.float())
    assert max(error(s.double(), d) for s, d in zip(single, double, strict=True)) < 1e-5


def test_gradients_are_finite_for_states_beyond_the_tables():
    state = torch.tensor([[-30.0, 4.0], [0.0, -8.0]])
    _, *gradients = with_gradients(lambda u, t: fast(fitted(), u, t), state, torch.tensor([[1.0, 0.5], [0.0, 0.0]]))
    assert all(bool(torch.isfinite(g).all()) for g in gradients)


def test_more_rows_than_the_engine_is_for_are_refused():
    engine = FastEngine(fitted(), 16, LOW, HIGH, TYPICAL)
    with pytest.raises(InputError, match="24 rows: this engine is for 16"):
        engine.functions(random_state(1, 24, 6))
    with pytest.raises(InputError, match="24 rows"):
        engine.charges(engine.functions(random_state(1, 16, 6)), random_duration(4, 24)[None])


def test_fewer_rows_are_those_of_an_array_whose_others_stay_idle():
    p, state, duration = fitted(**STRONG_EDGE), random_state(16, 6), random_duration(4, 16)
    duration[:, 9:] = 0.0
    engine = FastEngine(p, 16, LOW, HIGH, TYPICAL, FINE)
    few = engine.charges(engine.functions(state[None, :9]), duration[None, :, :9])[0]
    truth = charges(p, state[None], duration)
    assert error(few, truth) < 2e-3
    assert error(few, truth) < 0.1 * error(charges(p, state[None, :9], duration[:, :9]), truth)


def test_sizes_without_a_kernel_take_the_plain_path():
    state, duration = random_state(9, 4), random_duration(5, 9)
    single = fast(fitted(), state.float(), duration.float(), Accuracy(3, 3, 2))
    assert error(single.double(), fast(fitted(), state, duration, Accuracy(3, 3, 2))) < 1e-5


def test_tiles_in_a_column_are_tiles_alone():
    p, states = fitted(), random_state(3, 1, 6, 4)
    duration = torch.stack([random_duration(5, 6, seed=k) for k in range(3)], dim=1)
    together = FastEngine(p, 6, LOW, HIGH, TYPICAL).tile_charges(duration, states)
    assert together.shape == (5, 3, 1, 4)
    for r in range(3):
        torch.testing.assert_close(together[:, r, 0], fast(p, states[r, 0], duration[:, r]), rtol=1e-10, atol=1e-13)


def test_tiles_in_a_row_share_a_clock_at_little_cost():
    p, states, duration = fitted(), random_state(1, 3, 16, 6), coded(5, 16)
    together = FastEngine(p, 16, LOW, HIGH, TYPICAL).tile_charges(duration[:, None], states)[:, 0]
    for c in range(3):
        state = states[0, c]
        alone, taken = fast(p, state, duration), depth(p, state, duration)
        assert 0 < error(together[:, c], alone) < 0.05 * taken


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_chunks_change_nothing(monkeypatch, dtype):
    state, duration = random_state(7, 5).to(dtype), random_duration(12, 7).to(dtype)
    whole = with_gradients(lambda u, t: fast(fitted(), u, t), state, duration)
    monkeypatch.setattr(engine_module, "CHUNK", 5)
    parts = with_gradients(lambda u, t: fast(fitted(), u, t), state, duration)
    for a, b in zip(parts, whole, strict=True):
        assert error(a, b) < (1e-6 if dtype == torch.float32 else 1e-14)


def test_columns_only_meet_along_word_lines_and_rows_of_gates():
    p = fitted(gate_row=0.0).without("word_line_drop")
    state, duration, order = random_state(9, 5), random_duration(6, 9), torch.tensor([3, 0, 4, 1, 2])
    permuted = fast(p, state[:, order], duration)
    torch.testing.assert_close(permuted, fast(p, state, duration)[:, order], rtol=1e-10, atol=1e-13)
    coupled = fast(fitted(), state[:, order], duration)
    assert error(coupled, fast(fitted(), state, duration)[:, order]) > 1e-5


@pytest.mark.parametrize("changes", [{}, {"log_switch": 0.5}, {"log_switch": 1.0}])
def test_a_stronger_cell_never_lowers_its_columns_charge(changes):
    state, duration = random_state(16, 4, seed=1).requires_grad_(True), random_duration(6, 16)[:5]
    for column in fast(fitted(**changes), state, duration).sum(0):
        assert float(torch.autograd.grad(column, state, retain_graph=True)[0].sum()) > 0
    stronger = fast(fitted(**changes), state.detach() + 0.3, duration)
    assert bool((stronger > fast(fitted(**changes), state.detach(), duration)).all())


# --- derivatives of the plain path ----------------------------------------------------------------------------------


def test_derivatives_of_features_and_of_the_remaining_charge():
    p, state, duration = fitted(), random_state(5, 3), coded(2, 5)
    kernel = cell_tables(p, 5, LOW, HIGH, TYPICAL, (3, 2)).kernel
    leaf = duration.clone().requires_grad_(True)
    assert torch.autograd.gradcheck(lambda t: crosstalk_features(t, 7e-4, kernel), leaf)
    engine = FastEngine(p, 5, LOW, HIGH, TYPICAL)
    tiles = engine.functions(state[None])
    clock = mean_clock(duration[None], tiles.mean, tiles.strength, 2, 32)
    steady, projection = (torch.rand(1, 2, *s, dtype=torch.float64).requires_grad_(True) for s in ((3,), (2, 3)))
    assert torch.autograd.gradcheck(lambda q, h: remaining_charge(tiles, q, h, clock), (steady, projection))


@pytest.mark.parametrize("seed", range(3))
def test_what_gradients_leave_out_is_stationary(seed):
    """No gradient passes through clock, profile and κ; together they must not matter beyond the engine's own error."""
    p, state, duration = fitted(), random_state(16, 6), coded(3, 16)
    generator = torch.Generator().manual_seed(seed)
    by_state, by_time = (torch.randn(v.shape, generator=generator, dtype=torch.float64) for v in (state, duration))
    weight = torch.randn(3, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    _, to_state, to_time = with_gradients(lambda u, t: fast(p, u, t), state, duration)
    steps = (by_state, torch.zeros_like(duration), to_state), (torch.zeros_like(state), by_time, to_time)
    for move_state, move_time, gradient in steps:
        ends = [(weight * fast(p, state + h * move_state, duration + h * move_time)).sum() for h in (1e-4, -1e-4)]
        slope = (ends[0] - ends[1]) / 2e-4
        expected = (gradient * (move_state if gradient is to_state else move_time)).sum()
        assert float((slope - expected).abs() / gradient.norm()) < 0.6 * depth(p, state, duration)
