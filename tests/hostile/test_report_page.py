"""Nothing that a run folder holds becomes markup, script or a template of the report."""

import dataclasses
import json
from html.parser import HTMLParser

import pytest
from readers import dataset, run_files, surrogate, write_run

from cosim.errors import InputError
from cosim.files.dataset import save_dataset
from cosim.run_folder.report import write_report
from netlists.designfile import dump_design, parse_design
from surrogate.files import save_surrogate

PAYLOAD = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>{{7*191}}{% raw %}--><svg/onload=a>]]>"


class Page(HTMLParser):
    """Tags, names of attributes, and all text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.links = set(), set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links |= {value for name, value in attrs if name in ("href", "src", "xlink:href")}


def _poisoned(content, at=""):
    """Every text, and every key of what is listed by its keys, replaced by the payload."""
    if isinstance(content, dict):
        listed = at in ("wall_seconds",)
        return {(PAYLOAD if listed and key != "total" else key): _poisoned(v, key) for key, v in content.items()}
    if isinstance(content, list):
        return [_poisoned(value) for value in content]
    return PAYLOAD if isinstance(content, str) else content


@pytest.fixture
def folder(tmp_path):
    write_run(tmp_path / "network.json")
    return tmp_path


def _poison(folder):
    files = run_files()
    files["signoff.json"].update(label=[PAYLOAD] * 2, spice_class=[PAYLOAD, 1], surrogate_class=[1, PAYLOAD])
    files["signoff.json"]["provenance"] = {"network_hash": PAYLOAD}
    for name, content in files.items():
        poisoned = _poisoned(content)
        if name == "network.json":
            poisoned["tiles"][0]["layer"] = "\ud800 4x2"  # no encoding holds half a pair
        (folder / name).write_text(json.dumps(poisoned), encoding="utf-8")
    report = dict(surrogate().report)
    report.update(
        roles={PAYLOAD: report["roles"]["weights"]}, failed=[PAYLOAD], passed=False, lowered_levels=[PAYLOAD],
        budget=[{"effect": PAYLOAD[:80], "ser_db": 9.0}],
    )  # fmt: skip
    provenance = {"code_version": PAYLOAD, "fit_runs": PAYLOAD, "fit_slots": PAYLOAD, "fit_iterations": PAYLOAD}
    known = surrogate().provenance
    given = dataclasses.replace(surrogate(), report=report, provenance={**provenance, **known})
    save_surrogate(given, folder / "surrogate.safetensors")
    design = parse_design(dataset().design_yaml, "").model_copy(update={"notes": PAYLOAD})
    options = json.dumps({PAYLOAD: PAYLOAD})
    altered = {"simulator": PAYLOAD, "code_version": PAYLOAD, "options": options, "deck_hash": PAYLOAD}
    save_dataset(dataclasses.replace(dataset(), design_yaml=dump_design(design), **altered), folder / "data.h5")


def test_texts_of_a_run_folder_stay_texts(folder, tmp_path_factory):
    clean = Page(write_report(folder).read_text(encoding="utf-8"))
    _poison(folder)
    victim = tmp_path_factory.mktemp("elsewhere") / "precious"
    victim.write_text("precious", encoding="utf-8")
    (folder / "report.html").unlink()
    (folder / "report.html").symlink_to(victim)
    text = write_report(folder).read_text(encoding="utf-8")
    assert victim.read_text(encoding="utf-8") == "precious"
    page = Page(text)
    assert page.tags <= clean.tags | {"strong"} and "script" not in page.tags
    assert page.attributes <= clean.attributes
    assert {link for link in page.links if "#" not in link} <= {link for link in clean.links if "#" not in link}
    assert "? 4x2" in text and "1337" not in text and text.count("{{7*191}}") > 20
    assert "<script" not in text.lower() and "<img" not in text.lower() and "onerror=alert" not in _inside_tags(text)


def _inside_tags(text):
    return "".join(part.split(">", 1)[0] for part in text.split("<"))


def _refused_or_shown(folder, name, change):
    content = run_files()[name]
    change(content)
    (folder / name).write_text(json.dumps(content), encoding="utf-8")
    try:
        assert write_report(folder).stat().st_size < 3_000_000
    except InputError as error:
        assert "\n" not in str(error) and len(str(error)) < 400
        assert not (folder / "report.html").exists()
        return False
    return True


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("network.json", lambda c: c.update(seeds=c["seeds"] * 600)),
        ("network.json", lambda c: c["seeds"][0].update(control_curve=[0.5] * 1001)),
        ("network.json", lambda c: c["seeds"][0].update(retrained=1e300)),
        ("network.json", lambda c: c["seeds"][0].update(control_curve=[])),
        ("network.json", lambda c: c["seeds"][0].update(control_curve="0.5")),
        ("network.json", lambda c: c["seeds"][0].update(control_curve=[0.5, [0.5]])),
        ("network.json", lambda c: c["seeds"][0].update(deployed=True)),
        ("network.json", lambda c: c.update(seeds={"a": 1})),
        ("signoff.json", lambda c: c.update(ser_db=float("nan"))),
        ("summary.json", lambda c: c["network"]["accuracy"].update(software=float("inf"))),
    ],
)
def test_senseless_numbers_are_refused_before_anything_is_drawn(folder, name, change):
    assert not _refused_or_shown(folder, name, change)


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("network.json", lambda c: c.update(tiles=7)),
        ("signoff.json", lambda c: c.update(label=[1])),
        ("signoff.json", lambda c: c.update(energy_per_vmm_j=10**400)),
        ("signoff.json", lambda c: c.update(images="<b>")),
        ("summary.json", lambda c: c.update(wall_seconds={"total": 1e-320, "fit": 1e300})),
        ("summary.json", lambda c: c.update(wall_seconds={"total": 10**400, "fit": 1})),
        ("summary.json", lambda c: c["network"]["accuracy"].update(software="0.9")),
        ("summary.json", lambda c: c["surrogate"].update(ser_db={"patterns": [], "weights": {}})),
    ],
)
def test_senseless_entries_are_refused_in_one_line_or_shown(folder, name, change):
    _refused_or_shown(folder, name, change)
