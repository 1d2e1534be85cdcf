"""Design files: what is accepted, what is refused and how the refusal names file, line, key and remedy."""

import re

import pytest

from netlists.designfile import MAX_BYTES, builtin_names, dump_design, load_design, parse_design
from netlists.errors import InputError


@pytest.fixture(scope="module")
def text(make_design):
    """A valid design file."""
    return dump_design(make_design(3, 2))


def _edited(text, old, new):
    assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times"
    return text.replace(old, new)


def _refusal(text):
    with pytest.raises(InputError) as caught:
        parse_design(text, "some.yaml")
    message = str(caught.value)
    assert message.startswith("some.yaml")
    assert "\n" not in message
    return message


def test_default_is_built_in():
    assert "default" in builtin_names()
    assert load_design("default").name == "default"


@pytest.mark.parametrize("name", builtin_names())
def test_built_in_designs_survive_a_round_trip(name):
    design = load_design(name)
    assert parse_design(dump_design(design), "again") == design


def test_a_file_is_found_before_a_built_in_name(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    assert load_design(path) == load_design(str(path)) == parse_design(text, "x")


@pytest.mark.parametrize(
    ("old", "new", "key", "says"),
    [
        ("  rows: 3", "  rows: 0", "array.rows", "greater than or equal to 1"),
        ("  rows: 3", "  rows: -3", "array.rows", "greater than or equal to 1"),
        ("  rows: 3", "  rows: 5000", "array.rows", "4096"),
        ("  rows: 3", "  rows: three", "array.rows", "integer"),
        ("  rows: 3", "  rows: 3.5", "array.rows", "integer"),
        ("  rows: 3", "  rows: true", "array.rows", "integer"),
        ("  mirrored: true", "  mirrored: 1", "array.mirrored", "boolean"),
        ("  channel: n", "  channel: x", "cell.channel", "'n' or 'p'"),
        ("  idle: clamped", "  idle: floating", "array.idle", "clamped"),
        ("2.45e-17 F", "-1 aF", "coupling.own_word_line", "greater than or equal to 0"),
        ("2.45e-17 F", "-55 aF", "coupling.own_word_line", "greater than or equal to 0, not '-55 aF'"),
        ("1.23e-16 F", "0 F", "coupling.substrate", "greater than 0"),
        ("2.45e-17 F", "24.5 ohm", "coupling.own_word_line", "unit 'ohm'"),
        ("2.45e-17 F", "24.5e-18", "coupling.own_word_line", "needs a unit"),
        ("1000.0 ohm", "0 ohm", "wires.switch_resistance", "greater than 0"),
        ("1000.0 ohm", "1 uohm", "wires", "switch_resistance"),
        ("1000.0 ohm", "-1 ohm", "wires.switch_resistance", "greater than 0"),
        ("1.2 V", "1.2", "read.voltage", "1.2 V"),
        ("1.2 V", ".nan", "read.voltage", "needs a unit"),
        ("2e-07 s", "-1 us", "read.t_max", "greater than 0"),
        ("1e-09 s", "14 ns", "read", "shorten t_edge"),
        ("bits: 4", "bits: 17", "read.bits", "16"),
        ("27.0 degC", "-280 degC", "read.temperature", "not above absolute zero, -273.15 degC"),
        ("27.0 degC", "300 K", "read.temperature", "27 degC"),
        ("5e-09 A", "1 uA", "weights", "swap"),
        ("ser: 45.0 dB", "ser: 45", "levels.ser", "45 dB"),
        ("median_cell_error: 0.02", "median_cell_error: 2", "levels.median_cell_error", "less than or equal to 1"),
        ("name: test", "name: a b", "name", "pattern"),
        ("name: test", "name: 7", "name", "string"),
    ],
)
def test_bad_value_names_line_and_key(text, old, new, key, says):
    edited = _edited(text, old, new)
    message = _refusal(edited)
    line = next(k for k, (a, b) in enumerate(zip(edited.splitlines(), text.splitlines(), strict=True), 1) if a != b)
    section = next(k for k in range(line, 0, -1) if re.match(r"\w", edited.splitlines()[k - 1]))
    assert message.startswith(f"some.yaml:{line if '.' in key or key == 'name' else section}: {key}: ")
    assert says in message


@pytest.mark.parametrize(("after", "key"), [("", "colour"), ("array:\n", "array.colour"), ("cell:\n", "cell.colour")])
def test_unknown_key_names_its_line(text, after, key):
    indent = "  " if after else ""
    edited = text.replace(after, f"{after}{indent}colour: red\n", 1)
    line = edited.splitlines().index(f"{indent}colour: red") + 1
    assert _refusal(edited) == f"some.yaml:{line}: {key}: unknown key: remove it or correct its spelling"


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("  near_word_line: ", "  near_word_lin: "), ("  t_edge: ", "  t_edges: "), ("  corner: ", "  conrer: ")],
)
def test_a_misspelt_key_is_named_and_not_the_one_that_is_missing(text, right, wrong):
    text = _edited(text, "  kind: mos\n", "  kind: mos\n  corner: ss\n")
    edited = _edited(text, right, wrong)
    line = next(k for k, words in enumerate(edited.splitlines(), 1) if words.startswith(wrong))
    message = _refusal(edited)
    assert (
        message.startswith(f"some.yaml:{line}: ")
        and f".{wrong.strip()} unknown key: write {right.strip(' :')}," in message
    )


