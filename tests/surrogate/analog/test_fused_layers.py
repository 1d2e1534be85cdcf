"""Fused ways of a layer against those in plain torch."""

import pytest
import torch

from surrogate.analog.pulses import pulse_codes
from surrogate.fast.codes import codes
from surrogate.fast.curve import tabulated
from surrogate.fast.rooms import Rooms


@pytest.fixture(autouse=True)
def built():
    if not tabulated(torch.zeros(1)):
        pytest.skip("no fused kernels here")


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_codes_and_their_gradient_are_those_of_plain_torch(layout):
    given = (2 * torch.randn(3, 5, 7, 6)).to(memory_format=layout)
    weight, results = torch.randn(3, 5, 7, 6), []
    for of in (lambda x: codes(x, 1.7, 15), lambda x: pulse_codes(x / 1.7, 4)):
        x = given.clone(memory_format=torch.preserve_format).requires_grad_(True)
        out = of(x)
        (out * weight).sum().backward()
        results.append((out.detach(), x.grad))
    (fused, gradient), (plain, expected) = results
    assert torch.equal(fused, plain)
    torch.testing.assert_close(gradient, expected)


def test_a_room_is_used_again_only_when_nobody_holds_it():
    rooms, like = Rooms(), torch.zeros(1)
    first, second = rooms.kept(like, (2, 3)), rooms.kept(like, (2, 3))
    place = first.tensors[0].data_ptr()
    assert second.tensors[0].data_ptr() != place
    del first
    assert rooms.kept(like, (3, 2)).tensors[0].data_ptr() == place
