"""Disconnected and bent, clamped arrays: the reference against exact matrices, the fast tiles against the reference,
derivatives."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from surrogate.fast.windows import Windows
from surrogate.linear import effective_matrix
from surrogate.scores import decibel
from surrogate.switched.cell import EFFECTS, Shared, relative_current, row_currents, shared_of, state_for, without
from surrogate.switched.reference import cell_currents, charges, one_hot_currents, pattern_currents
from surrogate.switched.tiles import SwitchedTiles


def shared(bend=0.0, bit_line=2e-3, word_line=3e-4, edge_time=0.0):
    values = (0.002, word_line, bit_line, 0.01, 0.05, bend, edge_time)
    return Shared(*(torch.tensor(value, dtype=torch.float64) for value in values))


def random(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def states(*shape, seed=0):
    return 10 ** (-1.5 * random(*shape, seed=seed))


@given(rows=st.integers(1, 6), columns=st.integers(1, 5), seed=st.integers(0, 99))
def test_slots_of_linear_cells_are_matrices_of_the_connected_ones(rows, columns, seed):
    p, g, active = shared(), states(rows, columns, seed=seed), (random(3, rows, seed=seed + 1) < 0.5).double()
    series = g / (1 + g * p.access)
    lines = torch.stack([p.driver, p.word_line, p.bit_line, p.switch])
    exact = torch.stack([a @ effective_matrix(a[:, None] * series, lines) for a in active])
    torch.testing.assert_close(pattern_currents(p, g[None], active), exact, rtol=1e-9, atol=1e-12)


def clamped(bend=0.0, **wires):
    """Without access devices and with idle rows clamped."""
    return replace(shared(bend, **wires), access=torch.zeros((), dtype=torch.float64), leak=1.0)


@given(rows=st.integers(1, 6), columns=st.integers(1, 5), seed=st.integers(0, 99))
def test_linear_clamped_cells_are_one_matrix(rows, columns, seed):
    p, g, active = clamped(), states(rows, columns, seed=seed), (random(3, rows, seed=seed + 1) < 0.5).double()
    exact = active @ effective_matrix(g, torch.stack([p.driver, p.word_line, p.bit_line, p.switch]))
    torch.testing.assert_close(pattern_currents(p, g[None], active), exact, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("make", [shared, clamped])
@pytest.mark.parametrize("bend", [0.0, 0.04, 0.06, 4.0])
def test_currents_fulfil_their_equations(make, bend):
    p, g, active = make(bend), states(5, 4), torch.tensor([[1.0, 0, 1, 1, 0]]).double()
    c = cell_currents(p, g[None], active)[0]
    k, l = torch.arange(5), torch.arange(4)
    y = p.switch * c.sum(0) + p.bit_line * torch.minimum(k[:, None], k).double() @ c
    z = p.driver * c.sum(1, keepdim=True) + p.word_line * c @ torch.minimum(l[:, None], l).double()
    on = active[0][:, None]
    volts = on - y - z - p.access * c
    root = bend**0.5
    law = torch.sinh(root * volts) / math.sinh(root) if bend else volts
    torch.testing.assert_close(c, (on + p.leak * (1 - on)) * g * law, rtol=1e-8, atol=1e-14)
    assert bool((c[1] < 0).all()) == (p.leak > 0), "a clamped row's cells conduct into the dropped bit line"


def test_series_and_sinh_agree_where_they_meet():
    volts = torch.linspace(-1, 1, 9).double()
    near = [relative_current(torch.tensor(b).double(), volts) for b in (0.05, 0.05 + 1e-9)]
    torch.testing.assert_close(*near, rtol=1e-9, atol=1e-12)


def test_charges_are_currents_times_slots_less_edges():
    p, g = shared(edge_time=1e-3), states(3, 2)
    duration = torch.tensor([[0.5, 0.0, 0.8]], dtype=torch.float64)
    first, second = pattern_currents(p, g[None], torch.tensor([[1.0, 0, 1], [0, 0, 1]]).double())
    cut = cell_currents(p, g[None], torch.tensor([[1.0, 0, 1]]).double())[0][0]
    expected = 0.5 * first + 0.3 * second - 1e-3 * (first + cut + second)
    torch.testing.assert_close(charges(p, g[None], duration)[0], expected, rtol=1e-9, atol=0)


def test_one_hot_reads_are_patterns_of_one_row():
    p, g = shared(1.0), states(2, 4, 3)
    alone = torch.stack([pattern_currents(p, array[None], torch.eye(4).double()) for array in g])
    torch.testing.assert_close(one_hot_currents(p, g), alone, rtol=1e-6, atol=0)


def test_states_of_currents_show_them_between_ideal_lines():
    p = without(shared(1.0), "word_line_drop")
    current = torch.linspace(0.01, 0.9, 7).double()
    torch.testing.assert_close(row_currents(p, state_for(p, current)[:, None])[:, 0], current, rtol=1e-6, atol=0)


def test_switched_off_effects_leave_the_ideal_product_exactly():
    p, g, duration = without(shared(1.0, edge_time=1e-3), *EFFECTS), states(6, 4), random(5, 6)
    torch.testing.assert_close(charges(p, g[None], duration), duration @ g, rtol=1e-12, atol=0)
    tiles = SwitchedTiles(p).tile_charges(duration[:, None], g[None, None])[:, 0, 0]
    torch.testing.assert_close(tiles, duration @ g, rtol=1e-12, atol=0)


@pytest.mark.parametrize(("make", "bend", "level"), [(shared, 0.0, 55), (shared, 1.0, 45), (clamped, 1.0, 50)])
def test_fast_tiles_agree_with_the_reference(make, bend, level):
    """At a drop that costs an ideal VMM all but some 15 dB."""
    p, g = make(bend, bit_line=5e-4, edge_time=1e-3), states(48, 6)
    duration = random(8, 48, seed=1) * (random(8, 48, seed=2) < torch.linspace(0.2, 1, 8)[:, None])
    exact = charges(p, g[None], duration)
    ideal = duration @ row_currents(p, g)
    assert decibel(exact.numpy(), ideal.numpy()) < 22
    tiles = SwitchedTiles(p).tile_charges(duration[:, None], g[None, None])[:, 0, 0]
    assert decibel(exact.numpy(), tiles.numpy()) > level


def test_more_bins_and_terms_come_closer():
    p, g, duration = shared(bit_line=1e-3), states(32, 3), random(4, 32, seed=1)
    exact = charges(p, g[None], duration).numpy()
    errors = [
        decibel(exact, SwitchedTiles(p, degree, bins).tile_charges(duration[:, None], g[None, None])[:, 0, 0].numpy())
        for degree, bins in ((1, 4), (2, 12), (5, 64))
    ]
    assert errors[0] < errors[1] < errors[2] and errors[2] > 70


@pytest.mark.parametrize("bend", [0.0, 1.0])
def test_derivatives_by_states_and_durations(bend):
    p, tiles = shared(bend, edge_time=1e-3), SwitchedTiles(shared(bend, edge_time=1e-3), bins=3)
    state, duration = states(1, 1, 4, 2).requires_grad_(), (0.1 + 0.2 * random(2, 1, 4)).requires_grad_()
    assert torch.autograd.gradcheck(tiles.tile_charges, (duration, state), rtol=1e-4, atol=1e-6)
    assert float(p.bend) == bend


def test_clamped_rows_without_pulses_conduct_and_count():
    """Pairs of arrays whose last rows stay idle are those of the whole arrays, and not of arrays without these rows."""
    p, windows = clamped(1.0, bit_line=1e-2), Windows((1, 1), (1, 1), (1, 1), 2, 3)
    tiles, image, state = SwitchedTiles(p), random(4, 1, 1, 6), states(2, 1, 8, 4)
    duration = torch.nn.functional.pad(image.reshape(4, 2, 3), (0, 5))
    charge = tiles.tile_charges(duration, state).sum(1)[:, 0]
    assert tiles.whole_arrays
    torch.testing.assert_close(tiles.pair_sums(image, windows, state, 2), charge[:, 0::2] - charge[:, 1::2])
    exact = charges(p, state[0, 0][None], duration[:, 0]).numpy()
    short = tiles.tile_charges(duration[:, :1, :3], state[:1, :, :3])[:, 0, 0]
    assert decibel(exact, tiles.tile_charges(duration[:, :1], state[:1])[:, 0, 0].numpy()) > 45
    assert decibel(exact, short.numpy()) < 40


def test_pairs_of_windows_are_differences_of_tile_charges():
    p = shared(bit_line=1e-3)
    tiles, windows = SwitchedTiles(p), Windows((1, 1), (1, 1), (1, 1), 2, 3)
    image, state = random(4, 1, 1, 6), states(2, 1, 3, 4)
    charge = tiles.tile_charges(image.reshape(4, 2, 3), state).sum(1)[:, 0]
    torch.testing.assert_close(tiles.pair_sums(image, windows, state, 2), charge[:, 0::2] - charge[:, 1::2])


def test_rows_beyond_the_used_ones_are_not_there():
    p, state, duration = shared(), states(1, 1, 6, 2), random(3, 1, 6, seed=3)
    duration[..., 4:] = 0
    used = SwitchedTiles(p, 3, 24).tile_charges(duration[..., :4], state[..., :4, :])
    whole = SwitchedTiles(p, 3, 24).tile_charges(duration, state)
    torch.testing.assert_close(used, whole, rtol=2e-3, atol=0)


def test_names_are_in_the_order_of_the_vector():
    vector = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7], dtype=torch.float64)
    p = shared_of(vector)
    assert float(p.access) == pytest.approx(torch.exp(vector[4]).item())
    assert (float(p.bend), float(p.edge_time)) == (0.6, 0.7)
    assert float(replace(p, bend=vector[0]).bend) == 0.1
