"""Points in processes: results in the order of the calls, the first error is the caller's."""

import os
import time

import pytest
import torch

from cosim.design_space.pool import computed, processes


def _square(number, seconds):
    time.sleep(seconds)
    if number < 0:
        raise ValueError(f"negative: {number}")
    return number**2, os.getpid(), torch.get_num_threads()


def test_results_keep_the_order_of_the_calls_and_an_error_drops_what_has_not_begun():
    told = []
    with pytest.raises(ValueError, match="negative: -1"), processes(2) as pool:
        found = computed(pool, _square, [(3, 1.0), (2, 0.0), (1, 0.0)], told.append)
        assert [value for value, *_ in found] == [9, 4, 1] and told == [1, 2, 3]
        assert os.getpid() not in {process for _, process, _ in found}
        assert {threads for *_, threads in found} == {1}
        began = time.monotonic()
        computed(pool, _square, [(-1, 0.0), *[(1, 1.0)] * 60], lambda done: None)
    assert time.monotonic() - began < 25
