"""One torch thread for a fit, whose tensors are so small that threads cost more than they bring."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Within this context torch uses one thread per operation."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


In = TypeVar("In")
Out = TypeVar("Out")


def in_parallel(work: Callable[[In], Out], items: Sequence[In]) -> list[Out]:
    """``work`` of every item, in order, one Python thread a core: torch lets go of the interpreter as it computes."""
    if len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(work, items))
