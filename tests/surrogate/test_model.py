"""The reference engine against definitions, explicit loops, time integration and finite differences."""

from itertools import pairwise

import pytest
import torch
from synthetic import fitted, fitted_flat, random_duration, random_state

from surrogate import model
from surrogate.cell import cell_current, gate_fall
from surrogate.model import (
    Precision,
    array_edge,
    cell_currents,
    charges,
    distance,
    pattern_currents,
    shifted_state,
)
from surrogate.parameters import (
    EFFECTS,
    OFFSETS,
    SIZE,
    SPECS,
    Parameters,
    positions,
    prior_widths,
    start_values,
    unflatten,
)

EDGE = {"edge_fall": 0.05, "edge_shift": -0.04}
TIGHT = Precision(currents=1e-13)


def random_patterns(count, rows, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(count, rows, generator=generator) > 0.5).double()


# --- ideal limit ------------------------------------------------------------------------------------------------


def test_without_all_effects_the_model_is_the_ideal_vmm():
    p = fitted().without(*EFFECTS)
    state, duration = random_state(7, 5), random_duration(12, 7)
    weights = cell_current(p, state, torch.zeros((), dtype=torch.float64))[0]
    torch.testing.assert_close(charges(p, state[None], duration), duration @ weights, rtol=1e-12, atol=1e-15)


