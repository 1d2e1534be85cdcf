"""Inputs on other word lines: the same layer where nothing disturbs, less crosstalk where something does."""

import copy
import sys
from dataclasses import replace
from itertools import pairwise, permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))
from synthetic import surrogate

from surrogate.analog import (
    LayerSettings,
    Mapping,
    analog_layers,
    calibrate,
    calibrate_ranges,
    convert,
    deploy,
    order_rows,
    summary,
)
from surrogate.analog.ordering import overlaps, shortest_path
from surrogate.analog.weights import Weights
from surrogate.errors import InputError
from surrogate.mapping import CurrentRange
from surrogate.stated import ideal_arrays

PLAIN = LayerSettings(16, 12, 8, CurrentRange(5e-9, 2e-7))
BAD = surrogate(16, 12)
LAYERS = {
    "linear": (nn.Linear(21, 5), (7, 21)),
    "conv2d": (nn.Conv2d(6, 5, 3, stride=2, padding=1, dilation=1), (3, 6, 7, 5)),
    "grouped": (nn.Conv2d(6, 4, 2, groups=2), (3, 6, 5, 5)),
    "conv1d": (nn.Conv1d(5, 4, 3, padding=2), (3, 5, 8)),
}
CHANGES = {
    "as it is": {},
    "span of arrays": {"span": "tile"},
    "signed in phases": {"signed": True},
    "signed by an offset": {"signed": True, "signed_as": "offset"},
    "converters": {"converter_bits": 14},
    "offset columns": {"weights": Weights(mapping="offset")},
    "asymmetric pairs": {"weights": Weights(sides="two", asymmetry=0.1), "signed": True, "signed_as": "offset"},
}


def shuffled(twin, seed=0):
    """``twin`` with the channels of all layers in a random order."""
    other = copy.deepcopy(twin)
    generator = torch.Generator().manual_seed(seed)
    for layer in analog_layers(other).values():
        orders = [torch.randperm(layer.weight.shape[1], generator=generator) for _ in range(layer.tiling.groups)]
        layer.set_order(torch.stack(orders))
    return other


def inputs(shape, signed):
    values = torch.rand(shape, generator=torch.Generator().manual_seed(3))
    return 2 * values - 1 if signed else values


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("spacing", [1, 2, 3])
def test_ideal_arrays_do_not_mind_which_word_line_an_input_drives(kind, changes, spacing):
    torch.manual_seed(0)
    layer, shape = LAYERS[kind]
    chosen = replace(PLAIN, **changes)
    x = inputs(shape, chosen.signed)
    network = nn.Sequential(copy.deepcopy(layer))
    straight = convert(network, ideal_arrays(chosen), Mapping(chosen))
    apart = replace(chosen, spacing=spacing)
    wired = shuffled(convert(network, ideal_arrays(apart), Mapping(apart)))
    for twin in (straight, wired):
        calibrate_ranges(twin, x, network)
    tolerance = 2e-2 if chosen.converter_bits or chosen.span == "tile" else 2e-3
    scale = float(straight(x).detach().std())
    torch.testing.assert_close(wired(x), straight(x), rtol=0, atol=tolerance * scale)
    grown = analog_layers(wired)["0"]
    torch.testing.assert_close(grown.by_layer(grown.by_rows(grown.weight)), grown.weight, rtol=0, atol=0)


@pytest.mark.parametrize("spacing", [1, 2])
@pytest.mark.parametrize("kind", LAYERS)
def test_fused_sums_are_those_of_pulses_and_states_on_the_word_lines(kind, spacing):
    torch.manual_seed(1)
    layer, shape = LAYERS[kind]
    apart = replace(PLAIN, spacing=spacing)
    twin = shuffled(convert(nn.Sequential(copy.deepcopy(layer)), BAD, Mapping(apart)))
    x = inputs(shape, False)
    with torch.no_grad():
        part = analog_layers(twin)["0"]
        duration = part.durations(x)
        charge = part.column_charges(duration[..., : part.tiling.used_rows], part.programmed().state)
        found = part.arranged(part.read_out(charge, duration), x)
        scale = float(found.std())
        torch.testing.assert_close(twin(x), found, rtol=0, atol=1e-3 * scale)


@pytest.mark.parametrize("spacing", [1, 2, 5])
def test_word_lines_are_driven_in_the_order_with_idle_ones_between(spacing):
    network = nn.Sequential(nn.Linear(9, 4))
    apart = replace(PLAIN, spacing=spacing)
    layer = analog_layers(convert(network, ideal_arrays(apart), Mapping(apart)))["0"]
    order = torch.randperm(9, generator=torch.Generator().manual_seed(5))
    layer.set_order(order[None])
    x = torch.arange(9.0)[None] / 8
    lines = layer.widths(layer.images(x)).flatten()[: 9 * spacing]
    torch.testing.assert_close(lines[::spacing], ((x[0, order] * 255).round() / 255))
    assert sum(int(lines[k::spacing].count_nonzero()) for k in range(1, spacing)) == 0
    rows = layer.by_rows(layer.weight).flatten(1, 2)[0, : 9 * spacing]
    torch.testing.assert_close(rows[::spacing], layer.weight.T[order], rtol=0, atol=0)


