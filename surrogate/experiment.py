"""Which VMMs to measure so that few of them tell the states of an unknown array: chosen by information.

A measurement with derivatives g of its charge by the states of a column lowers the expected squared error of the
charges to be predicted, trace(C·F), by gᵀCFCg/(σ² + gᵀCg): C is the covariance of the column's states and F = E[hhᵀ]
with h the derivatives of what is to be predicted (I-optimal design). One pattern serves all columns: gains add up.

Candidates are sets of rows that are active for the whole t_max: a VMM of different pulse widths averages g and σ² over
its slots, and g·gᵀ/σ² is convex in both, so it tells no more than its slots' patterns would at full length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from surrogate.extraction import Extraction, States, charge_error, extract_states, prior_states
from surrogate.fitting.common import CHUNK_ELEMENTS, FIT_PRECISION, jacobians
from surrogate.model import Precision, charges, pattern_currents
from surrogate.parameters import Parameters
from surrogate.surrogate import Surrogate
from surrogate.threads import one_thread_each

Array = NDArray[np.float64]

CANDIDATES = 400
"""Random patterns to choose from, and neighbours of the chosen ones in each refinement, at most."""

TARGETS = 32
"""Random VMMs that stand for those to be predicted."""

DRAWS = 2
"""Random arrays of the belief at whose states derivatives are taken."""

SWEEPS = 5
"""Rounds of exchange among the same candidates, at most."""

REFINEMENTS = 4
"""Searches among the patterns that differ from a chosen one in a single row, at most."""

Engine = Callable[[Parameters, Tensor, Tensor, Precision], Tensor]
"""``charges`` or ``pattern_currents``."""


def choose_patterns(surrogate: Surrogate, states: States, count: int, noise: float = 0.0, seed: int = 0) -> Tensor:
    """The activation patterns [count, N] (0 or 1) that together lower the expected error of predicted charges most.

    ``states`` is what is known so far, ``noise`` C the standard deviation of a measured charge. Greedy picks from
    random candidates, then exchanges one by one, then the same among the patterns next to the chosen ones.
    """
    generator = torch.Generator().manual_seed(seed)
    with one_thread_each():
        view = _view(surrogate, states, generator)
        pool = candidate_patterns(states.mean.shape[0], generator)
        candidate = _derivatives(view, pool, noise)
        chosen: list[int] = []
        for _ in range(count):
            chosen.append(_best(view, candidate, chosen))
        patterns = pool[_exchange(view, candidate, chosen)]
        for _ in range(REFINEMENTS):
            pool = torch.cat([patterns, _neighbours(patterns, generator)])
            chosen = _exchange(view, _derivatives(view, pool, noise), list(range(count)))
            if chosen == list(range(count)):
                break
            patterns = pool[chosen]
    return patterns


def candidate_patterns(rows: int, generator: torch.Generator) -> Tensor:
    """Distinct patterns [P, N]: every row alone, and random sets of rows of all sizes."""
    share = torch.rand(CANDIDATES, 1, generator=generator, dtype=torch.float64)
    random = (torch.rand(CANDIDATES, rows, generator=generator, dtype=torch.float64) < share).double()
    pool = torch.cat([torch.eye(rows, dtype=torch.float64), random]).unique(dim=0)
    return pool[pool.any(dim=1)]


def measure_and_extract(
    surrogate: Surrogate,
    measure: Callable[[Array], Array],
    rows: int,
    columns: int,
    batches: Sequence[int],
    noise: float = 0.0,
) -> Iterator[tuple[Array, Array, Extraction]]:
    """Measure an unknown array of ``rows`` × ``columns`` batch by batch, each chosen by what is still open after those
    before it.

    ``measure`` takes durations [k, N] s and gives charges [k, M] C. Yields durations and charges of all measurements so
    far and what they tell, after each of ``batches``.
    """
    states = prior_states(surrogate, rows, columns)
    duration, charge = np.zeros((0, rows)), np.zeros((0, columns))
    for k, count in enumerate(batches):
        patterns = choose_patterns(surrogate, states, count, noise, seed=k)
        new = patterns.numpy() * surrogate.domain.duration_max
        duration, charge = np.concatenate([duration, new]), np.concatenate([charge, measure(new)])
        extraction = extract_states(surrogate, duration, charge, noise)
        states = extraction.states
        yield duration, charge, extraction


@dataclass(frozen=True)
class _View:
    """States of arrays [D, N, M] that the belief holds possible (where states are still open, they differ); for all
    C = D·M columns the covariance [C, N, N] and F [C, N, N] of the VMMs to be predicted."""

    surrogate: Surrogate
    arrays: Tensor
    covariance: Tensor
    target: Tensor


def _view(surrogate: Surrogate, states: States, generator: torch.Generator) -> _View:
    low, high = surrogate.domain.state_min, surrogate.domain.state_max
    arrays = torch.stack([states.draw(generator).clamp(low, high) for _ in range(DRAWS)])
    widths = torch.rand(TARGETS, states.mean.shape[0], generator=generator, dtype=torch.float64)
    _, h = _gradients(surrogate, arrays, widths, charges)
    return _View(surrogate, arrays, states.covariance.repeat(DRAWS, 1, 1), h.mT @ h / TARGETS)


def _derivatives(view: _View, patterns: Tensor, noise: float) -> Tensor:
    """Derivatives [C, P, N] of the charges of ``patterns`` [P, N] by the states of their column, in units of the error
    of each charge."""
    charge, g = _gradients(view.surrogate, view.arrays, patterns, pattern_currents)
    return g / charge_error(view.surrogate, charge, noise)[..., None]


def _gradients(surrogate: Surrogate, arrays: Tensor, inputs: Tensor, engine: Engine) -> tuple[Tensor, Tensor]:
    """What ``engine`` gives for ``inputs`` [k, N] on ``arrays`` [D, N, M], as [C, k], and its derivatives [C, k, N] by
    the states of the column."""
    values, slopes = [], []
    for state in arrays:
        parts = []
        for part in inputs.split(max(1, CHUNK_ELEMENTS // state.numel())):
            copies = state.expand(len(part), *state.shape)
            evaluate = partial(_evaluate, engine, part)
            parts.append(jacobians(surrogate.shared, copies, evaluate, state.shape[1], torch.zeros_like))
        values.append(torch.cat([y for y, *_ in parts]).T)
        slopes.append(torch.cat([by_state for _, _, by_state, *_ in parts]).permute(2, 0, 1))
    return torch.cat(values), torch.cat(slopes)


def _evaluate(engine: Engine, inputs: Tensor, p: Parameters, state: Tensor) -> Tensor:
    return engine(p, state, inputs, FIT_PRECISION)


def _neighbours(patterns: Tensor, generator: torch.Generator) -> Tensor:
    """Patterns that differ from one of ``patterns`` [k, N] in a single row: all, or as many random ones as fit."""
    rows = patterns.shape[1]
    flipped = (patterns[:, None] - torch.eye(rows, dtype=patterns.dtype)).abs().reshape(-1, rows).unique(dim=0)
    flipped = flipped[flipped.any(dim=1)]
    return flipped[torch.randperm(len(flipped), generator=generator)[:CANDIDATES]]


def _exchange(view: _View, candidate: Tensor, chosen: list[int]) -> list[int]:
    """``chosen`` candidates, each exchanged for the best one given all others until nothing changes."""
    for _ in range(SWEEPS):
        before = list(chosen)
        for k in range(len(chosen)):
            chosen[k] = _best(view, candidate, chosen[:k] + chosen[k + 1 :])
        if chosen == before:
            break
    return chosen


def _best(view: _View, candidate: Tensor, others: list[int]) -> int:
    """The candidate that after ``others`` lowers Σ_columns trace(C·F) most."""
    covariance = _posterior(view.covariance, candidate[:, others])
    gain = candidate @ covariance
    lowered = ((gain @ view.target) * gain).sum(-1) / (1 + (gain * candidate).sum(-1))
    return int(lowered.sum(0).argmax())


def _posterior(covariance: Tensor, g: Tensor) -> Tensor:
    """Covariance [C, N, N] after measurements of derivatives ``g`` [C, k, N] (Sherman, Morrison, Woodbury)."""
    gain = g @ covariance
    spread = gain @ g.mT + torch.eye(g.shape[1], dtype=g.dtype)
    return covariance - gain.mT @ torch.linalg.solve(spread, gain)
