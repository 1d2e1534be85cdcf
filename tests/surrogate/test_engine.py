"""All kinds of engine behind a surrogate: their forms agree, effects switch off, files keep the kind."""

from dataclasses import replace

import pytest
import torch
from synthetic import PASSED, random_duration, random_state, surrogate
from torch import nn

from surrogate.analog import LayerSettings, Mapping, calibrate, convert, deploy
from surrogate.errors import InputError
from surrogate.files import load_surrogate, save_surrogate
from surrogate.linear import effective_matrix
from surrogate.mapping import CurrentRange
from surrogate.state_map import StateMap
from surrogate.surrogate import Domain, Surrogate

R = torch.tensor([2e-3, 4e-4, 6e-4, 8e-3], dtype=torch.float64)


def linear(rows=8, columns=6):
    """A resistive array's surrogate: conductances up to 50 µS read at 1.2 V."""
    return Surrogate(
        shared=R.log(),
        shared_error=torch.full_like(R, 1e-3),
        current_scale=60e-6,
        time_scale=1e-6,
        domain=Domain(1e-9, 1e-6, 0.01, 1.0, rows, columns),
        state_map=StateMap(torch.tensor([0.0, 1.0, 0.0, 0.0], dtype=torch.float64), 0.0, 50e-6),
        provenance={"design": "synthetic", "design_hash": "1" * 64},
        report=PASSED,
        kind="linear",
    )


def switched():
    """The same array behind access devices, its cells bent."""
    shared = torch.cat([R.log(), torch.tensor([-3.0, 0.5, 7e-4], dtype=torch.float64)])
    return replace(linear(), shared=shared, shared_error=torch.full_like(shared, 1e-3), kind="switched")


def clamped():
    """The same array without access devices, its cells bent and its idle rows clamped."""
    shared = torch.cat([R.log(), torch.tensor([0.5, 7e-4], dtype=torch.float64)])
    return replace(linear(), shared=shared, shared_error=torch.full_like(shared, 1e-3), kind="clamped")


CONDUCTANCES = (random_state(8, 6) + 4) / 6 * 0.99 + 0.01
CASES = [(surrogate(), random_state(8, 6)), *((made(), CONDUCTANCES) for made in (linear, switched, clamped))]


@pytest.mark.parametrize(("given", "state"), CASES, ids=[given.kind for given, _ in CASES])
def test_tiles_have_the_charges_of_the_reference(given, state):
    duration = random_duration(9, 8)
    engine = given.tile_engine(8, state)
    tiles = engine.tile_charges(duration[:, None].float(), state[None, None].float())[:, 0, 0]
    truth = given.engine.charges(duration, state[None])
    assert float((tiles - truth).abs().max()) < 1e-3 * float(truth.abs().max())


@pytest.mark.parametrize(("given", "state"), CASES, ids=[given.kind for given, _ in CASES])
def test_reading_one_row_is_the_charge_of_its_pulse(given, state):
    whole = torch.eye(8, dtype=torch.float64)
    effects = {"edge"} & set(given.engine.effects)
    charge = given.engine.charges(whole, state[None], tuple(effects))
    torch.testing.assert_close(given.engine.one_hot_currents(state[None])[0], charge)


@pytest.mark.parametrize(("given", "state"), CASES[1:], ids=[given.kind for given, _ in CASES[1:]])
def test_every_effect_of_a_resistive_array_counts(given, state):
    duration = random_duration(9, 8)
    full = given.engine.charges(duration, state[None])
    for effect in given.engine.effects:
        assert not torch.allclose(given.engine.charges(duration, state[None], (effect,)), full, rtol=1e-6)


@pytest.mark.parametrize(("given", "state"), CASES[1:], ids=[given.kind for given, _ in CASES[1:]])
def test_a_resistive_array_without_effects_is_its_conductances(given, state):
    duration = random_duration(9, 8)
    torch.testing.assert_close(given.engine.charges(duration, state[None], given.engine.effects), duration @ state)


def test_a_linear_surrogate_in_physical_units():
    given, (_, state) = linear(), CASES[1]
    duration = random_duration(9, 8)
    siemens = given.state_map.inverse(state)
    matrix = 1.2 * effective_matrix(siemens, R / 50e-6)
    expected = duration * 1e-6 @ matrix
    charge = given.charge(duration.numpy() * 1e-6, given.states(siemens.numpy()))
    torch.testing.assert_close(torch.from_numpy(charge), expected)


@pytest.mark.parametrize("made", [linear, switched, clamped])
@pytest.mark.parametrize("converter_bits", [None, 12])
def test_layers_on_resistive_arrays_compute_what_the_network_does(made, converter_bits):
    """By pairs and by columns, on arrays that the layer does not fill, and on a deployed chip."""
    torch.manual_seed(0)
    network, x = nn.Sequential(nn.Linear(13, 5)), torch.rand(50, 13)
    settings = LayerSettings(8, 6, 8, CurrentRange(1e-6, 4e-5), converter_bits=converter_bits)
    twin = convert(network, made(), Mapping(settings))
    calibrate(twin, x, network)
    chip = deploy(twin, 1)
    calibrate(chip, x, network)
    wanted = network(x)
    for shown in (twin(x), chip(x)):
        assert float((shown - wanted).detach().std()) < 6e-3 * float(wanted.detach().std())
    twin(x).square().sum().backward()
    assert bool((twin[0].weight.grad != 0).all())


@pytest.mark.parametrize("made", [linear, switched, clamped])
def test_the_file_keeps_the_kind(made, tmp_path):
    path = tmp_path / "array.safetensors"
    save_surrogate(made(), path)
    loaded = load_surrogate(path)
    assert loaded.kind == made().kind and torch.equal(loaded.shared, made().shared)
    with pytest.raises(InputError, match="shared has a wrong shape"):
        save_surrogate(replace(made(), shared=made().shared[:3]), path)
    assert torch.equal(load_surrogate(path).shared, made().shared)
