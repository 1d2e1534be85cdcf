"""Designs to draw, for the tests of this folder."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from netlists.design import Design
from netlists.designfile import load_design

DEFAULT = load_design("default")


def changed(changes: dict[str, Any], design: Design = DEFAULT) -> Design:
    """``design`` with some keys (``layout.word_line.width``) given other values."""
    data = design.model_dump(mode="json", exclude_none=True)
    for path, value in changes.items():
        section = data
        *parents, last = path.split(".")
        for name in parents:
            section = section.setdefault(name, {})
        section[last] = value
        if value is None:
            del section[last]
    return Design.model_validate(data)


def um(steps: int) -> str:
    """A length of ``steps`` times 10 nm."""
    return f"{steps}e-2 um"


@st.composite
def designs(draw: st.DrawFn) -> Design:
    """Arrays of all kinds that keep the rules: each length is its smallest by the rules of generic180, or more."""
    mirrored, shielded, extended = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())
    more = st.integers(0, 30)
    word, shield, gap = 24 + draw(more), 24 + draw(more), 24 + draw(more)
    spacing = shield + 2 * gap if shielded else gap
    length, width, overhang, arm = 18 + draw(more), 36 + draw(more), 22 + draw(more), 18 + draw(more)
    source = max(spacing // 2 + word // 2 + 1, 32)
    gate = source + 23 + length
    plain = max(55, 61 + shield // 2 if shielded else 0)
    column = width + 2 * max(overhang + 12, arm + 22)
    changes: dict[str, Any] = {
        "array": {"rows": draw(st.integers(1, 5)), "columns": draw(st.integers(1, 4)), "mirrored": mirrored},
        "cell.width": um(width),
        "cell.length": um(length),
        "layout.row_pitch": um(gate + (34 if mirrored else plain) + draw(more)),
        "layout.column_pitch": um(max(column + column % 2, 60) + 2 * draw(more)),
        "layout.word_line": {"layer": "metal1", "width": um(word), "spacing": um(spacing)},
        "layout.bit_line.width": um(28 + draw(st.integers(0, 3))),
        "layout.floating_gate": {"overhang": um(overhang)},
        "layout.dummy_rows": draw(st.integers(0, 2)),
        "layout.dummy_columns": draw(st.integers(0, 2)),
    }
    if shielded:
        changes["layout.shield"] = {"layer": "metal1", "width": um(shield - shield % 2)}
    if extended:
        changes["layout.floating_gate"]["extension"] = {"width": um(arm), "length": um(18 + draw(st.integers(0, 10)))}
    return changed(changes)