def test_gradients_reach_weights_and_inputs_through_any_wiring():
    torch.manual_seed(0)
    network, x = nn.Sequential(nn.Conv2d(6, 5, 3)), inputs((2, 6, 5, 5), False)
    apart, gradients = replace(PLAIN, spacing=2), []
    for twin in (
        convert(network, ideal_arrays(PLAIN), Mapping(PLAIN)),
        shuffled(convert(network, ideal_arrays(apart), Mapping(apart))),
    ):
        given_x = x.clone().requires_grad_()
        (twin(given_x) * torch.arange(90.0).reshape(2, 5, 3, 3)).sum().backward()
        gradients.append((twin[0].weight.grad, given_x.grad))
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=2e-3 * float(a.abs().max()))


@pytest.mark.parametrize("kind", ["linear", "grouped"])
def test_gradients_of_fused_sums_are_those_of_single_columns(kind):
    torch.manual_seed(1)
    layer, shape = LAYERS[kind]
    apart = replace(PLAIN, spacing=2, products=(6, 4, 3))
    twin = shuffled(convert(nn.Sequential(copy.deepcopy(layer)), BAD, Mapping(apart)))
    part, gradients = analog_layers(twin)["0"], []
    for by_columns in (False, True):
        x = inputs(shape, False).requires_grad_()
        twin.zero_grad()
        if by_columns:
            duration = part.widths(part.images(x))
            charge = part.column_charges(duration, part.programmed().state)
            out = part.arranged(part.read_out(charge, duration), x)
        else:
            out = twin(x)
        (out * torch.linspace(-1, 1, out.numel()).reshape(out.shape)).sum().backward()
        gradients.append((part.weight.grad.clone(), x.grad))
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=2e-3 * float(b.abs().max()))


def error(twin, network, x):
    calibrate(twin, x, network)
    with torch.no_grad():
        wanted = network(x)
        return float((twin(x) - wanted).square().mean() / wanted.var())


def test_crosstalk_falls_with_the_order_and_more_with_idle_lines_between():
    """Inputs in two crowds, of which one is active at a time."""
    torch.manual_seed(0)
    network, x = nn.Sequential(nn.Linear(24, 8)), torch.rand(400, 24)
    crowd = torch.arange(24) < 12
    x = torch.where(torch.rand(400, 1) < 0.5, x * crowd, x * ~crowd)
    straight, ordered = (convert(network, BAD, Mapping(PLAIN)) for _ in range(2))
    order_rows(ordered, x, network)
    lines = crowd[analog_layers(ordered)["0"].order[0]]
    assert (lines[1:] != lines[:-1]).all()
    apart = convert(network, BAD, Mapping(replace(PLAIN, spacing=2)))
    before, after, idle = (error(twin, network, x) for twin in (straight, ordered, apart))
    assert after < 0.2 * before and idle < 0.1 * before


def test_signed_inputs_are_together_where_their_signs_are():
    network = nn.Sequential(nn.Linear(4, 2))
    twin = convert(network, BAD, Mapping(replace(PLAIN, signed=True)))
    x = torch.randn(200, 1) * torch.tensor([1.0, 1.0, -1.0, -1.0])
    order_rows(twin, x, network)
    signs = [k < 2 for k in analog_layers(twin)["0"].order[0].tolist()]
    assert all(a != b for a, b in pairwise(signs))


def test_inputs_beyond_their_range_count_as_the_pulses_that_they_are():
    """A rare giant that meets input 1 counts less than how often inputs meet each other."""
    torch.manual_seed(0)
    x = torch.zeros(5000, 3)
    x[:500, [0, 2]] = 1.0
    x[500:503, [0, 1]] = 1000.0
    network = nn.Sequential(nn.Linear(3, 2))
    twin = convert(network, BAD, Mapping(PLAIN))
    order_rows(twin, x, network)
    assert analog_layers(twin)["0"].order[0].tolist() in ([0, 1, 2], [2, 1, 0])


