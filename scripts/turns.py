"""Times of two functions that run in turns, so that a busy machine slows both alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

PATIENCE = 2e-3
"""Seconds that a function is repeated for in one turn, at least."""


@dataclass(frozen=True)
class Duel:
    """Median times of a function and of another one that ran in turns with it, and medians of their ratios."""

    ms: float
    other_ms: float
    cpu_ratio: float
    wall_ratio: float


class Clock:
    """Takes times for some seconds per pair of functions."""

    def __init__(self, seconds: float, device: torch.device) -> None:
        self.seconds, self.device = seconds, device

    def duel(self, work: Callable[[], object], other: Callable[[], object]) -> Duel:
        """Times of ``work`` in turns with ``other``."""
        pair = [(f, self._repeats(f)) for f in (work, other)]
        turns: list[list[tuple[float, float]]] = []
        began = time.perf_counter()
        while len(turns) < 7 or time.perf_counter() - began < self.seconds:
            turns.append([self._turn(f, repeats) for f, repeats in pair])
        cpu, wall = ([[turn[side][kind] for turn in turns] for side in (0, 1)] for kind in (0, 1))

        def ratio(times: list[list[float]]) -> float:
            return statistics.median(a / b for a, b in zip(*times, strict=True))

        ms, other_ms = (1e3 * statistics.median(times) for times in cpu)
        return Duel(ms, other_ms, cpu_ratio=ratio(cpu), wall_ratio=ratio(wall))

    def alone(self, work: Callable[[], object]) -> float:
        """Median processor time of ``work`` in seconds."""
        return self.duel(work, lambda: None).ms * 1e-3

    def _repeats(self, work: Callable[[], object]) -> int:
        work()
        return max(1, round(PATIENCE / max(self._turn(work, 3)[1], 1e-9)))

    def _turn(self, work: Callable[[], object], repeats: int) -> tuple[float, float]:
        """Processor and wall time per call."""
        self._finish()
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(repeats):
            work()
        self._finish()
        return (time.process_time() - cpu) / repeats, (time.perf_counter() - wall) / repeats

    def _finish(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
