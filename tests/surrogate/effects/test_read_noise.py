"""Read noise of resistive cells: nothing at zero, its stated variance else."""

import pytest
import torch
from torch import nn

from surrogate.analog import analog_layers, convert
from surrogate.effects.effect import Read
from surrogate.effects.read_noise import CellReadNoise
from surrogate.errors import InputError
from surrogate.hardware import parse_hardware

TILES = "name: x\ntiles: {rows: 4, columns: 6, current_max: 5e-6, on_off_ratio: 50}\nt_max: 256e-9\n"
RECIPE = TILES + "noise: {read_noise: {white: 0.1, at: 128e-9, flicker: 0.05}}\n"


def read(rows=4, columns=3):
    generator = torch.Generator().manual_seed(0)
    width = torch.rand(1, 1, 1, 1, rows, generator=generator, dtype=torch.float64)
    current = 5e-6 * torch.rand(1, 1, 1, rows, columns, generator=generator, dtype=torch.float64)
    return Read(width, current, 5e-6, 256e-9)


def test_without_noise_charges_stay_as_they_are():
    charge = torch.rand(1, 1, 1, 1, 1, 3)
    assert CellReadNoise(0.0, 1e-7).apply(charge, read(), None) is charge


@pytest.mark.parametrize(("white", "flicker"), [(0.1, 0.0), (0.0, 0.05), (0.1, 0.05)])
def test_variance_is_the_sum_over_cells(white, flicker):
    given, at = read(), 128e-9
    time, current = (given.width * 256e-9)[0, 0, 0, 0], given.current[0, 0, 0]
    relative = white**2 * at / time + flicker**2
    expected = ((current * time[:, None]) ** 2 * relative[:, None]).sum(0) / (5e-6 * 256e-9) ** 2
    noise, charge = CellReadNoise(white, at, flicker), torch.zeros(1, 1, 1, 1, 1, 3, dtype=torch.float64)
    generator = torch.Generator().manual_seed(1)
    drawn = torch.stack([noise.apply(charge, given, generator).flatten() for _ in range(4000)])
    assert drawn.var(0).tolist() == pytest.approx(expected.tolist(), rel=0.1, abs=0)
    assert (drawn.mean(0).abs() < 4 * (expected / 4000).sqrt()).all()


def test_idle_rows_are_silent_and_gradients_finite():
    given = read()
    width = torch.zeros_like(given.width).requires_grad_()
    charge = torch.zeros(1, 1, 1, 1, 1, 3, dtype=torch.float64)
    shown = CellReadNoise(0.1, 1e-7).apply(charge, Read(width, given.current, 5e-6, 256e-9), None)
    assert float(shown.detach().abs().max()) < 1e-100
    shown.sum().backward()
    assert bool(torch.isfinite(width.grad).all())


@pytest.mark.parametrize(
    ("arguments", "word"), [((-0.1, 1e-7), "white"), ((0.1, 0.0), "at"), ((0.1, 1e-7, -1), "flicker")]
)
def test_wrong_settings_name_their_key(arguments, word):
    with pytest.raises(InputError, match=word):
        CellReadNoise(*arguments)


def twin(text):
    torch.manual_seed(0)
    hardware = parse_hardware(text, "hw.yaml")
    return convert(nn.Sequential(nn.Linear(4, 3)), hardware.arrays(), hardware.mapping())


def test_a_recipe_switches_it_on_and_off():
    images = torch.rand(1, 4, generator=torch.Generator().manual_seed(1)).repeat(3000, 1)
    noisy, plain = twin(RECIPE), twin(TILES)
    with torch.no_grad():
        shown = noisy(images).double()
        assert torch.equal(plain(images)[0], plain(images)[1])
        (layer,) = analog_layers(noisy).values()
        width = (layer.widths(layer.images(images[:1]))[0, 0, 0, 0] * 256e-9).double()
        current = layer.wanted_currents()[0, 0, 0].double()
        of_width = 0.1**2 * 128e-9 * width + 0.05**2 * width.square()
        charge = (current.square() * of_width[:, None]).sum(0)
        unit = float(layer.span * layer.input_range) / (5e-6 - 1e-7) / 256e-9
    expected = unit**2 * (charge[0::2] + charge[1::2])[:3]
    assert shown.var(0).tolist() == pytest.approx(expected.tolist(), rel=0.13, abs=0)
    off = twin(RECIPE + "layers: {'0': {noise: {read_noise: null}}}")
    assert torch.equal(off(images[:1]), off(images[:1]))


@pytest.mark.parametrize(
    ("noise", "match"),
    [
        ("{read_noise: {white: -0.1, at: 1e-7}}", r"noise\.read_noise\.white -0\.1"),
        ("{read_noise: {white: 0.1}}", r"noise\.read_noise\.at: missing"),
        ("{read_noise: {white: 0.1, at: 0}}", r"noise\.read_noise\.at 0"),
        ("{read_noise: {white: .inf, at: 1e-7}}", r"noise\.read_noise\.white inf"),
        ("{read_noise: {white: 0.1, at: 1e-7}, channel: {specific_current: 1e-7}}", r"noise: read_noise: .*twice"),
    ],
)
def test_recipes_name_the_key(noise, match):
    with pytest.raises(InputError, match="hw.yaml: " + match):
        parse_hardware(TILES + f"noise: {noise}", "hw.yaml")


def test_read_noise_as_large_as_the_range_is_refused():
    with pytest.raises(InputError, match=r"layer 0: noise\.read_noise: .* as much as the range of currents"):
        twin(TILES + "noise: {read_noise: {white: 0.1, at: 128e-9, flicker: 0.99}}")
