"""Adaptive slots: lengths, nested patterns, ties and idle rows."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from surrogate.slots import adaptive_slots

durations = st.lists(
    st.one_of(st.just(0.0), st.sampled_from([0.25, 0.5, 1.0]), st.floats(1e-3, 1.0)), min_size=1, max_size=12
)


@given(durations)
@settings(deadline=None, max_examples=100)
def test_slots_partition_the_time_and_give_every_row_its_duration(widths):
    duration = torch.tensor([widths], dtype=torch.float64)
    slots = adaptive_slots(duration)
    assert slots.active.shape == (1, len(widths), len(widths))
    assert bool((slots.length >= 0).all())
    torch.testing.assert_close(slots.length.sum(-1), duration.max(-1).values)
    torch.testing.assert_close(torch.einsum("ns,nsi->ni", slots.length, slots.active), duration)


@given(durations)
@settings(deadline=None, max_examples=100)
def test_patterns_are_nested_and_every_pulse_closes_once(widths):
    duration = torch.tensor([widths], dtype=torch.float64)
    slots = adaptive_slots(duration)
    assert bool((slots.active[:, 1:] <= slots.active[:, :-1]).all())
    assert set(slots.active.unique().tolist()) <= {0.0, 1.0}
    torch.testing.assert_close(slots.closing.sum(1), (duration > 0).to(duration))
    closes_in_empty_slot = slots.closing * (slots.length == 0)[..., None]
    assert not bool(closes_in_empty_slot.any())


def test_a_worked_example_with_a_tie_and_an_idle_row():
    slots = adaptive_slots(torch.tensor([[2.0, 0.0, 1.0, 2.0]]))
    assert slots.length.tolist() == [[0.0, 1.0, 1.0, 0.0]]
    assert slots.active[0, 1].tolist() == [1.0, 0.0, 1.0, 1.0]
    assert slots.active[0, 2].tolist() == [1.0, 0.0, 0.0, 1.0]
    assert slots.closing[0, 1].tolist() == [0.0, 0.0, 1.0, 0.0]
    assert slots.closing[0, 2].tolist() == [1.0, 0.0, 0.0, 1.0]



def test_lengths_pass_gradients_to_durations():
    duration = torch.tensor([[0.3, 0.7, 0.1]], dtype=torch.float64, requires_grad=True)
    slots = adaptive_slots(duration)
    (slots.length * torch.tensor([1.0, 10.0, 100.0], dtype=torch.float64)).sum().backward()
    # sorted ends 0.1, 0.3, 0.7: every end lengthens its own slot and shortens the next
    torch.testing.assert_close(duration.grad, torch.tensor([[10.0 - 100, 100.0, 1.0 - 10]], dtype=torch.float64))
