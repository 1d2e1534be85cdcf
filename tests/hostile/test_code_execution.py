"""No file can run code or make its reader open another: tags, pickles and links are refused, and nothing happens."""

import hashlib
import io
import os
import pickle
import zipfile

import h5py
import numpy as np
import pytest
import torch
from readers import READERS, dataset, design, reader

from cosim.files.dataset import USER_BLOCK, _user_block
from netlists.designfile import dump_design, parse_design
from netlists.errors import InputError


class Canary:
    """Unpickled, it makes a folder."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.fixture
def canary(tmp_path):
    """What no reader may bring about."""
    path = tmp_path / "executed"
    yield Canary(path)
    assert not path.exists()


def test_the_canary_sings(tmp_path):
    pickle.loads(pickle.dumps(Canary(tmp_path / "executed")))
    assert (tmp_path / "executed").is_dir()


def _torch_saved(canary):
    out = io.BytesIO()
    torch.save({"shared": canary}, out)
    return out.getvalue()


def _numpy_saved(canary):
    out = io.BytesIO()
    np.save(out, np.array([canary], dtype=object), allow_pickle=True)
    return out.getvalue()


def _numpy_saved_in_eights(canary):
    """The same, of which the header promises as many bytes as are there."""
    content = pickle.dumps(canary)
    content += bytes(-len(content) % 8)
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        out, {"descr": "|O", "fortran_order": False, "shape": (len(content) // 8,)}
    )
    return out.getvalue() + content


@pytest.mark.parametrize("which", READERS, ids=lambda r: r.kind)
@pytest.mark.parametrize("make", [pickle.dumps, _torch_saved, _numpy_saved])
def test_pickles_in_place_of_any_file(which, make, canary, tmp_path):
    path = which.valid(tmp_path)
    path.write_bytes(make(canary))
    assert which.refusal(path)


@pytest.mark.parametrize("make", [_numpy_saved, _numpy_saved_in_eights])
@pytest.mark.parametrize("name", ["time", "gate_index", "pulse_start", "provenance"])
def test_pickles_inside_waveforms(name, make, canary, tmp_path):
    path = reader("waveforms").valid(tmp_path)
    with zipfile.ZipFile(path) as old:
        members = {member: old.read(member) for member in old.namelist()}
    with zipfile.ZipFile(path, "w") as new:
        for member, content in {**members, f"{name}.npy": make(canary)}.items():
            new.writestr(member, content)
    assert reader("waveforms").refusal(path)


TAGS = [
    "!!python/object/apply:os.mkdir [{path}]", "!!python/object/new:os.mkdir [{path}]", "!!python/name:os.mkdir",
    "!!python/module:os", "!!python/object:os.mkdir {{}}", "!<tag:yaml.org,2002:python/object/apply:os.mkdir> [{path}]",
    "!!python/object/apply:subprocess.Popen [[mkdir, {path}]]", "!!python/tuple [1]", "!custom {{a: 1}}", "!!bool x",
    "!!timestamp x", '!!int ""', '!!float ""', "!!binary x", "!!set {{a}}", "!!str 4", "&a 4", "*a",
]  # fmt: skip


@pytest.mark.parametrize("tag", TAGS)
def test_yaml_tags_anchors_and_aliases(tag, canary):
    text, value = dump_design(design()), tag.format(path=canary.path)
    for hostile in (
        text.replace("rows: 4", f"rows: {value}"), f"{text}x: {value}\n", f"{value}\n", f"? {value}\n: 1\n",
        f"%TAG ! tag:yaml.org,2002:python/\n---\n{text}x: !object/apply:os.mkdir [{canary.path}]\n",
    ):  # fmt: skip
        with pytest.raises(InputError, match=r"tags|anchors|YAML"):
            parse_design(hostile, "d.yaml")


def _references(file, folder):
    file.create_dataset("charge", data=np.full(dataset().charge.shape, file.ref, dtype=h5py.ref_dtype))


def _unequal_lengths(file, folder):
    file.create_dataset("charge", dataset().charge.shape, dtype=h5py.vlen_dtype(np.float64))


def _text(file, folder):
    file.create_dataset("charge", data=np.full(dataset().charge.shape, "1", dtype=object), dtype=h5py.string_dtype())


def _named_type(file, folder):
    file["charge"] = np.dtype("f8")


def _itself(file, folder):
    file["charge"] = h5py.SoftLink("/charge")


def _elsewhere(folder):
    """A file of numbers that a data set has no business with."""
    other = folder / "other.h5"
    with h5py.File(other, "w") as file:
        file["charge"] = np.full_like(dataset().charge, 7.0)
    raw = folder / "other.raw"
    raw.write_bytes(np.full_like(dataset().charge, 7.0).tobytes())
    return other, raw


def _external_link(file, folder):
    file["charge"] = h5py.ExternalLink(str(_elsewhere(folder)[0]), "charge")


def _external_storage(file, folder):
    shape = dataset().charge.shape
    file.create_dataset("charge", shape, dtype="f8", external=[(str(_elsewhere(folder)[1]), 0, h5py.h5f.UNLIMITED)])


def _virtual(file, folder):
    shape = dataset().charge.shape
    layout = h5py.VirtualLayout(shape=shape, dtype="f8")
    layout[:] = h5py.VirtualSource(str(_elsewhere(folder)[0]), "charge", shape=shape)
    file.create_virtual_dataset("charge", layout)


@pytest.mark.parametrize(
    "change",
    [_references, _unequal_lengths, _text, _named_type, _itself, _external_link, _external_storage, _virtual],
)
def test_data_sets_that_lead_elsewhere(change, tmp_path):
    path = reader("data set").valid(tmp_path)
    with h5py.File(path, "r+") as file:
        del file["charge"]
        change(file, tmp_path)
    body = path.read_bytes()[USER_BLOCK:]
    path.write_bytes(_user_block(hashlib.sha256(body).hexdigest()) + body)
    assert reader("data set").refusal(path)
