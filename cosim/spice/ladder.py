"""The ladder of safer options: what did not converge is tried again, and what fails all of it is kept."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cosim.errors import SimulationError
from cosim.spice.ngspice import Ngspice, RunFailure, run_deck

Options = Mapping[str, float | str | None]
T = TypeVar("T")

LADDER: tuple[dict[str, float | str | None], ...] = (
    {},
    {"reltol": 1e-5, "trtol": 7, "itl1": 500, "itl4": 100, "chgtol": 1e-16},
    {"reltol": 3e-4, "abstol": 1e-13, "vntol": 1e-6, "itl1": 1000, "itl4": 200, "maxord": 1, "gmin": 1e-14},
)
"""Options added to a campaign's own, one attempt after another; the attempt that worked is recorded."""


@dataclass(frozen=True)
class Climber:
    """How decks are run: with which ngspice, for how long at most, and where they are kept."""

    engine: Ngspice
    timeout_s: float
    keep: Path | None = None
    """Path of the deck that is kept; None keeps only what failed, in a temporary folder."""

    def climb(
        self,
        deck_with: Callable[[Options], str],
        read: Callable[[Mapping[str, NDArray[np.float64]]], T],
        part: str = "",
    ) -> tuple[T, int]:
        """What ``read`` makes of the vectors of the first deck that runs and passes its checks, and that attempt.

        ``part`` is added to the name of the deck that is kept. Raises :class:`SimulationError` where no rung works;
        the message names the deck, beside which ngspice's log lies.
        """
        keep = self.keep.with_stem(self.keep.stem + part) if self.keep else None
        reasons = []
        for attempt, extra in enumerate(LADDER):
            deck = deck_with({**self.engine.options(), **extra})
            try:
                return read(run_deck(self.engine, deck, self.timeout_s, keep)), attempt
            except RunFailure as failure:
                reasons.append(f"attempt {attempt + 1}: {failure.reason}")
                log = failure.log
        kept = _keep_failed(deck, log, keep)
        raise SimulationError(f"{kept}: ngspice {'; '.join(reasons)}: open the deck and its .log")


def _keep_failed(deck: str, log: str, keep: Path | None) -> Path:
    """Write a failed deck and ngspice's log beside ``keep``, or else where temporary files go."""
    if keep is None:
        kept = Path(tempfile.mkdtemp(prefix="fgcosim-failed-")) / "deck.cir"
    else:
        kept = keep.with_name(f"failed-{keep.name}")
        kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(deck, encoding="utf-8")
    kept.with_suffix(".log").write_text(log, encoding="utf-8")
    return kept