@pytest.mark.parametrize("count", [650, 660])
def test_padding_is_not_all_that_is_looked_at(count):
    """Channels 0 and 1 are active together, and so are 2 and 3: of so many images a regular sample may see the padding
    around them alone."""
    torch.manual_seed(0)
    crowd = (torch.rand(count, 1, 28, 28) < 0.5).float()
    network = nn.Sequential(nn.Conv2d(4, 2, 3, padding=1))
    twin = convert(network, BAD, Mapping(PLAIN))
    order_rows(twin, torch.cat([crowd, crowd, 1 - crowd, 1 - crowd], 1), network)
    halves = [k < 2 for k in analog_layers(twin)["0"].order[0].tolist()]
    assert all(a != b for a, b in pairwise(halves))


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 7), st.integers(0, 10**6))
def test_paths_are_whole_and_near_the_shortest(count, seed):
    cost = np.random.default_rng(seed).random((count, count))
    cost += cost.T

    def length(path):
        return sum(cost[a, b] for a, b in pairwise(path))

    found = shortest_path(cost)
    assert sorted(found) == list(range(count))
    lengths = [length(path) for path in permutations(range(count))]
    assert length(found) <= min(lengths) + 0.35 * (np.mean(lengths) - min(lengths))


def test_overlaps_are_means_of_squared_common_times():
    active = torch.tensor([[1.0, 0.5, 0.0], [0.2, 0.4, 1.0]])
    expected = np.array([[1.04, 0.29, 0.04], [0.29, 0.41, 0.16], [0.04, 0.16, 1.0]]) / 2
    np.testing.assert_allclose(overlaps(active), expected, rtol=1e-6)


def test_a_saved_order_comes_back_in_a_new_twin():
    network, x = nn.Sequential(nn.Linear(21, 5)), torch.rand(50, 21)
    wired = shuffled(convert(network, BAD, Mapping(PLAIN)))
    calibrate(wired, x, network)
    other = convert(network, BAD, Mapping(PLAIN))
    other.load_state_dict(wired.state_dict())
    assert torch.equal(other(x), wired(x))
    with pytest.raises(RuntimeError, match="order"):
        wired.load_state_dict(convert(network, BAD, Mapping(PLAIN)).state_dict())
    for wrong in (torch.zeros(1, 21, dtype=torch.int64), torch.arange(3)[None], torch.rand(1, 21)):
        with pytest.raises(RuntimeError, match="give each of 21 channels once"):
            other.load_state_dict(wired.state_dict() | {"0.order": wrong})


@pytest.mark.parametrize("spacing", [1, 3])
def test_weights_of_another_spacing_are_refused(spacing):
    network = nn.Sequential(nn.Linear(21, 5))
    two, other = (convert(network, BAD, Mapping(replace(PLAIN, spacing=k))) for k in (2, spacing))
    with pytest.raises(RuntimeError, match="spacing"):
        other.load_state_dict(two.state_dict())
    with pytest.raises(RuntimeError, match="spacing"):
        two.load_state_dict(other.state_dict())


def test_idle_lines_take_arrays_but_hold_no_weights():
    network, x = nn.Sequential(nn.Linear(32, 5)), torch.rand(1, 32)
    plain, apart = (
        summary(convert(network, ideal_arrays(s), Mapping(s)), x).layers[0] for s in (PLAIN, replace(PLAIN, spacing=2))
    )
    assert (plain.matrix, plain.cells_used) == (apart.matrix, apart.cells_used)
    assert apart.arrays == 2 * plain.arrays


def test_what_cannot_be_wired_is_refused():
    for spacing in (0, 17, 1.5):
        with pytest.raises(InputError, match="spacing"):
            replace(PLAIN, spacing=spacing)
    with pytest.raises(InputError, match="spacing 9"):
        LayerSettings(8, 12, 8, PLAIN.currents, spacing=9)
    network, x = nn.Sequential(nn.Linear(4, 2)), torch.rand(50, 4)
    twin = convert(network, BAD, Mapping(PLAIN))
    for order in (torch.tensor([[0, 1, 2, 2]]), torch.tensor([[0, 1, 2]]), torch.tensor([0, 1, 2, 3])):
        with pytest.raises(InputError, match="order"):
            analog_layers(twin)["0"].set_order(order)
    with pytest.raises(InputError, match="layer 0: its cells are programmed"):
        order_rows(deploy(twin), x, network)
    with pytest.raises(InputError, match="its cells are programmed"):
        analog_layers(deploy(twin))["0"].set_order(torch.arange(4)[None])


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("changes", [{}, {"converter_bits": 8}, {"signed": True}], ids=str)
def test_no_inputs_give_no_outputs(kind, changes):
    layer, shape = LAYERS[kind]
    chosen = replace(PLAIN, **changes)
    for arrays in (BAD, ideal_arrays(chosen)):
        twin = convert(nn.Sequential(layer), arrays, Mapping(chosen))
        x = torch.zeros(0, *shape[1:])
        assert twin(x).shape == layer(x).shape


def test_images_smaller_than_the_kernel_are_refused():
    twin = convert(nn.Sequential(nn.Conv2d(2, 3, 3)), BAD, Mapping(PLAIN))
    with pytest.raises(InputError, match="smaller than the kernel"):
        twin(torch.rand(4, 2, 2, 2))
