"""Memory that a step of training leaves to the next one: pages that the system need not find again and again."""

from __future__ import annotations

import math
from collections import defaultdict

import torch
from torch import Tensor

from surrogate.fast.calls import call


class Room:
    """A piece of memory and the tensors in it; with this object it goes back to where it came from, so that whoever
    uses the tensors must hold it."""

    def __init__(self, free: list[Tensor], block: Tensor, shapes: tuple[tuple[int, ...], ...]) -> None:
        self._free, self._block = free, block
        self.tensors = in_place(block, shapes)

    def __del__(self) -> None:
        self._free.append(self._block)


class Rooms:
    """Free pieces of memory of one engine. Copies have none of their own yet; threads may share it."""

    def __init__(self) -> None:
        self._kept: dict[int, list[Tensor]] = defaultdict(list)
        self._passing: list[Tensor] = []

    def kept(self, like: Tensor, *shapes: tuple[int, ...]) -> Room:
        """Room for tensors of ``shapes``, of the type and on the device of ``like``, from forward to backward pass."""
        size = sum(map(math.prod, shapes))
        free = self._kept[size]
        return Room(free, _some(free, like, size), shapes)

    def passing(self, like: Tensor, *shapes: tuple[int, ...]) -> Room:
        """The same within one pass: every layer in turn takes what the largest one needs."""
        return Room(self._passing, _some(self._passing, like, sum(map(math.prod, shapes))), shapes)

    def clear(self) -> None:
        """Give all that is free back to the system."""
        self._kept.clear()
        self._passing.clear()

    def __reduce__(self) -> tuple[type[Rooms], tuple[()]]:
        return Rooms, ()


def _some(free: list[Tensor], like: Tensor, size: int) -> Tensor:
    try:
        block = free.pop()
    except IndexError:
        return _new(like, size)
    return block if block.numel() >= size else _new(like, size)


def _new(like: Tensor, size: int) -> Tensor:
    with torch.inference_mode(False):  # training may use it next
        block = like.new_empty(size)
    call("fg_large_pages", size * block.element_size(), block)
    return block


def in_place(block: Tensor, shapes: tuple[tuple[int, ...], ...]) -> list[Tensor]:
    """Tensors of ``shapes`` one after the other in ``block`` [size]."""
    sizes = [math.prod(shape) for shape in shapes]
    return [part.view(shape) for part, shape in zip(block[: sum(sizes)].split(sizes), shapes, strict=True)]
