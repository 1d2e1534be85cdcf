"""What tests share: small designs, the ngspice of this machine and stand-ins for a broken one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from small_designs import MakeDesign, small_design

from cosim.spice.ngspice import Ngspice, find_ngspice

settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
settings.load_profile("repeatable")

@pytest.fixture(scope="session")
def make_design() -> MakeDesign:
    """A factory of small designs: ``make_design(rows, columns, cell, section={key: value})``."""
    return small_design


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