def test_no_key_of_the_other_kind_of_cell_is_proposed(text):
    edited = _edited(text, "  kind: mos", "  kind: resistive")
    message = _refusal(edited)
    assert "unknown key: remove it or correct its spelling" in message


def test_an_unknown_kind_of_cell_names_its_line_and_the_kinds(text):
    edited = _edited(text, "  kind: mos", "  kind: mso")
    line = edited.splitlines().index("  kind: mso") + 1
    assert _refusal(edited) == f"some.yaml:{line}: cell.kind: 'mso' is none of 'mos', 'resistive': correct it"
    assert "cell.kind: missing: add it" in _refusal(_edited(text, "  kind: mos\n", ""))


def test_sizes_of_no_array_are_told_in_the_unit(text):
    assert "'1 GV' is no voltage of an array: 1e-06 to 1000 V are" in _refusal(_edited(text, "1.2 V", "1 GV"))


@pytest.mark.parametrize("key", ["rows", "length", "substrate", "t_edge", "current_max", "driver_resistance"])
def test_missing_key_is_named(text, key):
    edited = re.sub(rf"(?m)^  {key}: .*\n", "", text)
    assert re.fullmatch(rf"some\.yaml:\d+: \w+\.{key}: missing: add it", _refusal(edited))


@pytest.mark.parametrize("section", ["array", "cell", "coupling", "wires", "read", "weights"])
def test_missing_section_is_named(text, section):
    edited = re.sub(rf"(?m)^{section}:\n(  .*\n)+", "", text)
    assert re.fullmatch(rf"some\.yaml:\d+: {section}: missing: add it", _refusal(edited))


def test_duplicate_keys_are_refused(text):
    assert "bits: given twice" in _refusal(_edited(text, "  bits: 4", "  bits: 4\n  bits: 5"))
    assert "read: given twice" in _refusal(text + "read:\n  bits: 4\n")


def test_aliases_are_refused_in_linear_time():
    layers = "\n".join(f"x{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]" for k in range(1, 30))
    assert "aliases" in _refusal(f"x0: &a0 [1, 2]\n{layers}\n")


@pytest.mark.parametrize(
    "content",
    ["", "just words", "- a\n- list", "a: b: c", "a: [1", "\tx: 1", "a: 1\n---\nb: 2", "{" * 1200, "[" * 1200,
     "a: !!python/object/apply:os.getcwd []", "name: 2001-99-99", "a: !!int x", f"a: {'9' * 5000}", "? [1]\n: 2",
     "1: 2", "\0", "x: \x07", "null", "~"],
)  # fmt: skip
def test_what_is_no_design_is_refused_in_one_line(content):
    assert len(_refusal(content)) < 400


def test_binary_and_oversized_files_are_refused(tmp_path):
    path = tmp_path / "design.yaml"
    for content in (bytes(range(256)), b"\x89HDF\r\n\x1a\n" + bytes(600), "name: ä".encode("utf-16"), b"\xff" * 10):
        path.write_bytes(content)
        with pytest.raises(InputError, match=re.escape(str(path))):
            load_design(path)
    path.write_text("#" * (MAX_BYTES + 1))
    with pytest.raises(InputError, match="larger than"):
        load_design(path)


@pytest.mark.parametrize("source", ["nowhere.yaml", "", ".", "/", "x" * 5000, "a\0b"])
def test_absent_files_are_refused(source):
    with pytest.raises(InputError):
        load_design(source)


def test_long_values_do_not_flood_the_message(text):
    assert len(_refusal(_edited(text, "name: test", f"name: {'x' * 30_000}"))) < 300
