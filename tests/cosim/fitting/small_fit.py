"""A small campaign in ngspice, the surrogate fitted to it, and how it does on arrays of another size."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from cosim.campaigns.campaign import run_campaign, simulate_many
from cosim.campaigns.plan import PlanSize, random_cells, random_durations, standard_plan
from cosim.files.dataset import DataSet
from cosim.fitting.fit import fit_dataset
from cosim.fitting.validation import validate_dataset
from cosim.spice.ngspice import Ngspice
from cosim.vmm.programming import read_curve
from netlists.design import Design
from surrogate.scores import decibel
from surrogate.surrogate import Surrogate


class Fitted(NamedTuple):
    """A design, the data set of its small campaign and the surrogate fitted to that."""

    design: Design
    data: DataSet
    surrogate: Surrogate

    def checked_budget(self, least_ser_db: float) -> dict[str, float]:
        """SER without each effect, dB, once unseen patterns and weights are predicted to ``least_ser_db``."""
        report = validate_dataset(self.surrogate, self.data)
        assert report["passed"]
        for role in ("patterns", "weights"):
            assert report["roles"][role]["ser_db"] > least_ser_db
            assert report["roles"][role]["median_cell_error"] < 1e-3
        budget = {entry["effect"]: entry["ser_db"] for entry in report["budget"]}
        return budget | {"fast_engine": report["fast_engine_ser_db"]}

    def wires(self, count: int) -> list[float]:
        """The first ``count`` fitted resistances, Ω."""
        return (self.surrogate.shared[:count].exp() * self.design.read.voltage / self.surrogate.current_scale).tolist()

    def ser_elsewhere(self, rows: int, columns: int, engine: Ngspice, folder: Path) -> float:
        """SER of two random VMMs on an array of another size, dB."""
        design, rng = self.design.resized(rows, columns), np.random.default_rng(1)
        cells = random_cells(rng, design, read_curve(design, engine), 1)
        duration = random_durations(rng, design, 2)
        data = simulate_many(design, cells, duration, np.zeros(2, dtype=np.int64), engine, folder, workers=1)
        return decibel(data.charge, self.surrogate.charge(duration, self.surrogate.states(cells[0])))


def fitted_to(design: Design, engine: Ngspice, factory: pytest.TempPathFactory) -> Fitted:
    """What is fitted to ``design``, with two unseen patterns and weight matrices."""
    plan = standard_plan(design, read_curve(design, engine), size=PlanSize(patterns=2, weights=2))
    data = run_campaign(design, plan, engine, factory.mktemp("campaign"), workers=1)
    return Fitted(design, data, fit_dataset(data))
