"""Nothing of a design but its numbers and its name reaches a deck, and ngspice obeys no file but the deck."""

import copy
import os
import re
import subprocess

import numpy as np
import pytest
import yaml
from readers import dataset, design
from small_designs import BASE

from cosim.errors import InputError
from cosim.spice.ngspice import find_ngspice, run_deck
from netlists.check import check_graph
from netlists.circuits.circuit import array_circuit
from netlists.circuits.deck import deck_text, transient_for
from netlists.designfile import parse_design
from netlists.graph import array_graph

NUMBER = r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?"
VALUE = rf"(?:{NUMBER}|{{[\w.+*/,() -]+}})"
CARD = re.compile(
    rf"""\.title\ fgcosim\ array\ [A-Za-z0-9][\w.-]*\ \d+x\d+\ [0-9a-f]+
    | \.(?:param|PARAM)\ \w+={VALUE}
    | \.(?:model|MODEL)\ fg[np]\ \(?[np]mos\ ?\(?(?:\w+={NUMBER}(?:\.\d+)*\ ?)+\)?
    | \.subckt\ fgcell\ bl\ fg\ wl\ bulk(?:\ PARAMS:|\ params:)?\ vfg=0 | \.ends\ fgcell
    | [RCVIF]\w+\ \w+\ \w+\ (?:Vclamp_\d+\ 1|{VALUE}|PULSE\(.*\))
    | X\w+\ \w+\ \w+\ \w+\ \w+\ fgcell\ vfg={NUMBER}
    | M1\ bl\ fg\ wl\ bulk\ fg[np](?:\ \w+={NUMBER})+
    | \.options\ .* | \.save\ (?:[iv]\(\w+\)\ ?)+ | \.tran(?:\ {NUMBER})+ | \.end | \*\ [\w\ ]* |""",
    re.VERBOSE,
)
PAYLOADS = [
    "\n.control\nshell touch executed\n.endc\n", "\n+ m=1000", "{system('touch executed')}", "; shell touch executed",
    "`touch executed`", "\r.include /etc/passwd\r", ".include /etc/passwd", "$(touch executed)", "{1+1}",
    "\u2028.control", "\x0b.control", "* comment", "$ comment", "//", "'", '"', "%s", "../../x", "/etc/x", "..", "~",
    "-o", "a b", "", "\0",
]  # fmt: skip


def _deck(given):
    rows, columns = given.array.rows, given.array.columns
    graph = array_graph(given, np.full((rows, columns), 0.5 if given.cell.kind == "mos" else 1e-7))
    check_graph(graph)
    circuit = array_circuit(given, graph, np.full(rows, given.read.t_max))
    options = {"gmin": 1e-15, "klu": None}
    return deck_text(circuit, transient_for(given), options, ["v(q_0)"], given.read.temperature)


def _harmless(deck):
    lines = deck.splitlines()
    strange = [line for line in lines if not CARD.fullmatch(line.strip())]
    assert not strange, strange[:3]
    assert [line.lower() for line in lines if line.lower().startswith(".end")].count(".end") == 1
    return True


@pytest.mark.parametrize("cell", ["n", "p", "resistive"])
def test_decks_hold_only_cards_that_are_known(make_design, cell):
    assert _harmless(_deck(make_design(3, 2, cell)))


def test_the_check_sees_what_does_not_belong(make_design):
    deck = _deck(make_design(2, 2))
    for line in (".control", ".include x", "shell ls", ".lib x", "R1 a b `ls`", "B1 a b v=1", ".title x\n.control"):
        with pytest.raises(AssertionError):
            _harmless(deck.replace(".end", f"{line}\n.end"))


def _strings(data, at=()):
    for key, value in data.items():
        if isinstance(value, dict):
            yield from _strings(value, (*at, key))
        elif isinstance(value, str):
            yield *at, key


WORDS = [("name",), ("notes",), ("array", "idle"), ("cell", "kind"), ("cell", "channel")]
QUANTITIES = [where for where in _strings(BASE) if where not in WORDS]


@pytest.mark.parametrize("where", WORDS, ids=".".join)
def test_no_word_of_a_design_becomes_a_card(where):
    """Every word of a design is replaced by and extended with what a deck or a shell would obey."""
    cards = len(_deck(_parsed(("notes",), "free text")).splitlines())
    for payload in PAYLOADS:
        for text in (payload, f"{_value(where)}{payload}", f"{payload}{_value(where)}"):
            given = _parsed(where, text)
            if given is not None:
                deck = _deck(given)
                assert _harmless(deck) and len(deck.splitlines()) == cards
                assert given.name == os.path.basename(given.name) not in (".", "..")


@pytest.mark.parametrize("where", QUANTITIES, ids=".".join)
def test_no_quantity_of_a_design_is_more_than_a_number(where):
    for payload in PAYLOADS[:5]:
        assert _parsed(where, f"{_value(where)}{payload}") is None


def _parsed(where, text):
    """The design with ``text`` at ``where``, or None where that is refused."""
    try:
        return parse_design(yaml.safe_dump(_with(where, text)), "d.yaml")
    except InputError as error:
        assert "\n" not in str(error) and len(str(error)) < 500
        return None


def _value(where):
    data = BASE
    for key in where:
        data = data.get(key, "") if isinstance(data, dict) else ""
    return data


def _with(where, text):
    data = copy.deepcopy(BASE)
    section = data
    for key in where[:-1]:
        section = section[key]
    section[where[-1]] = text
    return data


def test_ngspice_obeys_no_init_file(engine, tmp_path, monkeypatch):
    """A .spiceinit at home or in the working folder would run; decks do not let it."""
    (tmp_path / ".spiceinit").write_text(f"shell touch {tmp_path}/executed\n", encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    deck = "RC\nV1 in 0 1\nR1 in 0 1k\n.tran 1n 5n\n.end\n"
    assert "time" in run_deck(engine, deck, 60)
    assert not (tmp_path / "executed").exists()
    (tmp_path / "x.cir").write_text(deck, encoding="utf-8")
    subprocess.run([engine.path, "-b", "x.cir"], cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert (tmp_path / "executed").exists(), "this ngspice reads no init file at all: the test above shows nothing"


@pytest.mark.parametrize(
    "name", ["ngspice; touch executed", "$(touch executed)", "`touch executed`", "ngspice && touch executed",
             "sh -c 'touch executed'", "/", ".", "nowhere\n", "-n", "/dev/null", "x" * 5000],
)  # fmt: skip
def test_the_simulators_name_is_no_command(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FGCOSIM_NGSPICE", name)
    with pytest.raises(InputError, match="ngspice: "):
        find_ngspice()
    assert not list(tmp_path.iterdir())


def test_designs_of_data_sets_are_checked_as_files_are():
    with pytest.raises(InputError, match="tags"):
        parse_design(dataset().design_yaml.replace("name: test", "name: !!python/name:os.system"), "data set's design")
    assert design().name == "test"
