"""The ways to a layer's sums agree; zero settings are exact; chips are drawn once, reads anew."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))
from synthetic import surrogate

from surrogate.analog import LayerSettings, Mapping, analog_layers, calibrate, convert, deploy, quantised, ways
from surrogate.analog.convert import analog_layer
from surrogate.effects.converters import ConverterOffset, GainError
from surrogate.effects.effect import OnCharges, normal
from surrogate.effects.programming import IndependentError, ProportionalError, WriteVerify
from surrogate.effects.pulses import PulseJitter, PulseOffset
from surrogate.errors import InputError
from surrogate.mapping import CurrentRange
from surrogate.stated import ideal_arrays, resistive_arrays

TILE = LayerSettings(16, 20, 12, CurrentRange(1e-8, 1e-6))
OFFSET = {"mapping": "offset"}
HELD = [
    {}, {"zero": 0.2}, {"sides": "two", "bits": 5}, {"bits": 7, "slices": 3},
    OFFSET, {**OFFSET, "bits": 8, "slices": 4}, {**OFFSET, "reference": "unit-cell"}, {**OFFSET, "bits": 1},
    {"bits": 1},
]  # fmt: skip
SIGNED = [{}, {"signed": True}, {"signed": True, "signed_as": "offset"}]


def layers():
    torch.manual_seed(0)
    x = torch.rand(4, 4, 6, 6, dtype=torch.float64)
    yield nn.Conv2d(4, 6, 3, padding=1, stride=2, groups=2).double(), x
    yield nn.Linear(50, 13).double(), torch.rand(3, 5, 50, dtype=torch.float64)
    yield nn.Conv1d(3, 4, 5).double(), x[:, :3].flatten(2)


def settings(**changes):
    return TILE.changed(changes, "test")


def relative(a, b):
    return float(((a - b).abs().max() / b.abs().max()).detach())


@pytest.mark.parametrize("signed", SIGNED, ids=str)
@pytest.mark.parametrize("span", ["layer", "column", "tile"])
@pytest.mark.parametrize("held", HELD, ids=str)
def test_zero_settings_give_the_quantised_layer(held, span, signed):
    tile = settings(weights=held, span=span, **signed)
    for layer, x in layers():
        twin = analog_layer(layer, ideal_arrays(tile), tile)
        values = x - 0.5 if "signed" in signed else x
        wanted = quantised(nn.Sequential(twin))[0](values)
        assert relative(twin(values), wanted) < 1e-12
        by_columns = twin.arranged(twin.scaled(ways._by_columns(twin, twin.images(values), twin.programmed())), values)
        assert relative(by_columns, wanted) < 1e-12


@pytest.mark.parametrize("held", HELD, ids=str)
def test_a_resistive_array_is_one_matrix_and_every_column_its_product(held):
    tile = settings(weights=held, span="tile")
    arrays = resistive_arrays(tile, 0.2, (100.0, 2.0, 5.0, 50.0))
    for layer, x in layers():
        twin = analog_layer(layer, arrays, tile)
        by_columns = twin.arranged(twin.scaled(ways._by_columns(twin, twin.images(x), twin.programmed())), x)
        assert relative(twin(x), by_columns) < 1e-12
        ideal = analog_layer(layer, ideal_arrays(tile), tile)
        assert 1e-4 < relative(twin(x), ideal(x)) < 1
        free = analog_layer(layer, resistive_arrays(tile, 0.2, (0.0, 0.0, 0.0, 0.0)), tile)
        assert relative(free(x), ideal(x)) < 1e-12


@pytest.mark.parametrize("held", [{"bits": 7, "slices": 3}, {"bits": 6, "slices": 2, "sides": "two"}, {"zero": 0.3}])
@pytest.mark.parametrize("columns", [20, 8])
def test_pairs_of_floating_gates_in_slices(held, columns):
    currents = {"currents": [5e-9, 2e-7], "columns": columns}
    tile = settings(weights=held, **currents)
    for layer, x in layers():
        twin = analog_layer(layer, surrogate(16, 20), tile)
        by_columns = twin.scaled(ways._by_columns(twin, twin.images(x), twin.programmed()))
        by_pairs = twin.scaled(ways._by_pairs(twin, twin.images(x), twin.programmed()))
        assert relative(by_pairs, by_columns) < 1e-2


def test_parts_of_images_are_the_whole(monkeypatch):
    tile = settings(weights=OFFSET, converter_bits=6, effects=(ConverterOffset(0.0, 0.05), GainError(0.0, 0.05)))
    layer, x = next(layers())
    twin = analog_layer(layer, ideal_arrays(tile), tile)
    calibrate(twin, x, layer)
    chip = deploy(twin)
    whole = chip(x)
    monkeypatch.setattr(ways, "PART", 1)
    assert torch.equal(chip(x), whole)
    chip.weight.requires_grad_(True)
    assert torch.equal(chip(x), whole)


@pytest.mark.parametrize("of", ["column", "pair"])
def test_converters_round_to_their_steps_and_saturate(of):
    tile = settings(converter_bits=4, converter={"of": of, "margin": 1.0})
    layer, x = list(layers())[1]
    twin = analog_layer(layer, ideal_arrays(tile), tile)
    calibrate(twin, x, layer)
    charge = ways.shown_charges(twin, twin.widths(twin.images(x)), twin.programmed())
    shown, full = twin.converted(charge), float(twin.converter_range)
    steps = 15 if of == "column" else 7
    codes = shown / full * steps
    torch.testing.assert_close(codes, codes.round(), atol=1e-9, rtol=0)
    given = twin.settings.converter.given(charge)
    assert full == pytest.approx(float(given.detach().abs().max()))
    inside = twin.settings.converter.given(shown) - given
    assert float(inside.detach().abs().max()) <= full / steps / 2 * (1 + 1e-9)
    twin.converter_range.mul_(0.5)
    assert float(twin.settings.converter.given(twin.converted(charge)).abs().max()) == pytest.approx(0.5 * full)


def test_a_pair_needs_one_converter_of_its_difference():
    tile = settings(converter_bits=12, converter={"of": "pair"}, effects=(ConverterOffset(0.01),))
    layer, x = list(layers())[1]
    twin = analog_layer(layer, ideal_arrays(tile), tile)
    calibrate(twin, x, layer)
    charge = torch.zeros(1, 1, 1, 4, 2, 20, dtype=torch.float64)
    assert float(twin.converted(charge)[..., 1::2].abs().max()) == 0
    torch.testing.assert_close(twin.converted(charge)[..., 0] / twin.converter_range,
                               torch.full((1, 1, 1, 4, 2), 0.01, dtype=torch.float64), atol=3e-4, rtol=0)  # fmt: skip


def test_chips_are_drawn_once_by_their_seed():
    tile = settings(effects=(IndependentError(0.02), ProportionalError(0.01)))
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 6), nn.ReLU(), nn.Linear(6, 6)).double()
    twin, x = convert(model, ideal_arrays(tile), Mapping(tile)), torch.rand(30, 20, dtype=torch.float64)
    one, same, other = deploy(twin, 1), deploy(twin, 1), deploy(twin, 2)
    assert torch.equal(one(x), one(x)) and torch.equal(one(x), same(x)) and not torch.equal(one(x), other(x))
    assert not torch.equal(twin(x), twin(x))
    first, second = (layer.currents.flatten() for layer in analog_layers(one).values())
    targets = [layer.wanted_currents().flatten() for layer in analog_layers(twin).values()]
    off = [(a / b - 1)[:50] for a, b in zip((first, second), targets, strict=True)]
    assert not torch.allclose(off[0], off[1])


def test_zero_sized_effects_are_exact_to_the_bit():
    nothing = (IndependentError(0.0), ProportionalError(0.0), PulseJitter(0.0), PulseOffset(0.0))
    for layer, x in layers():
        plain, with_nothing = (
            analog_layer(layer, ideal_arrays(tile), tile) for tile in (TILE, replace(TILE, effects=nothing))
        )
        wanted = plain.scaled(ways._by_columns(plain, plain.images(x), plain.programmed()))
        assert torch.equal(with_nothing(x), plain.arranged(wanted, x))


class Louder(OnCharges):
    """Noise as large as the root of the charge, by the read's own numbers."""

    def apply(self, charge, read, generator):
        again = read.column_sums(read.width, read.current) / read.current_scale
        torch.testing.assert_close(again, charge)
        return charge + 0.01 * again.sqrt() * normal(charge, generator)


