"""Whether the artefacts of a run folder belong together: every one names the others that it was made from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from cosim.deployment.networks import read_network
from cosim.deployment.steps import NETWORK, NETWORK_REPORT, SIGN_OFF_REPORT
from cosim.errors import InputError
from cosim.files.dataset import DataSet
from cosim.files.folders import read_json
from cosim.files.provenance import network_hash, surrogate_hash
from cosim.fitting.validation import validate_dataset
from cosim.run_folder.summary import network_figures, surrogate_figures
from cosim.vmm.waveforms import load_waveforms
from netlists.design import Levels
from netlists.designfile import parse_design
from surrogate.errors import InputError as SurrogateInputError
from surrogate.files import load_surrogate
from surrogate.surrogate import Surrogate

SURROGATE, SUMMARY, REPORT, WAVEFORMS, MARKER = (
    "surrogate.safetensors", "summary.json", "report.html", "waveforms.npz", "run.json",
)  # fmt: skip

REPORT_TOLERANCE_DB = 0.01
"""How far a report computed again may differ: sums in another order, another machine's kernels."""

Content = TypeVar("Content")


def layer_folders(folder: Path) -> list[Path]:
    """The campaigns of a run's sign-off, one a layer."""
    return sorted(path.parent for path in folder.glob("signoff/layer-*/data.h5"))


def artefact_differences(folder: Path, data: DataSet, layers: Mapping[str, DataSet]) -> list[str]:
    """What in ``folder`` does not belong to its data set ``data`` or to each other, one line each.

    ``layers`` are the data sets of the sign-off by the name of their folder. Artefacts that are not there are not
    missed: a run may have been stopped.
    """
    found: list[str] = []
    base = {"design_hash": data.design_hash, "dataset_hash": data.hash}
    found += _of_design(folder, data)
    surrogate = _read(folder / SURROGATE, load_surrogate, found)
    if surrogate is not None:
        found += _said(SURROGATE, surrogate.provenance, base)
        found += _of_report(surrogate, data)
        base["surrogate_hash"] = surrogate_hash(surrogate)
    network = _read(folder / NETWORK, read_network, found)
    if network is not None:
        header, tensors = network
        found += _said(NETWORK, header, base)
        base["network_hash"] = network_hash(tensors)
    by_layer = {f"{name.replace('-', '_')}_hash": layer.hash for name, layer in layers.items()}
    retrained, signoff, summary = (
        _read(folder / name, read_json, found) for name in (NETWORK_REPORT, SIGN_OFF_REPORT, SUMMARY)
    )
    if retrained is not None:
        found += _said(NETWORK_REPORT, retrained.get("provenance"), base)
    if signoff is not None:
        found += _said(SIGN_OFF_REPORT, signoff.get("provenance"), {**base, **by_layer})
        found += _of_sign_off(signoff, layers)
    if summary is not None and surrogate is not None:
        found += _of_summary(summary, surrogate, data, retrained, signoff)
    found += _of_waveforms(folder, data)
    found += _of_page(folder, base)
    return found


def _read(path: Path, load: Callable[[Path], Content], found: list[str]) -> Content | None:
    """What ``load`` gives for ``path``; None where it is not there or, added to ``found``, unreadable."""
    if not path.exists():
        return None
    try:
        return load(path)
    except (InputError, SurrogateInputError, OSError) as error:
        found.append(str(error))
        return None


def _said(name: str, provenance: Any, expected: Mapping[str, str]) -> Iterator[str]:
    """Where ``provenance`` does not name the ``expected`` hashes."""
    for key, value in expected.items():
        said = provenance.get(key) if isinstance(provenance, dict) else None
        if said is None:
            yield f"{name}: does not say its {key}: make it again"
        elif said != value:
            yield f"{name}: its {key} is {str(said)[:12]}, that of the folder is {value[:12]}: make it again"


