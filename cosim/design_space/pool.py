"""Points of a study in processes of their own."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Any, TypeVar

import torch

from netlists.orphans import end_with_parent

T = TypeVar("T")


@contextmanager
def processes(workers: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of ``workers`` processes that end with this one and compute with one thread each. What has not begun is
    dropped where the body raises."""
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin, (os.getpid(),)) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def computed(
    pool: ProcessPoolExecutor, function: Callable[..., T], calls: Iterable[tuple[Any, ...]],
    progress: Callable[[int], None],
) -> list[T]:  # fmt: skip
    """What ``function`` returns to each of ``calls``, in their order; ``progress`` is told how many are finished.
    Raises what the first of them raises that fails."""
    futures = [pool.submit(function, *call) for call in calls]
    for done, future in enumerate(as_completed(futures), start=1):
        future.result()
        progress(done)
    return [future.result() for future in futures]


def _begin(parent: int) -> None:
    end_with_parent(parent)
    torch.set_num_threads(1)