def test_noise_knows_what_is_read_and_is_drawn_anew():
    tile = replace(settings(signed=True), effects=(Louder(),))
    for layer, x in layers():
        twin = analog_layer(layer, ideal_arrays(tile), tile)
        calibrate(twin, x, layer)
        twin = deploy(twin)
        assert not torch.equal(twin(x), twin(x))
        assert relative(twin(x), layer(x)) < 0.3


def test_jitter_moves_the_charges_by_the_root_of_the_pulses():
    tile = replace(settings(bits=16), effects=(PulseJitter(0.01),))
    layer = nn.Linear(16, 1, bias=False).double()
    nn.init.ones_(layer.weight)
    twin = analog_layer(layer, ideal_arrays(tile), tile)
    out = twin(torch.full((20000, 16), 0.5, dtype=torch.float64)).detach()
    low, high = tile.currents.low, tile.currents.high
    assert float(out.std()) == pytest.approx(0.01 * 4, rel=0.03) and low < high
    assert float(out.mean()) == pytest.approx(8, rel=1e-3)


def test_ranges_are_learned_where_they_are_asked_for():
    tile = settings(weights={"bits": 3, "learned": True}, bits=3)
    layer, x = list(layers())[1]
    twin = analog_layer(layer, ideal_arrays(tile), tile)
    calibrate(twin, x, layer)
    wanted = layer(x).detach()
    ranges = {name: value for name, value in twin.named_parameters() if name in ("span", "input_range")}
    with torch.no_grad():
        twin.span.mul_(3)
        twin.input_range.mul_(0.5)
        before = float((twin(x) - wanted).square().mean())
    optimiser = torch.optim.Adam(ranges.values(), 0.02)
    for _ in range(40):
        optimiser.zero_grad()
        (twin(x) - wanted).square().mean().backward()
        optimiser.step()
    assert len(ranges) == 2
    assert float((twin(x) - wanted).square().mean().detach()) < 0.3 * before


def test_slices_that_an_array_cannot_hold_are_refused():
    tile = settings(columns=6, weights={"bits": 8, "slices": 4})
    with pytest.raises(InputError, match="columns 6: one output takes 8"):
        analog_layer(nn.Linear(4, 3), ideal_arrays(tile), tile)
    with pytest.raises(InputError, match="ConverterOffset: an effect of converters without any"):
        replace(TILE, effects=(ConverterOffset(0.1),))


def test_settings_are_told_apart_by_their_plain_values():
    effects = (WriteVerify(IndependentError(0.02), 0.03), PulseJitter(1e-3))
    tile = replace(settings(weights={"bits": 7}), effects=effects)
    told = json.loads(json.dumps(tile.as_dict()))
    assert told["effects"][0] == {
        "effect": "WriteVerify", "error": {"effect": "IndependentError", "sigma": 0.02}, "tolerance": 0.03,
        "attempts": 20,
    }  # fmt: skip
    assert told["weights"]["bits"] == 7 and told["currents"] == {"low": 1e-8, "high": 1e-6} and "inputs" not in told
