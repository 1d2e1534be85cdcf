"""What tests share: small designs, the ngspice of this machine and stand-ins for a broken one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from cosim.ngspice import Ngspice, find_ngspice
from netlists.design import Design

settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
settings.load_profile("repeatable")

BASE: dict[str, Any] = {
    "name": "test",
    "array": {"rows": 3, "columns": 2, "mirrored": True},
    "cell": {"kind": "mos", "channel": "n", "width": "0.5 um", "length": "0.6 um"},
    "coupling": {
        "own_word_line": "24.5 aF",
        "near_word_line": "45 aF",
        "far_word_line": "11.1 aF",
        "second_word_line": "3 aF",
        "bit_line": "2.8 aF",
        "floating_gate_same_row": "5.8 aF",
        "floating_gate_same_column": "4 aF",
        "substrate": "123 aF",
    },
    "wires": {
        "word_line_resistance": "3 ohm",
        "bit_line_resistance": "0.7 ohm",
        "word_line_capacitance": "120 aF",
        "bit_line_capacitance": "70 aF",
        "word_line_pair_capacitance": "26 aF",
        "bit_line_pair_capacitance": "43 aF",
        "crossing_capacitance": "16 aF",
        "driver_resistance": "100 ohm",
        "switch_resistance": "1 kohm",
    },
    "read": {"voltage": "1.2 V", "t_max": "200 ns", "t_edge": "1 ns", "bits": 4, "temperature": "27 degC"},
    "weights": {"current_min": "5 nA", "current_max": "500 nA"},
}

MakeDesign = Callable[..., Design]


def _make_design(rows: int = 3, columns: int = 2, cell: str = "n", **sections: dict[str, Any]) -> Design:
    """A small design; ``cell`` is n, p or resistive, and each of ``sections`` overrides keys of that section."""
    data = copy.deepcopy(BASE)
    data["array"].update(rows=rows, columns=columns)
    if cell == "resistive":
        data["cell"] = {"kind": "resistive"}
    else:
        data["cell"]["channel"] = cell
    for name, values in sections.items():
        data.setdefault(name, {}).update(values)
    return Design.model_validate(data)


@pytest.fixture(scope="session")
def make_design() -> MakeDesign:
    """A factory of small designs: ``make_design(rows, columns, cell, section={key: value})``."""
    return _make_design


@pytest.fixture(scope="session")
def engine() -> Ngspice:
    """The ngspice of this machine. Its absence is a failure: nothing here can be trusted without it."""
    return find_ngspice()


class TightNgspice(Ngspice):
    """ngspice with tolerances a thousand times tighter than a campaign's."""

    def options(self) -> dict[str, float | str | None]:
        """A campaign's options but for the tolerances."""
        return {**super().options(), "reltol": 1e-7, "abstol": 1e-16, "vntol": 1e-10, "chgtol": 1e-18}


@pytest.fixture(scope="session")
def tight_engine(engine: Ngspice) -> Ngspice:
    """The ngspice of this machine with tolerances a thousand times tighter than a campaign's."""
    return TightNgspice(engine.path, engine.version, engine.klu)


@pytest.fixture
def fake_ngspice(engine: Ngspice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Ngspice]:
    """A factory of stand-ins: a shell script that is called as ngspice is, with the real one in ``$REAL``.

    Its arguments are ``-n -b -r RAW DECK``; ``--version`` is answered by the real one and not counted as a run.
    """

    def make(body: str) -> Ngspice:
        path = tmp_path / "fake-ngspice"
        path.write_text(
            f"#!/bin/sh\nREAL='{engine.path}'\n[ \"$1\" = --version ] && exec \"$REAL\" --version\nRAW=$4\n{body}\n",
            encoding="utf-8",
        )
        path.chmod(0o755)
        monkeypatch.setenv("FGCOSIM_NGSPICE", str(path))
        return find_ngspice()

    return make
