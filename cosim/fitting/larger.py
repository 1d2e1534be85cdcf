"""Larger arrays of the same cells: a surrogate fitted to a small array, held against SPICE on arrays that it never saw.

A fit takes hundreds of slots, a check a few VMMs; SPICE at 64x64 costs 40 times as much as at 16x16. What a larger
array adds to a small one, longer wires, the design states (``Surrogate.extrapolated``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cosim.campaigns.campaign import run_campaign
from cosim.campaigns.plan import unseen_plan
from cosim.errors import InputError
from cosim.files.dataset import DataSet
from cosim.fitting.validation import fast_agreement, verdict
from cosim.spice.ngspice import Ngspice
from cosim.vmm.programming import read_curve
from netlists.design import Design
from surrogate.scores import score
from surrogate.surrogate import Surrogate

SIZES = "sizes"
"""Entry of a surrogate's report: the checks of larger arrays by size, ``"64x64"``."""


@dataclass(frozen=True)
class LargerCheck:
    """What judges a surrogate at another size: ``vmms`` random VMMs, each of random cells of its own, and ``read_rows``
    rows read one by one, of arrays of ``rows`` word lines and ``columns`` bit lines."""

    rows: int
    columns: int
    vmms: int = 4
    read_rows: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        if self.vmms < 2:
            raise InputError(f"vmms {self.vmms}: give at least 2: the spread about their mean is judged, too")

    @property
    def name(self) -> str:
        """The size as it is written."""
        return f"{self.rows}x{self.columns}"


def enlarged(
    surrogate: Surrogate, design: Design, check: LargerCheck, engine: Ngspice, folder: Path,
    workers: int | None = None, progress: Callable[[int, int], None] = lambda done, total: None,
) -> Surrogate:  # fmt: skip
    """``surrogate`` with ``report["sizes"]`` of ``check`` and, where it passed, with a domain of that size.

    ``design`` is the one that it was fitted to; finished SPICE runs are kept in ``folder``. Raises :class:`InputError`
    for a surrogate that has not passed its cross-validation, a size that is not larger, and an array with extracted
    parasitics, which belong to its own size.
    """
    surrogate.require_passed()
    _require_larger(surrogate, design, check)
    large = design.resized(check.rows, check.columns)
    plan = unseen_plan(large, read_curve(design, engine), check.seed, check.vmms, check.read_rows)
    data = run_campaign(large, plan, engine, folder, workers, progress)
    found = judged(surrogate, data, design)
    report = dict(surrogate.report or {})
    report[SIZES] = {**report.get(SIZES, {}), check.name: found}
    domain = surrogate.domain
    if found["passed"]:
        domain = replace(domain, rows=check.rows, columns=check.columns)
    return replace(surrogate, report=report, domain=domain)


def judged(surrogate: Surrogate, data: DataSet, design: Design) -> dict[str, Any]:
    """Scores of ``surrogate`` on the runs of ``data``, arrays of any size, with the verdict by ``design``'s levels."""
    state = surrogate.states(data.cells)

    def predicted(runs: np.ndarray) -> np.ndarray:
        return surrogate.extrapolated(data.duration[runs], state[data.weights_index[runs]])

    unseen, alone = data.runs("weights"), data.runs("one_hot")
    cells = (data.charge[alone], predicted(alone)) if len(alone) else (None, None)
    scores = score(data.charge[unseen], predicted(unseen), *cells)
    fast = fast_agreement(surrogate, data, unseen)
    return {
        **scores.as_dict(), "fast_engine_ser_db": fast, "count": len(unseen), "dataset_hash": data.hash,
        "simulator": data.simulator, **verdict([scores], design.levels, fast),
    }  # fmt: skip


def _require_larger(surrogate: Surrogate, design: Design, check: LargerCheck) -> None:
    domain = surrogate.domain
    if design.parasitics is not None:
        raise InputError(f"{design.name}: parasitics belong to its own array: extract one of {check.name} and fit that")
    smaller = check.rows < domain.rows or check.columns < domain.columns
    if smaller or (check.rows, check.columns) == (domain.rows, domain.columns):
        raise InputError(
            f"{check.name}: the surrogate holds for {domain.rows}x{domain.columns}: give a larger size that contains it"
        )
