"""Pictures of a study."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cosim.study.overview import overview, save_figure
from cosim.study.plots import draw_plots, pareto_front
from cosim.study.point import FIGURES
from cosim.study.results import Column, Table

VALUES = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5) | st.just(math.nan)), min_size=1, max_size=12)


@given(VALUES)
def test_the_front_is_what_nothing_beats(values):
    cost, gain = np.array(values, dtype=float).T
    front = pareto_front(cost, gain)

    def beaten(k: int) -> bool:
        return any(
            cost[m] <= cost[k] and gain[m] >= gain[k] and (cost[m], gain[m]) != (cost[k], gain[k])
            for m in range(len(cost))
        )

    best = {(cost[k], gain[k]) for k in range(len(cost)) if math.isfinite(gain[k]) and not beaten(k)}
    assert {(cost[k], gain[k]) for k in front} == best and len(front) == len(best)


def _table(figures: dict[str, tuple[float, ...]]) -> Table:
    names = ("a", "b", "c")
    columns = [Column("point", "", names), Column("layout.row_pitch", "m", (1.4e-6, 1.6e-6, math.nan)),
               Column("array.mirrored", "", ("yes", "no", "no"))]  # fmt: skip
    columns += [Column(name, unit, figures.get(name, (math.nan,) * 3)) for name, unit in FIGURES.items()]
    return Table((*columns, Column("reason", "", ("", "", "x"))), ("layout.row_pitch", "array.mirrored"))


def test_pictures_of_what_there_is(tmp_path):
    """All of them, the same each time; without networks no accuracies; of failures alone none."""
    some = {"shift_near": (-0.03, -0.02, math.nan), "ser_least": (70.0, 60.0, math.nan),
            "ser_patterns": (70.0, 65.0, math.nan), "ideal_one_hot": (9.0, 20.0, math.nan)}  # fmt: skip
    accuracies = {"area_per_cell": (2e-12, 3e-12, 3e-12), "deployed": (0.9, 0.95, math.nan),
                  "deployed_std": (0.0, 0.01, math.nan), "retrained": (0.96, 0.97, math.nan)}  # fmt: skip
    assert draw_plots(_table({}), tmp_path) == []
    assert {p.stem.split("-")[0] for p in draw_plots(_table(some), tmp_path)} == {"kernel", "ser", "overview"}
    files = draw_plots(_table({**some, **accuracies}), tmp_path)
    assert {p.stem.split("-")[0] for p in files} >= {"accuracy", "pareto"}
    assert {p.suffix for p in files} == {".svg", ".png"} and all(p.stat().st_size > 1000 for p in files)
    svg = tmp_path / "overview.svg"
    first = svg.read_bytes()
    with overview(_table({**some, **accuracies})) as figure:
        assert save_figure(figure, svg).read_bytes() == first
