"""The report: a whole page from a small run folder, and errors that name file and remedy."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch

from cosim.errors import InputError
from cosim.files.dataset import DataSet, save_dataset
from cosim.run_folder.report import percent, seconds, si, write_report
from cosim.spice.ngspice import Ngspice
from cosim.vmm.waveforms import load_waveforms, record_waveforms
from netlists.design import Design
from netlists.designfile import dump_design
from surrogate.files import save_surrogate
from surrogate.parameters import SIZE, start_values
from surrogate.state_map import StateMap
from surrogate.surrogate import Domain, Surrogate

ROWS, COLUMNS = 5, 3
STAGES = ("software", "deployed", "control", "retrained")
VOID = {"meta", "br", "link", "img", "input", "hr"}


def _surrogate(design: Design) -> Surrogate:
    roles = {"ser_db": 50.1, "ser_centred_db": 47.2, "ser_worst_column_db": 44.3, "median_cell_error": None, "count": 3}
    return Surrogate(
        shared=start_values(),
        shared_error=torch.full((SIZE,), 0.01, dtype=torch.float64),
        current_scale=1e-7,
        time_scale=design.read.t_max,
        domain=Domain(design.read.t_edge, design.read.t_max, -5.0, 5.0, ROWS, COLUMNS),
        state_map=StateMap(torch.tensor([0.0, 2.0, 0.0, 0.0], dtype=torch.float64), 1.0, 0.1),
        provenance={"design_hash": design.hash, "fit_runs": 3},
        report={
            "passed": False,
            "failed": ["ser_worst_column"],
            "levels": {"ser": 45.0, "ser_centred": "40 dB", "ser_worst_column": 46.0, "median_cell_error": 0.02},
            "roles": {"patterns": roles, "weights": roles},
            "ideal": {"one_hot": {"ser_db": 8.0}, "least_squares": {"ser_db": 17.0}},
            "budget": [{"effect": "crosstalk", "ser_db": 9.0}, {"effect": "<new>", "ser_db": 48.0}],
        },
    )


def _data(design: Design, surrogate: Surrogate) -> DataSet:
    """Runs whose charges are the surrogate's own and a little noise."""
    rng = np.random.default_rng(1)
    role = ("fit",) * 3 + ("patterns",) * 3 + ("weights",) * 3
    n, slots = len(role), 12
    duration = rng.uniform(design.read.t_edge, design.read.t_max, (n, ROWS))
    cells = rng.uniform(0.9, 1.1, (2, ROWS, COLUMNS))
    index = np.array([0] * 6 + [1] * 3)
    charge = surrogate.charge(duration, surrogate.states(cells)[torch.from_numpy(index)])
    return DataSet(
        duration=duration, cells=cells, weights_index=index, role=role,
        charge=charge * (1 + 1e-3 * rng.normal(size=charge.shape)),
        slot_sample=np.repeat(np.arange(3), slots // 3), slot_active=rng.random((slots, ROWS)) < 0.5,
        slot_current=rng.uniform(0, 1e-6, (slots, COLUMNS)), energy=1.3 * np.abs(charge).sum(axis=1),
        attempt=np.zeros(n, dtype=np.int64), floating_gate_return=np.full(n, 1e-7),
        passes=np.zeros(n, dtype=np.int64), split_error=np.zeros(n), design_yaml=dump_design(design),
        design_hash=design.hash, simulator="ngspice-test", options='{"gmin": 1e-15, "klu": null}', deck_hash="d" * 64,
        code_version="fgcosim test", seed=7,
    )  # fmt: skip


def _json_files(folder: Path) -> None:
    seed = {**dict.fromkeys(STAGES, 0.9), "control_curve": [0.8, 0.9], "retrained_curve": [0.7, 0.95]}
    tile = {"layer": "4x<2>", "arrays": 1, "rows": 5, "columns": 3, "cells_used": 8, "utilisation": 0.53}
    seeds = [{"seed": k, **seed} for k in (0, 1)]
    network = {"epochs": 1, "seeds": seeds, "tiles": [{**tile, "vmms_per_image": 1}]}
    signoff = {
        "images": 2, "class_agreement": 0.5, "ser_db": 50.0, "ser_pair_db": 44.0, "accuracy_spice": 0.5,
        "accuracy_surrogate": 1.0, "label": [3, 4], "spice_class": [3, 9], "surrogate_class": [3, 4], "vmms": 8,
        "energy_per_vmm_j": 7e-12, "energy_per_image_j": 2.8e-11, "time_per_vmm_s": 2.2e-7,
    }  # fmt: skip
    summary = {
        "spice": {"simulator": "ngspice-test", "klu": True, "runs": 9},
        "surrogate": {"ser_db": {"patterns": 50.1, "weights": 49.9}},
        "ideal": {"ser_db": {"one_hot": 8.0, "least_squares": 17.0}},
        "network": {"accuracy": {f"{s}{end}": x for s in STAGES for end, x in (("", 0.9), ("_std", 0.01))}},
        "wall_seconds": {"simulate": 75.0, "fit": 3.0, "total": 4000.0},
    }
    for name, content in (("network", network), ("signoff", signoff), ("summary", summary)):
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
def design(make_design: Callable[..., Design]) -> Design:
    return make_design(ROWS, COLUMNS).model_copy(update={"notes": "<script>alert(1)</script>"})


@pytest.fixture
def folder(design: Design, tmp_path: Path) -> Path:
    surrogate = _surrogate(design)
    save_surrogate(surrogate, tmp_path / "surrogate.safetensors")
    save_dataset(_data(design, surrogate), tmp_path / "data.h5")
    _json_files(tmp_path)
    return tmp_path


class _Page(HTMLParser):
    """Checks that elements nest and collects ids, references and the number of figures."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.tags: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._collect(tag, attrs)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._collect(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def _collect(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for key, value in attrs:
            if key == "id":
                self.ids.append(value or "")
            elif key.rpartition(":")[2] in ("href", "src"):
                self.references.append(value or "")


def test_report_is_one_self_contained_page(folder: Path, design: Design, engine: Ngspice) -> None:
    cells, duration = np.full((ROWS, COLUMNS), 1.0), np.linspace(0.2, 1.0, ROWS) * design.read.t_max
    record_waveforms(design, cells, duration, engine, folder / "waveforms.npz")
    path = write_report(folder)
    assert path == folder / "report.html"
    text = path.read_text(encoding="utf-8")
    page = _Page(text)
    assert page.tags.count("svg") == 8
    assert len(set(page.ids)) == len(page.ids)
    assert all(reference.startswith("#") and reference[1:] in page.ids for reference in page.references)
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert "://" not in text
    assert str(folder) not in text
    assert [p.name for p in folder.glob("*.partial")] + [p.name for p in folder.glob(".*")] == []


def test_report_shows_verdict_numbers_and_provenance(folder: Path, design: Design) -> None:
    text = write_report(folder).read_text(encoding="utf-8")
    assert "failed its cross-validation: ser_worst_column" in text
    assert design.hash in text and "ngspice-test" in text
    for shown in ("49.9", "17.0", "90.0 %", "50 %", "7 pJ", "220 ns", "1 h 6 min", "1 min 15 s"):
        assert shown in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text and "4x&lt;2&gt;" in text and "&lt;new&gt;" in text
    assert "another data set" in text  # the provenance of the fit names none
    assert "recorded no waveforms" in text


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("data.h5", "generate"),
        ("surrogate.safetensors", "fit"),
        ("network.json", "retrain"),
        ("signoff.json", "signoff"),
        ("summary.json", "run"),
    ],
)
def test_missing_file_is_named_with_its_command(folder: Path, name: str, command: str) -> None:
    (folder / name).unlink()
    with pytest.raises(InputError, match=rf"{name}: no such file: make it with 'fgcosim {command}'"):
        write_report(folder)
    assert not (folder / "report.html").exists()


def test_a_folder_without_a_run_is_told_how_to_get_one(tmp_path: Path) -> None:
    for empty in (tmp_path, tmp_path / "none"):
        with pytest.raises(InputError, match=rf"^{re.escape(str(empty))}: no run folder: .*'fgcosim run DESIGN -o "):
            write_report(empty)


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "not valid JSON"), ("[1]", "no JSON object|no entry"), ('{"images": 2}', "no entry 'class_agreement'")],
)
def test_malformed_json_is_named(folder: Path, content: str, message: str) -> None:
    (folder / "signoff.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=f"signoff.json: .*({message}).*fgcosim signoff"):
        write_report(folder)


def test_malformed_entry_is_an_input_error(folder: Path) -> None:
    network = json.loads((folder / "network.json").read_text())
    del network["seeds"][1]["retrained_curve"]
    (folder / "network.json").write_text(json.dumps(network))
    with pytest.raises(InputError, match="retrained_curve"):
        write_report(folder)


def test_surrogate_without_validation_is_refused(folder: Path, design: Design) -> None:
    surrogate = _surrogate(design)
    save_surrogate(surrogate.with_report(None), folder / "surrogate.safetensors")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="not validated: run 'fgcosim validate'"):
        write_report(folder)


@pytest.mark.parametrize("cell", ["n", "p"])
def test_recorded_waveforms_carry_the_slots(
    make_design: Callable[..., Design], engine: Ngspice, tmp_path: Path, cell: str
) -> None:
    design = make_design(4, 2, cell)
    duration = np.array([0.0, 0.5, 1.0, 0.5]) * design.read.t_max
    volts = np.full((4, 2), 1.0 if cell == "n" else 0.2)
    recorded = record_waveforms(design, volts, duration, engine, tmp_path / "waveforms.npz")
    waves = load_waveforms(tmp_path / "waveforms.npz")
    assert np.array_equal(recorded.clamp, waves.clamp)
    assert waves.driver.shape == (4, len(waves.time)) and waves.gate.shape == (4, len(waves.time))
    assert waves.slot_ends == pytest.approx(waves.pulse_start + np.array([0.5, 1.0]) * design.read.t_max)
    half_way = 0.5 * (design.v_idle + design.v_active)
    for end, row in zip(waves.slot_ends, (1, 2), strict=True):
        assert np.interp(end, waves.time, waves.driver[row]) == pytest.approx(half_way, abs=0.01)
    middle = np.searchsorted(waves.time, waves.pulse_start + 0.4 * design.read.t_max)
    assert (waves.clamp[:, middle] > 0).all()


def test_damaged_waveforms_are_named(folder: Path) -> None:
    (folder / "waveforms.npz").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(InputError, match=r"waveforms\.npz: no readable waveforms"):
        write_report(folder)


def test_numbers_for_people() -> None:
    assert si(9.213e-12, "J") == "9.21 pJ"
    assert si(999.96e-9, "s") == "1 µs"
    assert si(0.0, "V") == "0 V" and si(None, "V") == "–" and si(1.2, "V") == "1.2 V"
    assert percent(0.125) == "12.5 %" and percent(float("nan")) == "–"
    assert seconds(2.34) == "2.3 s" and seconds(75) == "1 min 15 s" and seconds(3660) == "1 h 1 min"


def test_a_run_that_ended_with_a_failed_validation_has_a_report(folder: Path) -> None:
    summary = json.loads((folder / "summary.json").read_text())
    del summary["network"]
    (folder / "summary.json").write_text(json.dumps(summary))
    for name in ("network.json", "signoff.json"):
        (folder / name).unlink()
    text = write_report(folder).read_text(encoding="utf-8")
    assert "failed its cross-validation: ser_worst_column" in text and "No network was retrained" in text
    assert "Error budget" in text and "Sign-off in SPICE" not in text


@pytest.mark.parametrize("idle", ["disconnected", "clamped"])
def test_report_of_resistive_cells_speaks_of_them(
    make_design: Callable[..., Design], tmp_path: Path, engine: Ngspice, idle: str
) -> None:
    access = {"access_resistance": "2 kohm"} if idle == "disconnected" else {}
    design = make_design(ROWS, COLUMNS, {"kind": "resistive", **access}, array={"idle": idle})
    ohms = torch.tensor([1e-3, 1e-4, 1e-4, 1e-3, 1e-2], dtype=torch.float64).log()
    zeros = torch.zeros(2, dtype=torch.float64)
    shared, kind = (torch.cat([ohms, zeros]), "switched") if access else (ohms[:4], "linear")
    state_map = StateMap(torch.tensor([0.0, 1.0, 0.0, 0.0], dtype=torch.float64), 0.0, 1.0)
    fitted = _surrogate(design)
    budget = [{"effect": "bit_line_drop", "ser_db": 9.0}]
    surrogate = replace(
        fitted, report={**(fitted.report or {}), "budget": budget}, shared=shared,
        shared_error=torch.zeros_like(shared), kind=kind, state_map=state_map,
        domain=Domain(design.read.t_edge, design.read.t_max, 0.0, 10.0, ROWS, COLUMNS),
    )  # fmt: skip
    save_surrogate(surrogate, tmp_path / "surrogate.safetensors")
    save_dataset(_data(design, surrogate), tmp_path / "data.h5")
    _json_files(tmp_path)
    duration = np.linspace(0.2, 1, ROWS) * design.read.t_max
    record_waveforms(design, np.full((ROWS, COLUMNS), 1e-7), duration, engine, tmp_path / "waveforms.npz")
    text = write_report(tmp_path).read_text(encoding="utf-8")
    page = _Page(text)
    assert "Array of resistive cells" in text and "loating" not in text and "crosstalk that" not in text
    assert {f"#{name}" for name in ("array", "waveforms", "trust")} <= set(page.references)
    assert {r.removeprefix("#") for r in page.references if r.startswith("#")} <= set(page.ids)
    figures = [int(number) for number in re.findall(r"<b>Figure (\d+)\.</b>", text)]
    assert figures == list(range(1, len(figures) + 1)) and len(figures) == page.tags.count("svg")
    assert ("access device, closed" in text) == bool(access) and "column switch" in text
    assert "network's conductances went back" in text


def test_one_seed_has_no_deviation(folder: Path) -> None:
    network = json.loads((folder / "network.json").read_text())
    assert write_report(folder).read_text(encoding="utf-8").count("over 2 seeds") == 3
    (folder / "network.json").write_text(json.dumps({**network, "seeds": network["seeds"][:1]}))
    text = write_report(folder).read_text(encoding="utf-8")
    assert text.count(">one seed") == 3 and "± 1.0 %" not in text