def test_ideal_charges_are_additive_over_rows_and_linear_in_durations():
    p, state = fitted().without(*EFFECTS), random_state(6, 4)[None]
    duration = random_duration(8, 6)
    upper, lower = duration.clone(), duration.clone()
    upper[:, 3:], lower[:, :3] = 0, 0
    whole = charges(p, state, duration)
    torch.testing.assert_close(charges(p, state, upper) + charges(p, state, lower), whole, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(charges(p, state, 3 * duration), 3 * whole, rtol=1e-12, atol=1e-15)


def test_with_effects_charges_are_still_linear_in_a_common_time_scale_without_edges():
    p, state, duration = fitted(edge_time=0.0), random_state(6, 4)[None], random_duration(8, 6)
    torch.testing.assert_close(charges(p, state, 3 * duration), 3 * charges(p, state, duration), rtol=1e-8, atol=1e-14)


# --- time integration -------------------------------------------------------------------------------------------


def integrate(p, state, widths, extra_points=13):
    """Charges [M] of one VMM by stepping through time, with breakpoints at the pulse ends and in between."""
    ends = torch.cat([torch.linspace(0, 1, extra_points, dtype=torch.float64), widths]).unique()
    start, length = ends[:-1], ends[1:] - ends[:-1]
    active = (widths[None] > (start + 0.5 * length)[:, None]).double()
    return (length[:, None] * pattern_currents(p, state[None], active)).sum(0)


@pytest.mark.parametrize("shape", [(5, 3), (8, 4), (1, 1), (1, 4), (6, 1)])
def test_the_slot_sum_is_the_time_integral(shape):
    p, state = fitted(edge_time=0.0), random_state(*shape, seed=2)
    duration = random_duration(9, shape[0], seed=3)
    expected = torch.stack([integrate(p, state, widths) for widths in duration])
    torch.testing.assert_close(charges(p, state[None], duration), expected, rtol=1e-9, atol=1e-12)


def test_edges_lose_the_last_current_of_each_row_and_the_first_of_all():
    p, state = fitted(edge_time=0.01), random_state(5, 3)
    widths = torch.tensor([0.4, 0.0, 1.0, 0.4, 0.7], dtype=torch.float64)
    lost = torch.zeros(3, dtype=torch.float64)
    for row, width in enumerate(widths):
        if width > 0:
            last = (widths >= width).double()[None]
            lost += 0.01 * cell_currents(p, state[None], last)[0, row]
    lost += 0.01 * cell_currents(p, state[None], (widths > 0).double()[None])[0].sum(0)
    expected = charges(p.without("edge"), state[None], widths[None])[0] - lost
    torch.testing.assert_close(charges(p, state[None], widths[None])[0], expected, rtol=1e-9, atol=1e-12)


def test_states_of_their_own_for_every_vmm():
    p, states, duration = fitted(), random_state(4, 5, 3), random_duration(4, 5)
    together = charges(p, states, duration)
    alone = torch.cat([charges(p, states[k : k + 1], duration[k : k + 1]) for k in range(4)])
    torch.testing.assert_close(together, alone, rtol=1e-8, atol=1e-12)


# --- gradients --------------------------------------------------------------------------------------------------


def central(function, at, step=1e-4):
    """Gradient of the scalar ``function`` by central differences in every element."""
    gradient = torch.zeros_like(at)
    for k in range(at.numel()):
        shift = torch.zeros_like(at).reshape(-1)
        shift[k] = step
        shift = shift.reshape(at.shape)
        with torch.no_grad():
            gradient.reshape(-1)[k] = (function(at + shift) - function(at - shift)) / (2 * step)
    return gradient


def assert_gradient(function, exact_function, at):
    leaf = at.clone().requires_grad_(True)
    (given,) = torch.autograd.grad(function(leaf), leaf)
    expected = central(exact_function, at)
    torch.testing.assert_close(given, expected, rtol=1e-5, atol=1e-6 * float(expected.abs().max()))


@pytest.fixture
def weighing():
    """A scalar of charges that treats every one of them differently."""
    weight = torch.rand(3, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64) + 0.5
    return lambda q: (weight * q).sum()


DURATION = torch.tensor([[0.3, 0.9, 0.0, 0.55], [1.0, 0.2, 0.7, 0.4], [0.0, 0.35, 0.8, 0.0]], dtype=torch.float64)


def test_gradient_to_states(weighing):
    p, state = fitted(), random_state(1, 4, 3)
    assert_gradient(
        lambda u: weighing(charges(p, u, DURATION)), lambda u: weighing(charges(p, u, DURATION, TIGHT)), state
    )


def test_gradient_to_shared_parameters(weighing):
    state, flat = random_state(1, 4, 3), fitted_flat(log_bit_line=-3.0, log_word_line=-4.0, log_driver=-3.0)
    leaf = flat.clone().requires_grad_(True)
    (given,) = torch.autograd.grad(weighing(charges(unflatten(leaf), state, DURATION)), leaf)
    expected = central(lambda v: weighing(charges(unflatten(v), state, DURATION, TIGHT)), flat)
    torch.testing.assert_close(given, expected, rtol=1e-5, atol=1e-8)
    limit = positions("drain_limit")  # far from saturation its derivative is below any rounding error
    assert float(given[limit].abs()) < 1e-4
    others = torch.ones(SIZE, dtype=torch.bool)
    others[limit] = False
    assert bool((given[others] != 0).all()), "a parameter without influence"


def test_gradient_to_durations(weighing):
    p, state = fitted(edge_time=0.01), random_state(1, 4, 3)
    duration = DURATION.clone()
    duration[duration == 0] = 0.05  # a pulse that begins to exist is a kink
    duration += torch.arange(4, dtype=torch.float64) * 1e-3  # and so is a tie
    assert_gradient(lambda t: weighing(charges(p, state, t)), lambda t: weighing(charges(p, state, t, TIGHT)), duration)


@pytest.mark.parametrize(("log_switch", "log_driver"), [(-1.3, 2.0), (3.0, -5.5), (0.0, 3.0)])
def test_gradient_where_only_damped_iterations_converge(log_switch, log_driver):
    p = fitted(log_switch=log_switch, log_driver=log_driver)
    state, active = random_state(1, 5, 3) + 2, torch.ones(1, 5, dtype=torch.float64)
    assert_gradient(
        lambda u: pattern_currents(p, u, active).sum(), lambda u: pattern_currents(p, u, active, TIGHT).sum(), state
    )


def test_currents_are_the_same_with_and_without_gradients():
    p, state, active = fitted(log_driver=2.0), random_state(1, 6, 4) + 2, random_patterns(5, 6)
    with torch.no_grad():
        plain = pattern_currents(p, state, active)
    traced = pattern_currents(p, state.clone().requires_grad_(True), active)
    torch.testing.assert_close(plain, traced.detach(), rtol=1e-8, atol=1e-12)


def test_a_copy_of_the_parameters_per_observation_gives_the_same_charges():
    flat, states, duration = fitted_flat(), random_state(4, 5, 3), random_duration(4, 5)
    copies = flat[:, None, None, None].expand(-1, 4, 1, 3)
    torch.testing.assert_close(
        charges(unflatten(copies), states, duration), charges(unflatten(flat), states, duration), rtol=1e-9, atol=0
    )


# --- fixed point ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 4), (1, 1), (1, 3), (4, 1)])
def test_currents_are_consistent_with_the_drops_that_they_cause(shape):
    rows, columns = shape
    p = fitted(log_switch=0.5, log_bit_line=-2.0, log_driver=-1.0, log_word_line=-2.5)
    state, active = random_state(1, rows, columns, seed=4) + 1, torch.ones(1, rows, dtype=torch.float64)
    if rows > 1:
        active[0, 0] = 0
    current = cell_currents(p, state, active, TIGHT)[0]
    drop, rise = torch.zeros(rows, columns).double(), torch.zeros(rows, columns).double()
    for i in range(rows):  # every wire segment carries the current of all cells beyond it
        drop[i] = torch.exp(p.log_switch.squeeze()) * current.sum(0)
        for segment in range(1, i + 1):
            drop[i] += torch.exp(p.log_bit_line.squeeze()) * current[segment:].sum(0)
    for j in range(columns):
        rise[:, j] = torch.exp(p.log_driver.squeeze()) * current.sum(1)
        for segment in range(1, j + 1):
            rise[:, j] += torch.exp(p.log_word_line.squeeze()) * current[:, segment:].sum(1)
    x = shifted_state(p, state, active) - p.sensitivity * drop - rise
    again = active[0][:, None] * cell_current(p, x, drop)[0]
    torch.testing.assert_close(again, current, rtol=1e-9, atol=1e-12)


def test_distance_counts_common_segments():
    assert distance(3).tolist() == [[0, 0, 0], [0, 1, 1], [0, 1, 2]]


@pytest.mark.parametrize("name", ["log_switch", "log_bit_line", "log_driver", "log_word_line"])
def test_more_resistance_means_less_current_everywhere(name):
    state, active = random_state(1, 6, 4), torch.ones(1, 6, dtype=torch.float64)
    currents = [pattern_currents(fitted(**{name: r}), state, active) for r in (-20.0, -3.0, -2.0, -1.0)]
    for less, more in pairwise(currents):
        assert float(more.sum()) < float(less.sum())
        if name != "log_word_line":  # its first column gains a little by what the others no longer draw at the driver
            assert bool((more < less).all())


def test_idle_cells_carry_nothing_while_the_bit_line_stays_up():
    active = torch.tensor([[1.0, 0.0, 1.0, 0.0, 0.0]], dtype=torch.float64)
    current = cell_currents(fitted(), random_state(1, 5, 3), active)[0]
    assert float(current[active[0] == 0].abs().max()) < 1e-15
    assert bool((current[active[0] == 1] > 0).all())


def test_idle_cells_feed_a_dropped_bit_line():
    state, active = random_state(1, 6, 3), torch.tensor([[1.0, 1.0, 1.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    p = fitted(idle_depth=3.0, log_switch=0.0)
    fed, alone = (cell_currents(q, state, active)[0] for q in (p, p.without("sneak")))
    assert bool((fed[3:] < 0).all())
    assert float(alone[3:].abs().max()) < 1e-15
    assert bool((fed.sum(0) < alone.sum(0)).all())  # the clamp delivers less
    assert bool((fed[:3] > alone[:3]).all())  # the active cells see less of a drop
    assert float(cell_currents(p, state, 0 * active).abs().max()) < 1e-15


def test_patterns_do_not_disturb_each_other():
    p, state, active = fitted(), random_state(1, 6, 4), random_patterns(6, 6)
    together = pattern_currents(p, state, active)
    alone = torch.cat([pattern_currents(p, state, active[k : k + 1]) for k in range(6)])
    torch.testing.assert_close(together, alone, rtol=1e-7, atol=1e-11)


def test_no_patterns_give_no_currents():
    empty = torch.zeros(0, 5, dtype=torch.float64)
    assert pattern_currents(fitted(), random_state(1, 5, 3), empty).shape == (0, 3)


def test_currents_that_do_not_converge_are_an_error(monkeypatch):
    active = torch.ones(1, 8, dtype=torch.float64)
    state = random_state(1, 8, 4) + 4
    with monkeypatch.context() as patch:
        patch.setattr(model, "MAX_ITERATIONS", 3)
        with pytest.raises(ArithmeticError, match="does not converge"):
            pattern_currents(fitted(log_switch=0.0), state, active)
    with pytest.raises(ArithmeticError, match="finite"):
        pattern_currents(fitted(log_switch=8.0), state, active)
    with pytest.raises(ArithmeticError, match="finite"):
        pattern_currents(fitted(), state * float("nan"), active)


# --- coupling ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 2, 3, 6, 7])
def test_shifts_by_explicit_loops(rows):
    columns = 3
    p, state = fitted(gate_row=-0.02, gate_column=-0.03, **EDGE), random_state(rows, columns)
    active = torch.cat([torch.eye(rows), torch.ones(1, rows), torch.zeros(1, rows)]).double()
    fall = torch.log1p(torch.exp(state / 2))
    kappa = p.kappa.reshape(2, 4)
    for pattern, given in zip(active, shifted_state(p, state[None], active), strict=True):
        for i in range(rows):
            for j in range(columns):
                x, coupled, missing, gates = state[i, j].clone(), 0.0, 0.0, 0
                for k in (j - 1, j + 1):
                    if 0 <= k < columns:
                        x += -0.02 * (fall[i, k] - fall[i, j])
                for c, offset in enumerate(OFFSETS):
                    k = i + offset
                    if not 0 <= k < rows:
                        missing += kappa[i % 2, c]
                        gates += abs(offset) == 1
                    elif pattern[k]:
                        coupled += kappa[i % 2, c]
                        x += -0.03 * fall[k, j] * (abs(offset) == 1)
                x += coupled + missing * (0.27 + 0.05 * fall[i, j] - 0.04 * coupled) - 0.02 * gates
                assert float(given[i, j]) == pytest.approx(float(x), abs=1e-12)


def test_even_and_odd_rows_have_kernels_of_their_own():
    kernel = torch.zeros(2, 4)
    kernel[0, OFFSETS.index(1)] = -0.5
    p = fitted(kappa=kernel.tolist(), array_edge=0.0, edge_gate=0.0, gate_row=0.0, gate_column=0.0)
    state = torch.zeros(1, 4, 1, dtype=torch.float64)
    active = torch.ones(1, 4, dtype=torch.float64)
    assert shifted_state(p, state, active)[0, :, 0].tolist() == [-0.5, 0.0, -0.5, 0.0]


def test_mirrored_rows_are_symmetric_about_their_pair():
    # κ of odd rows is that of even rows mirrored: turning an even number of rows upside down changes nothing
    p = fitted(log_bit_line=-60.0)
    state, active = random_state(1, 6, 3), random_patterns(5, 6)
    turned = pattern_currents(p, state.flip(-2), active.flip(-1))
    torch.testing.assert_close(turned, pattern_currents(p, state, active), rtol=1e-9, atol=1e-12)


def test_the_array_edge_is_what_shifts_and_scales_the_rows_at_the_edge():
    for rows in (1, 2, 5, 6):
        p, state = fitted(gate_row=0.0, gate_column=0.0, **EDGE), random_state(1, rows, 2)
        edge, idle = array_edge(p, rows), torch.zeros(1, rows, dtype=torch.float64)
        static = (edge.shift[:, None] + edge.fall[:, None] * gate_fall(state))[0]
        resting = shifted_state(p, state, idle)
        torch.testing.assert_close((resting - state)[0], static, atol=1e-12, rtol=0)
        shift = (shifted_state(p, state, idle + 1) - resting)[0, :, 0]
        inside = shifted_state(p.without("array_edge"), state, idle + 1) - state
        torch.testing.assert_close(shift, edge.gain * inside[0, :, 0], atol=1e-12, rtol=0)
        assert not bool(static[2:-2].any()) and bool((edge.gain[2:-2] == 1).all())


# --- parameters -------------------------------------------------------------------------------------------------


SWITCHED = {
    "array_edge": {"array_edge", "edge_fall", "edge_shift", "edge_gate"},
    "sneak": {"idle_depth"},
    "crosstalk": {"kappa", "gate_column"},
    "gate_coupling": {"gate_row", "gate_column"},
    "bit_line_drop": {"log_switch", "log_bit_line"},
    "word_line_drop": {"log_driver", "log_word_line"},
    "edge": {"edge_time"},
}


@pytest.mark.parametrize("effect", EFFECTS)
def test_switching_an_effect_off_changes_its_parameters_only(effect):
    p = fitted(idle_depth=3.0, **EDGE)
    changed = {s.name for s in SPECS if not torch.equal(p.values[s.name], p.without(effect).values[s.name])}
    assert changed == SWITCHED[effect]
    state, duration = random_state(1, 6, 4), random_duration(6, 6)
    assert not torch.allclose(charges(p, state, duration), charges(p.without(effect), state, duration), rtol=1e-6)


def test_what_each_effect_does():
    p, state = fitted(), random_state(1, 6, 4)
    active, alone = random_patterns(5, 6), torch.eye(6, dtype=torch.float64)
    no_drop = p.without("bit_line_drop", "word_line_drop")
    uncoupled = cell_currents(no_drop.without("crosstalk"), state, active)
    read_alone = torch.einsum("kij,ki->ij", cell_currents(no_drop.without("crosstalk"), state, alone), alone)
    torch.testing.assert_close(uncoupled, active[..., None] * read_alone, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(pattern_currents(p.without("edge"), state, active), pattern_currents(p, state, active))
    # without word-line resistance the columns of an array do not see each other but through floating gates
    apart = p.without("word_line_drop", "gate_coupling")
    column = pattern_currents(apart, state[..., 1:2], active)
    torch.testing.assert_close(pattern_currents(apart, state, active)[:, 1:2], column, rtol=1e-9, atol=1e-12)


def test_unknown_effects_are_refused():
    with pytest.raises(KeyError):
        fitted().without("weather")


def test_flat_and_named_values_are_the_same():
    flat = torch.arange(SIZE, dtype=torch.float64)
    p = unflatten(flat)
    assert torch.equal(p.flat(), flat)
    for spec in SPECS:
        assert torch.equal(p.values[spec.name].reshape(-1), flat[positions(spec.name)])
        assert p.values[spec.name].shape == (*spec.shape, 1, 1, 1)
    assert len(start_values()) == len(prior_widths()) == SIZE
    assert bool((prior_widths() > 0).all())
    assert torch.equal(Parameters(p.values).map(lambda v: 2 * v).flat(), 2 * flat)
    with pytest.raises(AttributeError):
        _ = p.no_such_parameter
    with pytest.raises(KeyError):
        positions("no_such_parameter")


def test_cell_current_grows_with_state_from_weak_to_strong_inversion():
    p = fitted(curve=[0.0] * 5)
    x = torch.linspace(-12, 12, 400, dtype=torch.float64)
    current = cell_current(p, x, torch.zeros((), dtype=torch.float64)).reshape(-1)
    assert bool((current.diff() > 0).all())
    weak = torch.log(current[x < -10]).diff() / x[x < -10].diff()
    torch.testing.assert_close(weak, torch.ones_like(weak), atol=0.01, rtol=0)  # e^u in weak inversion
    dropped = [cell_current(p, x[200:], torch.tensor(d, dtype=torch.float64)) for d in (0.0, 5.0, 20.0)]
    assert bool((dropped[0] > dropped[1]).all())
    assert bool((dropped[1] > dropped[2]).all())
