"""The fused kernels against the plain path of the fast engine."""

import pytest
import torch
from synthetic import fitted, random_duration, random_state

from surrogate.fast.engine import Accuracy, FastEngine, Plain
from surrogate.fast.library import build, library, library_path
from surrogate.fast.native import Kernels, usable

ACCURACIES = [Accuracy(*a) for a in ((2, 1, 1), (3, 1, 1), (3, 2, 1), (3, 2, 3), (4, 2, 4), (4, 3, 3), (5, 3, 3))]
STRONG = {"log_switch": 0.5, "log_bit_line": -4.0, "edge_fall": 0.04, "edge_shift": -0.03}


@pytest.fixture(scope="module", autouse=True)
def built(tmp_path_factory):
    """The library of kernels: the user's own, or else one of this test session."""
    with pytest.MonkeyPatch.context() as patch:
        if not library_path().is_file():
            patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
            library.cache_clear()
            if build() is None:
                pytest.skip("no working C++ compiler")
        yield
    library.cache_clear()


def engine(rows, accuracy=ACCURACIES[2], **changes):
    return FastEngine(fitted(**changes), rows, -5.0, 3.0, torch.linspace(-5, 3, 100), accuracy)


def results(path, slots, states, durations):
    """Functions of tiles, charges [K, b, M] and gradients to states and durations of either path."""
    leaves = [states.clone().requires_grad_(True), durations.clone().requires_grad_(True)]
    tiles = path.functions(leaves[0])
    charge = path.charges(tiles, leaves[1], slots)
    weight = torch.randn(charge.shape, generator=torch.Generator().manual_seed(1))
    gradients = torch.autograd.grad((weight * charge).sum(), leaves)
    return tiles, charge.detach(), gradients


def error(given, truth):
    return float((given - truth).abs().max() / truth.abs().max())


def both(shape, accuracy, tiles=1, **changes):
    """Results of the kernels and of the plain path, the last VMM of each tile all idle."""
    states = random_state(tiles, *shape).float()
    durations = torch.stack([random_duration(11, shape[0], seed=k) for k in range(tiles)]).float()
    cell = engine(shape[0], accuracy, **changes).cell.to(states)
    return [results(path(cell), accuracy.slots, states, durations) for path in (Kernels, Plain)]


@pytest.mark.parametrize("accuracy", ACCURACIES, ids=str)
@pytest.mark.parametrize(("shape", "tiles"), [((16, 6), 1), ((9, 5), 3), ((37, 17), 1), ((1, 2), 2), ((2, 1), 1)])
def test_fused_is_plain(shape, tiles, accuracy):
    (_, fused, fused_gradients), (_, plain, plain_gradients) = both(shape, accuracy, tiles)
    assert error(fused, plain) < 3e-6
    for given, expected in zip(fused_gradients, plain_gradients, strict=True):
        assert error(given, expected) < 3e-6
    assert torch.equal(fused[:, -1], torch.zeros_like(fused[:, -1]))


@pytest.mark.parametrize("accuracy", ACCURACIES[2:4], ids=str)
def test_fused_is_plain_under_strong_drop(accuracy):
    (fused_tiles, fused, fused_gradients), (plain_tiles, plain, plain_gradients) = both((24, 7), accuracy, **STRONG)
    for name, expected in vars(plain_tiles).items():
        assert error(getattr(fused_tiles, name).detach(), expected.detach()) < 1e-5, name
    assert error(fused, plain) < 3e-6
    for given, expected in zip(fused_gradients, plain_gradients, strict=True):
        assert error(given, expected) < 3e-6


def test_the_engine_takes_the_kernels_for_single_precision_on_the_cpu():
    assert usable(torch.zeros(1), (3, 2)) and not usable(torch.zeros(1), (3, 3))
    assert not usable(torch.zeros(1, dtype=torch.float64), (3, 2))
    tile, duration = random_state(1, 1, 4, 2), torch.rand(2, 1, 4)
    fast = engine(4)
    fast.tile_charges(duration, tile.float())
    fast.tile_charges(duration.double(), tile)
    assert {key[0]: type(path) for key, path in fast.paths.items()} == {torch.float32: Kernels, torch.float64: Plain}


def test_tensors_of_any_layout():
    states, durations = random_state(2, 6, 5).float(), torch.rand(2, 7, 6)
    cell, accuracy = engine(6).cell.to(states), Accuracy()
    _, expected, gradients = results(Kernels(cell), accuracy.slots, states, durations)
    strided = (torch.stack([states, states], -1)[..., 0], durations.mT.contiguous().mT)
    assert not any(tensor.is_contiguous() for tensor in strided)
    _, given, given_gradients = results(Kernels(cell), accuracy.slots, *strided)
    assert torch.equal(given, expected)
    assert all(torch.equal(g, e) for g, e in zip(given_gradients, gradients, strict=True))


def test_no_compiler_means_no_library(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CXX", "false")
    assert build() is None
    assert list(tmp_path.rglob("*.*")) == []
