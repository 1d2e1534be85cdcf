"""The deck of any run of a data set, written again, to be opened and run by hand."""

from __future__ import annotations

import hashlib
import json

from cosim.errors import InputError
from cosim.files.dataset import DataSet
from cosim.spice.ladder import LADDER
from cosim.version import code_version
from cosim.vmm.whole import vmm_deck
from netlists.designfile import parse_design


def deck_of(data: DataSet, run: int) -> str:
    """The deck of run ``run`` (from 0): the whole array. Where :attr:`DataSet.passes` is 0, ngspice got it to the last
    letter; else it ran in blocks of columns that together stand for this circuit (:mod:`cosim.vmm.split`).

    Raises ``InputError`` where there is no such run and where this version of the program writes other decks.
    """
    if not 0 <= run < len(data):
        raise InputError(f"run {run}: the data set has runs 0 to {len(data) - 1}: choose one of them")
    if hashlib.sha256(_deck(data, 0, 0).encode()).hexdigest() != data.deck_hash:
        raise InputError(f"made by {data.code_version}, and {code_version()} writes other decks: use the former")
    return _deck(data, run, int(data.attempt[run]))


def _deck(data: DataSet, run: int, attempt: int) -> str:
    design = parse_design(data.design_yaml, "design of the data set")
    options = {**json.loads(data.options), **LADDER[attempt]}
    return vmm_deck(design, data.cells[data.weights_index[run]], data.duration[run], options)
