"""Intervals of charges on real SPICE runs: they hold on unseen cells and grow with rows that the fit has not seen."""

import numpy as np
import pytest

from cosim.campaigns.campaign import run_campaign, simulate_many
from cosim.campaigns.plan import PlanSize, random_cells, random_durations, standard_plan
from cosim.fitting.fit import fit_dataset
from cosim.fitting.validation import interval_coverage
from cosim.vmm.programming import read_curve
from netlists.designfile import load_design

FIT_ROWS, LARGE_ROWS, COLUMNS, VMMS = 16, 64, 4, 4


@pytest.mark.long
def test_intervals_hold_and_grow_with_rows(engine, tmp_path):
    design, large = (load_design("default").resized(rows, COLUMNS) for rows in (FIT_ROWS, LARGE_ROWS))
    curve = read_curve(design, engine)
    plan = standard_plan(design, curve, size=PlanSize(patterns=12, weights=16)).only("fit", "patterns", "weights")
    data = run_campaign(design, plan, engine, tmp_path / "fit", workers=1)
    surrogate = fit_dataset(data)
    rng = np.random.default_rng(1)
    cells, duration = random_cells(rng, large, curve, VMMS), random_durations(rng, large, VMMS)
    more_rows = simulate_many(large, cells, duration, np.arange(VMMS), engine, tmp_path / "large", workers=1)
    near = interval_coverage(surrogate, data, data.runs("patterns", "weights"))
    far = interval_coverage(surrogate, more_rows, np.arange(VMMS))
    print(near, far, sep="\n")
    assert near.held >= 0.85 and near.z_rms <= 1.6
    assert far.z_rms <= 2.5
    assert far.relative_width > 1.5 * near.relative_width
