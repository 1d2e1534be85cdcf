"""Hardware recipes: what they set, and which keys their errors name."""

import pytest
import torch
from torch import nn

from surrogate.analog import analog_layers, calibrate, convert, deploy
from surrogate.effects.programming import IndependentError, WriteVerify
from surrogate.effects.pulses import PulseJitter
from surrogate.errors import InputError
from surrogate.hardware import load_hardware, parse_hardware

TILES = "name: x\ntiles: {rows: 16, columns: 12, current_max: 1e-6, on_off_ratio: 100}\n"
EVERYTHING = """
weights: {mapping: differential, bits: 6, slices: 2, span: {by: mse}, shared_by: column}
programming:
  error: {kind: independent, sigma: 0.02}
  verify: {tolerance: 0.02}
  in_place: false
  drift: {time: 100, exponent: 0.02, sigma: 0.005}
inputs: {bits: 6, signed: phases, range: {by: percentile, percentile: 99.5}, jitter: 1e-9, offset: 2e-9}
converter: {bits: 7, of: pair, range: {by: percentile, percentile: 99.9}, margin: 1.1, gain_sigma: 0.01, offset: 0.001}
wires: {word_line: 1, bit_line: 1}
layers: {"2": {inputs: {signed: null}, weights: {bits: 4, slices: 1}}}
"""


def recipe(text="", source="hw.yaml"):
    return parse_hardware(TILES + text, source)


def test_a_bare_recipe_is_ideal():
    settings = recipe().settings()
    assert settings.effects == () and settings.converter_bits is None and not settings.shows_columns
    assert settings.currents.low == 1e-8 and settings.weights.bits is None


def test_a_whole_recipe_sets_all(tmp_path):
    (tmp_path / "hw.yaml").write_text(TILES + EVERYTHING)
    hardware = load_hardware(tmp_path / "hw.yaml")
    first, second = (hardware.mapping().settings(name) for name in "02")
    assert first.effects[0] == WriteVerify(IndependentError(0.02), 0.02) and PulseJitter(1e-9) in first.effects
    assert (first.weights.bits, second.weights.bits) == (6, 4) and (first.signed, second.signed) == (True, False)
    assert second.effects == first.effects and first.span == "column" and not first.verified
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(20, 8), nn.ReLU(), nn.Linear(8, 3))
    twin, x = convert(network, hardware.arrays(), hardware.mapping()), torch.rand(64, 20) - 0.5
    calibrate(twin, x, network)
    twin(x).square().sum().backward()
    assert all(bool(layer.weight.grad.abs().sum() > 0) for layer in analog_layers(twin).values())
    assert not torch.equal(twin(x), twin(x))
    chip = deploy(twin, 3)
    wanted = network(x).detach()
    calibrate(chip, x, network)
    assert float((chip(x).detach() - wanted).square().mean() / wanted.var()) < 0.5


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("weights: {slices: 4}", "weights: slices 4 without bits"),
        ("weights: {bits: 3, slices: 4}", "weights: slices 4 of bits 3"),
        ("weights: {bit: 3}", "weights.bit: unknown key"),
        ("programming: {error: {kind: independent, sigma: -0.02}}", "programming.error.sigma -0.02"),
        ("programming: {error: {kind: gauss, sigma: 1}}", "programming.error.*'gauss'"),
        ("programming: {error: {kind: independent, sigma: 0.2}, verify: {tolerance: 1e-4}}", "programming: tolerance"),
        ("programming: {verify: {tolerance: 0.1}}", "programming: verify: without an error"),
        ("inputs: {bits: 1, signed: offset}", "inputs: signed offset"),
        ("inputs: {jitter: -1e-9}", "inputs.jitter -1e-09"),
        ("converter: {of: pair}", "converter.bits: missing"),
        ("converter: {bits: 8, of: pair}\nweights: {mapping: offset}", "converter.of pair"),
        ("layers: {a: {inputs: {sign: phases}}}", "layers.a: inputs.sign: unknown key"),
        ("layers: {a: {weights: {slices: 3}}}", "layers.a: weights: slices 3 without bits"),
        ("programming: {error: {sigma: 0.1}}", "programming.error.kind: missing"),
        ("converter: {bits: 0}", "converter.bits 0"),
        ("converter: {bits: '8'}", "converter.bits '8'"),
        ("weights: {mapping: offset, sides: two}", "weights: sides two: an offset column has one side"),
        ("weights: {nonlinearity: 1e400}", "weights.nonlinearity inf"),
        ("inputs: {offset: .nan}", "inputs.offset nan"),
        ("t_max: 1e-300", "t_max 1e-300: .* or equal to 1e-15"),
        ("voltage: 1e-300", "voltage 1e-300"),
        ("wires: {switch: 1e30}", "wires.switch 1e[+]30: .* or equal to 1e[+]12"),
        ("wires: {bit_line: -1}", "wires.bit_line -1"),
        ("noises: {sigma: 1}", "noises: unknown key"),
        ("- 1", "no YAML"),
    ],
)  # fmt: skip
def test_errors_name_file_and_key(text, match):
    with pytest.raises(InputError, match="hw.yaml: " + match):
        recipe(text)


@pytest.mark.parametrize(
    ("key", "value"),
    [("on_off_ratio", "0.5"), ("on_off_ratio", "1"), ("on_off_ratio", "1.0000000000001"), ("on_off_ratio", "1e400"),
     ("current_max", "1e-320"), ("current_max", "'1 uA'"), ("current_max", ".nan"), ("rows", "0")],
)  # fmt: skip
def test_tiles_that_no_array_has_name_their_key(key, value):
    tiles = {"rows": "16", "columns": "12", "current_max": "1e-6", "on_off_ratio": "100", key: value}
    text = "name: x\ntiles: {" + ", ".join(f"{k}: {v}" for k, v in tiles.items()) + "}\n"
    with pytest.raises(InputError, match=rf"hw\.yaml: tiles\.{key} [^\n]*: change it$"):
        parse_hardware(text, "hw.yaml")


def test_noise_above_the_range_names_the_layer():
    text = "programming: {error: {kind: independent, sigma: 0.5}}\nlayers: {'': {tiles: {on_off_ratio: 1.5}}}"
    hardware = recipe(text)
    with pytest.raises(InputError, match=r"layer Linear: sigma 0.5: an error as large as the range of currents"):
        convert(nn.Linear(4, 3), hardware.arrays(), hardware.mapping())


def test_missing_files_are_named(tmp_path):
    with pytest.raises(InputError, match="no such hardware recipe"):
        load_hardware(tmp_path / "none.yaml")
