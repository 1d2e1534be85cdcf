"""Read noise of resistive cells: nothing at zero, its stated variance else."""

import pytest
import torch

from surrogate.effects.effect import Read
from surrogate.effects.read_noise import CellReadNoise
from surrogate.errors import InputError


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