def _of_design(folder: Path, data: DataSet) -> Iterator[str]:
    if parse_design(data.design_yaml, "data set's design").hash != data.design_hash:
        yield "data.h5: the design in it is not the one of its design_hash: the file was altered"
    unreadable: list[str] = []
    marker = _read(folder / MARKER, read_json, unreadable)
    yield from unreadable
    if marker is not None:
        yield from _said(MARKER, marker, {"design_hash": data.design_hash})


def _of_report(surrogate: Surrogate, data: DataSet) -> Iterator[str]:
    """The cross-validation in a surrogate must be that of ``data``: it is computed again."""
    report = surrogate.report
    if report is None:
        return
    yield from _said(f"{SURROGATE}, its report", report, {"dataset_hash": data.hash})
    try:
        again = validate_dataset(surrogate, data, Levels.model_construct(**report["levels"]))
        for role, scores in again["roles"].items():
            said, is_now = float(report["roles"][role]["ser_db"]), float(scores["ser_db"])
            if not abs(said - is_now) <= REPORT_TOLERANCE_DB:
                yield f"{SURROGATE}: its report says {said:.2f} dB on unseen {role}, its data set gives {is_now:.2f} dB"
        if report["passed"] != again["passed"]:
            yield f"{SURROGATE}: its report says passed = {report['passed']}, its data set gives {again['passed']}"
    except (InputError, SurrogateInputError) as error:
        yield f"{SURROGATE}: cannot be validated again: {error}"
    except (LookupError, TypeError, ValueError):
        yield f"{SURROGATE}: its report is malformed: run 'fgcosim validate' again"


def _of_sign_off(signoff: Mapping[str, Any], layers: Mapping[str, DataSet]) -> Iterator[str]:
    if not layers:
        yield f"{SIGN_OFF_REPORT}: the data sets of its layers are missing: sign off again"
        return
    runs = sum(len(layer) for layer in layers.values())
    energy = float(np.concatenate([layer.energy for layer in layers.values()]).mean())
    for key, value in (("vmms", runs), ("energy_per_vmm_j", energy)):
        if signoff.get(key) != value:
            yield f"{SIGN_OFF_REPORT}: {key} is {signoff.get(key)}, the data sets of its layers give {value}"


def _of_summary(
    summary: Mapping[str, Any], surrogate: Surrogate, data: DataSet,
    retrained: Mapping[str, Any] | None, signoff: Mapping[str, Any] | None,
) -> Iterator[str]:  # fmt: skip
    """The summary repeats figures of the other artefacts, each to the last digit."""
    try:
        expected = surrogate_figures(data, surrogate)
        if retrained is not None and signoff is not None:
            expected["network"] = network_figures(retrained, signoff)
    except (LookupError, TypeError, AttributeError):
        yield f"{SUMMARY}: the artefacts that it sums up lack figures: make the run again"
        return
    expected["provenance"].pop("code_version")
    said = {**summary, "provenance": {**_mapping(summary.get("provenance"))}}
    said["provenance"].pop("code_version", None)
    for key, value in expected.items():
        if said.get(key) != value:
            yield f"{SUMMARY}: its entry '{key}' is not what the run's artefacts give: make the run again"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _of_waveforms(folder: Path, data: DataSet) -> Iterator[str]:
    unreadable: list[str] = []
    waves = _read(folder / WAVEFORMS, load_waveforms, unreadable)
    yield from unreadable
    if waves is None:
        return
    try:
        provenance = json.loads(waves.provenance)
    except ValueError:
        provenance = None
    yield from _said(WAVEFORMS, provenance, {"design_hash": data.design_hash})
    if not np.array_equal(waves.duration, data.duration[0]):
        yield f"{WAVEFORMS}: of other pulses than the data set's first run: record them again"


def _of_page(folder: Path, hashes: Mapping[str, str]) -> Iterator[str]:
    """The report names every hash."""
    path = folder / REPORT
    if not path.is_file():
        return
    text = path.read_text(encoding="utf-8", errors="replace")
    for key, value in hashes.items():
        if value not in text:
            yield f"{REPORT}: does not name the folder's {key}: write it again with 'fgcosim report'"
