"""Blocks of columns: together they hold every element once, and what is cut follows the waveforms it is given."""

import re
from collections import Counter

import numpy as np
import pytest

from netlists.circuits.block import Boundary, block_cards, neighbours, saved_vectors, source_cards
from netlists.circuits.timeline import pulse_timeline


def _elements(text):
    """First words of all element cards."""
    return [line.split()[0] for line in text.splitlines() if line and line[0] in "RCMFVI"]


def _boundary(design, timeline):
    rests, rows, columns = len(timeline.active), design.array.rows, design.array.columns
    rng = np.random.default_rng(0)
    return Boundary(rng.uniform(0, 1.2, (rests, rows, columns)), rng.uniform(0, 1.2, (rests, rows, columns)))


def _sources(design, columns, timeline, boundary):
    shape = (design.array.rows, design.array.columns)
    cells = np.arange(1.0, 1 + np.prod(shape)).reshape(shape) / 100
    return source_cards(design, columns, cells, timeline, boundary, np.full(shape[1], 1.2))


@pytest.mark.parametrize("cell", ["n", "p", "resistive"])
def test_blocks_hold_every_element_of_a_column_once(make_design, cell):
    design = make_design(4, 6, cell)
    whole = Counter(_elements(block_cards(design, range(6))))
    parts = Counter()
    for columns in (range(2), range(2, 5), range(5, 6)):
        parts.update(_elements(block_cards(design, columns)))
    across = [name for name in parts if re.match(r"C(ffr|bb)_\d+_[14]$", name)]
    shared = {"Vside", "Vbulk"}
    assert set(whole) == set(parts)
    assert {name for name in parts if parts[name] > 1} == ({*across} | shared) & set(parts)
    assert len(across) == (16 if cell != "resistive" else 8)  # 4 rows, 2 cuts


def test_no_word_line_resistance_and_no_foreign_bit_line_is_left(make_design):
    text = block_cards(make_design(4, 6), range(2, 4))
    assert not re.search(r"drv_|bl_[0145]_|clamp_[0145]\b|^Rwl", text, re.MULTILINE)
    assert neighbours(make_design(4, 6), range(2, 4)) == [1, 4]
    assert neighbours(make_design(4, 6), range(6)) == []


def test_every_net_at_the_cut_has_its_source(make_design):
    design = make_design(4, 6)
    timeline = pulse_timeline(design, np.array([5e-9, 0, 20e-9, 100e-9]))
    text = block_cards(design, range(2, 4)) + _sources(design, range(2, 4), timeline, _boundary(design, timeline))
    driven = set(re.findall(r"^V\S+ (\S+) (?:0|row_\d+) ", text, re.MULTILINE))
    used = set(re.findall(r"\b(?:wl_\d+_\d+|fg_\d+_[14])\b", block_cards(design, range(2, 4))))
    assert used <= driven
    assert len(re.findall(r"^Iq_", text, re.MULTILINE)) == 8


def test_waveforms_rest_at_their_levels(make_design):
    design = make_design(4, 3)
    timeline = pulse_timeline(design, np.array([5e-9, 5.3e-9, 20e-9, 100e-9]))
    boundary = _boundary(design, timeline)
    card = next(
        line for line in _sources(design, range(3), timeline, boundary).splitlines() if line.startswith("Vwl_2_1 ")
    )
    points = np.array(re.search(r"PWL\((.*)\)", card).group(1).split(), dtype=float).reshape(-1, 2)
    assert (np.diff(points[:, 0]) > 0).all()
    settled = np.flatnonzero(np.diff(timeline.rest_end, prepend=0) > 1.5e-9)
    at_rest_end = np.interp(timeline.rest_end[settled], points[:, 0], points[:, 1])
    assert at_rest_end == pytest.approx(boundary.word_line[settled, 2, 1], abs=2e-6)


def test_a_level_that_does_not_move_is_a_constant(make_design):
    design = make_design(4, 3)
    timeline = pulse_timeline(design, np.array([5e-9, 0, 20e-9, 100e-9]))
    still = Boundary(np.full((5, 4, 3), 0.7), np.full((5, 4, 3), 0.7))
    assert "PWL" not in _sources(design, range(1, 2), timeline, still)


def test_saved_vectors_name_what_the_block_has(make_design):
    names = saved_vectors(make_design(2, 4), range(1, 3))
    assert names[:4] == ["i(vclamp_1)", "i(vclamp_2)", "v(q_1)", "v(q_2)"]
    assert len(names) == 4 + 2 + 3 * 4
    assert len(saved_vectors(make_design(2, 4, "resistive"), range(1, 3))) == 4 + 2 + 4
