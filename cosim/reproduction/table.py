"""The table of all comparisons in a folder: ``table.json``, and ``table.md`` for people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cosim.files.folders import read_json, write_json
from cosim.files.lock import locked
from surrogate.atomic import replacing

TABLE, MARKDOWN = "table.json", "table.md"
HEADS = (
    "network", "layout", "software", "deployed", "on wires of its own", "control", "noise injection", "retrained",
    "SPICE, of all test images", "class agreement", "charges", "seeds", "machine",
)  # fmt: skip

SHORT_HEADS = (
    "made by", "layout", "software", "deployed", "on wires of its own", "control", "noise injection", "retrained",
    "SPICE sign-off", "seeds",
)
ACCURACIES = ("software", "deployed", "wired", "control", "noise", "retrained")

Row = dict[str, Any]


def add_rows(folder: Path, rows: list[Row]) -> None:
    """Put ``rows`` into the table of ``folder`` in the place of those of the same network and layout."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / TABLE
    with locked(folder / "table.lock"):
        by_name = {(row["network"], row["layout"]): row for row in (*_rows(path), *rows)}
        ordered = [by_name[key] for key in sorted(by_name)]
        write_json({"rows": ordered}, path)
        with replacing(folder / MARKDOWN) as temporary:
            temporary.write_text(markdown(ordered), encoding="utf-8")


def _rows(path: Path) -> list[Row]:
    return list(read_json(path)["rows"]) if path.is_file() else []


def markdown(rows: list[Row]) -> str:
    """``rows`` as a table in Markdown: accuracies in per cent, mean ± standard deviation over seeds."""
    return _table(HEADS, [_cells(row) for row in rows])


def short_markdown(rows: list[Row]) -> str:
    """The same without what takes room: :func:`markdown`'s columns on SPICE in one."""
    return _table(SHORT_HEADS, [
        [f"`{row['command'].partition(' ')[0]}`", row["layout"], *_accuracies(row), _sign_off(row["signoff"]),
         str(len(row["seeds"]))] for row in rows
    ])  # fmt: skip


def _table(heads: Sequence[str], rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"


def _accuracies(row: Row) -> list[str]:
    several = len(row["seeds"]) > 1

    def shown(found: dict[str, float] | None) -> str:
        if found is None:
            return "–"
        return f"{100 * found['mean']:.2f}" + (f" ± {100 * found['std']:.2f}" if several else "")

    return [shown(row["accuracy"].get(name)) for name in ACCURACIES]


def _sign_off(signed: Row | None) -> str:
    if signed is None:
        return "–"
    charges = f"{signed['ser_db']:.0f} dB"
    if agreement := signed.get("class_agreement"):
        return f"{agreement['estimate']:.0%} of {signed['images']} images agree, {charges}"
    return f"{_interval(signed['accuracy_of_all_spice'])}, {charges}"


def _cells(row: Row) -> list[str]:
    signed = row["signoff"]
    cells = [f"`{row['command']}` ({row['data']})", f"{row['layout']}, {row['arrays']}", *_accuracies(row)]
    if signed is None:
        cells += ["–", "–", "–"]
    else:
        cells.append(_interval(signed["accuracy_of_all_spice"]))
        agreement = signed.get("class_agreement")
        cells.append(f"{_interval(agreement)}, {signed['images']} images" if agreement else "sampled")
        cells.append(f"{signed['ser_db']:.1f} dB, {signed['vmms']:,} VMMs")
    return [*cells, str(len(row["seeds"])), f"{row['machine']}, {row['device']}, {row['wall_s']:.0f} s"]


def _interval(bounds: dict[str, float]) -> str:
    estimate, low, high = (100 * bounds[key] for key in ("estimate", "low", "high"))
    return f"{estimate:.2f} ({low:.2f} … {high:.2f})"
