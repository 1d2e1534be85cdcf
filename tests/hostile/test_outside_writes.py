"""Nothing is written outside what was named: names are names, and links are replaced, not followed."""

import pytest
import yaml
from readers import READERS
from small_designs import BASE

from cosim.files.folders import write_json
from netlists.designfile import builtin_names, load_design, parse_design
from netlists.errors import InputError

WRITTEN_BY_THE_PROGRAM = ("measurements", "data set", "surrogate", "measured", "network", "sample")


@pytest.mark.parametrize(
    "name", ["../x", "..", ".", "/etc/x", "a/b", "a\\b", "~", "~root", "-o", ".hidden", "a\nb", "a\0b", "a b", "", "é",
             "x" * 65, "a%2fb", "$HOME", "con:", "{x}"],
)  # fmt: skip
def test_a_designs_name_is_a_plain_file_name(name):
    with pytest.raises(InputError, match="name"):
        parse_design(yaml.safe_dump({**BASE, "name": name}), "d.yaml")


@pytest.mark.parametrize(
    "name", ["../designs/default", "./default", "default.yaml", "DEFAULT", "default\n", "default/", "*"]
)
def test_a_built_in_name_is_no_path(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "default" in builtin_names()
    with pytest.raises(InputError, match="no such design file"):
        load_design(name)


@pytest.fixture
def victim(tmp_path):
    """A file elsewhere that must stay as it is."""
    path = tmp_path / "elsewhere" / "precious"
    path.parent.mkdir()
    path.write_text("precious", encoding="utf-8")
    yield path
    assert path.read_text(encoding="utf-8") == "precious"
    assert [p.name for p in path.parent.iterdir()] == ["precious"]


@pytest.mark.parametrize("which", [r for r in READERS if r.kind in WRITTEN_BY_THE_PROGRAM], ids=lambda r: r.kind)
def test_links_at_the_place_of_a_file_are_replaced(which, victim, tmp_path):
    (tmp_path / which.name).symlink_to(victim)
    path = which.valid(tmp_path)
    assert not path.is_symlink() and which.refusal(path) == ""


def test_links_at_the_place_of_json_files_are_replaced(victim, tmp_path):
    path = tmp_path / "run.json"
    path.symlink_to(victim)
    write_json({}, path)
    assert not path.is_symlink()
