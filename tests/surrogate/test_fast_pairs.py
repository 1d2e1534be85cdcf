"""Fused kernels of column pairs against plain torch in double precision."""

import pytest
import torch
from synthetic import fitted, random_state, surrogate

from surrogate.analog import LayerSettings, Tiling
from surrogate.analog.arrays import Arrays
from surrogate.analog.programming import programmed
from surrogate.fast.curve import tabulated
from surrogate.fast.engine import Accuracy, FastEngine, Plain
from surrogate.fast.native import Kernels
from surrogate.fast.native_pairs import pair_functions
from surrogate.fast.pairs import columns_apart
from surrogate.fast.windows import Windows
from surrogate.mapping import CurrentRange

STRONG = {"log_switch": 0.5, "log_bit_line": -4.0, "log_driver": -3.0, "edge_fall": 0.04, "edge_shift": -0.03}
TILE = LayerSettings(16, 8, 8, CurrentRange(5e-9, 2e-7))


@pytest.fixture(autouse=True)
def built():
    if not tabulated(torch.zeros(1)):
        pytest.skip("no fused kernels here")


def engine(rows, accuracy):
    return FastEngine(fitted(**STRONG), rows, -5.0, 3.0, torch.linspace(-5, 3, 100), accuracy)


def error(given, truth):
    return float(((given - truth).abs().max() / truth.abs().max()).detach())


def seeded(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("accuracy", [Accuracy(2, 1, 1), Accuracy(3, 2, 1), Accuracy(3, 2, 3)], ids=str)
@pytest.mark.parametrize(("stride", "pairs"), [((1, 1), 5), ((2, 1), 3)])
def test_sums_of_pairs_and_their_gradients_are_those_of_plain_torch(accuracy, stride, pairs):
    windows = Windows((2, 3), stride, (1, 1), row_tiles=2, used_rows=10)
    image = (torch.rand(2, 5, 6, 3, generator=torch.Generator().manual_seed(2)) * 7).round() / 7
    results = []
    for dtype in (torch.float32, torch.float64):
        leaves = [image.to(dtype, copy=True), random_state(2, 2, 10, 6).to(dtype)]
        fast = engine(10, accuracy)
        charge = fast.pair_sums(leaves[0].requires_grad_(), windows, leaves[1].requires_grad_(), pairs)
        (charge * seeded(*charge.shape).to(dtype)).sum().backward(retain_graph=dtype == torch.float32)
        results.append((charge.detach(), *(leaf.grad for leaf in leaves)))
        if dtype == torch.float32:
            again = torch.autograd.grad((charge * seeded(*charge.shape).to(dtype)).sum(), leaves)
            assert all(torch.equal(a, leaf.grad) for a, leaf in zip(again, leaves, strict=True))
            with torch.no_grad():
                assert torch.equal(fast.pair_sums(leaves[0], windows, leaves[1], pairs), charge)
    for given, truth in zip(*results, strict=True):
        assert error(given, truth) < 1e-5


@pytest.mark.parametrize("sides", [1, 3])
def test_functions_of_pairs_and_their_gradients_are_those_of_plain_torch(sides):
    pairs, cell = 3 * sides - 1, engine(9, Accuracy(3, 2, 1)).cell
    state = random_state(2, sides, 9, 6)
    fused_state, plain_state = (state.to(dtype).requires_grad_() for dtype in (torch.float32, torch.float64))
    fused = pair_functions(Kernels(cell.to(torch.zeros(1))), fused_state, pairs)
    plain = Plain(cell).functions(plain_state.flatten(0, 1)).side_by_side(sides).narrow(2 * pairs)
    apart = torch.cat([plain.amplitude[..., 0::2], plain.amplitude[..., 1::2]], dim=-1)
    for given, truth in ((fused.current, columns_apart(plain.current)), (fused.amplitude, apart)):
        assert error(given, truth) < 1e-5
        weight = seeded(*truth.shape)
        (one,) = torch.autograd.grad((given * weight.float()).sum(), fused_state, retain_graph=True)
        (other,) = torch.autograd.grad((truth * weight).sum(), plain_state, retain_graph=True)
        assert error(one, other) < 1e-5


@pytest.mark.parametrize("zero", [0.0, 0.2])
def test_states_of_pairs_and_their_gradients_are_those_of_plain_torch(zero):
    settings = TILE.changed({"weights": {"zero": zero}}, "test")
    arrays = Arrays(surrogate(16, 8, edge_fall=0.4, edge_shift=-0.03), settings)
    tiling = Tiling(20, 6, 1, 16, 8)
    assert (tiling.row_tiles, tiling.column_tiles) == (2, 2)
    weight = seeded(1, 2, 10, 6)
    weight[0, 0, 0, :4] = torch.tensor([0.0, 1.0, -1.0, 1.5])
    results = []
    for dtype in (torch.float32, torch.float64):
        leaf = weight.to(dtype).requires_grad_()
        state = programmed(leaf, arrays, settings, tiling, None).state
        state.backward(seeded(*state.shape).to(dtype))
        results.append((state.detach(), leaf.grad))
    (state, gradient), (expected, truth) = results
    assert error(state, expected) < 1e-5
    assert float((gradient - truth).norm() / truth.norm()) < 1e-3
