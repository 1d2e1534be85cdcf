"""Real files with bytes, keys and values altered: readers give usable values or refuse them in one line."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np
import torch
import yaml
from fuzzing import altered_array, altered_bytes, altered_tree, attempt, floats, fuzz, texts
from hypothesis import strategies as st
from readers import READERS, measured, reader, run_files, surrogate, write_run
from safetensors import safe_open
from small_designs import BASE

from cosim.files.dataset import USER_BLOCK, _user_block
from netlists.designfile import dump_design, parse_design
from surrogate.tensor_file import save_tensors

CASES = {"design": 40, "measurements": 50, "durations": 40, "data set": 10, "surrogate": 50, "measured": 20,
         "network": 3, "waveforms": 40, "raw file": 60, "sample": 50, "network.json": 4, "signoff.json": 4,
         "summary.json": 4}  # fmt: skip
"""Cases of altered bytes in the default run by kind of file; ten of a kind that is not listed."""
CHECKSUM = ("data set", "sample")
NOT_FINITE = ("raw file", "data set")
"""What may be read with numbers that are not finite: those who use it look at them."""


@cache
def _whole(kind: str) -> bytes:
    with TemporaryDirectory() as folder:
        return reader(kind).valid(Path(folder)).read_bytes()


def _read(kind: str, path: Path) -> object:
    which = reader(kind)
    return attempt(which.read, path, errors=which.errors, finite=kind not in NOT_FINITE)


def _of_altered_bytes(kind: str) -> Callable[[Path, bytes], None]:
    def one(folder: Path, content: bytes) -> None:
        path = folder / reader(kind).name
        if kind.endswith("json") and not path.exists():
            write_run(path)
        path.write_bytes(content)
        value = _read(kind, path)
        assert value is None or kind not in CHECKSUM or content == _whole(kind)

    one.__name__ = f"test_{kind.replace(' ', '_').replace('.', '_')}_of_altered_bytes"
    return one


for _which in READERS:
    _one = _of_altered_bytes(_which.kind)
    _strategy = st.deferred(lambda kind=_which.kind: altered_bytes(_whole(kind)))  # type: ignore[misc]
    globals()[_one.__name__] = fuzz(CASES.get(_which.kind, 10), _strategy)(_one)


@fuzz(60, altered_tree({**BASE, "levels": {"ser": "45 dB", "median_cell_error": 0.02}}))
def test_designs_of_altered_keys_and_values(folder, tree):
    """What is accepted is written and read again to the same design."""
    given = attempt(parse_design, yaml.safe_dump(tree, allow_unicode=True), "d.yaml")
    if given is not None:
        assert parse_design(dump_design(given), "again") == given
        assert 0 < given.read.t_edge <= given.read.t_max and given.array.rows >= 1


@st.composite
def _tables(draw):
    rows, columns, n = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(0, 4))
    header = [f"T_{k}" for k in range(rows)] + [f"Q_{k}" for k in range(columns)]
    cell = floats.map(repr) | texts.filter(lambda t: "\ud800" not in t) | st.floats(0, 1e-6).map(repr)
    lines = [draw(st.permutations(header)) if draw(st.integers(0, 9)) == 0 else header]
    lines += [draw(st.lists(cell, min_size=rows + columns, max_size=rows + columns)) for _ in range(n)]
    ends, quoted = draw(st.sampled_from(["\n", "\r\n", "\r", "\n\n"])), draw(st.booleans())
    return ends.join(",".join(f'"{x}"' if quoted else x for x in line) for line in lines)


@fuzz(40, _tables())
def test_tables_of_strange_numbers(folder, text):
    """Measurements of finite numbers, durations not negative."""
    path = folder / "m.csv"
    path.write_bytes(text.encode())
    data = _read("measurements", path)
    assert data is None or ((data.duration >= 0).all() and len(data.duration) == len(data.charge) > 0)


@cache
def _parts(kind: str) -> tuple[dict, dict]:
    with TemporaryDirectory() as folder, safe_open(reader(kind).valid(Path(folder)), framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return {**metadata, "header": json.loads(metadata["header"])}, tensors


def _save(path: Path, metadata: dict, tensors: dict) -> bool:
    """False where no safetensors file can hold that."""
    try:
        text = {key: value if isinstance(value, str) else json.dumps(value) for key, value in metadata.items()}
        save_tensors(tensors, text, path)
    except (TypeError, ValueError, KeyError, AttributeError):  # the library's own refusals
        return False
    return True


def _tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array.astype("f8") if array.dtype.kind in "SU>" else array))


@fuzz(50, st.deferred(lambda: altered_tree(_parts("surrogate")[0])))
def test_surrogates_of_altered_headers(folder, metadata):
    """What is read gives finite charges within its domain, or says why not."""
    _use(folder, "surrogate", metadata, _parts("surrogate")[1])


@fuzz(20, st.deferred(lambda: altered_tree(_parts("measured")[0])))
def test_measured_surrogates_of_altered_headers(folder, metadata):
    """As programmed ones."""
    _use(folder, "measured", metadata, _parts("measured")[1])


@st.composite
def _tensors(draw, kind):
    tensors = dict(_parts(kind)[1])
    name = draw(st.sampled_from(sorted(tensors)))
    array = draw(altered_array(tensors[name].numpy()))
    if array.dtype.str not in (">f8", "|S8", "<U8"):
        tensors[name] = _tensor(array)
    return tensors


@fuzz(40, st.deferred(lambda: _tensors("surrogate")))
def test_surrogates_of_altered_tensors(folder, tensors):
    """As of altered headers."""
    _use(folder, "surrogate", _parts("surrogate")[0], tensors)


@fuzz(20, st.deferred(lambda: _tensors("measured")))
def test_measured_surrogates_of_altered_tensors(folder, tensors):
    """As programmed ones."""
    _use(folder, "measured", _parts("measured")[0], tensors)


def _use(folder, kind, metadata, tensors):
    path = folder / reader(kind).name
    if not _save(path, metadata, tensors):
        return
    given = _read(kind, path)
    if given is None:
        return
    attempt(given.require_passed)
    state = given.state if given.state is not None else attempt(given.states, np.full((4, 2), 0.5))
    if state is not None:
        attempt(given.charge, np.full((2, 4), given.domain.duration_max), state)
        attempt(given.charge_sigma, np.full((1, 4), given.domain.duration_min), state)


@fuzz(4, st.deferred(lambda: _tensors("network")))
def test_networks_of_altered_tensors(folder, tensors):
    """What is read gives finite outputs."""
    path = folder / "n.safetensors"
    if _save(path, _parts("network")[0], tensors):
        network = _read("network", path)
        if network is not None:
            attempt(lambda: network(torch.zeros(1, 64)).detach())


@cache
def _members(kind: str) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(_whole(kind))) as file:
        return {name: file[name] for name in file.files}


@st.composite
def _archives(draw):
    arrays = dict(_members("waveforms"))
    name = draw(st.sampled_from(sorted(arrays)))
    if arrays[name].dtype.kind == "U" or draw(st.integers(0, 6)) == 0:
        arrays.pop(name)
    else:
        arrays[name] = draw(altered_array(arrays[name]))
    return arrays


@fuzz(30, st.deferred(_archives))
def test_waveforms_of_altered_arrays(folder, arrays):
    """What is read fits together."""
    path = folder / "waveforms.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, array)
    waves = _read("waveforms", path)
    assert waves is None or waves.driver.shape[1] == waves.clamp.shape[1] == len(waves.time)


NAMES = ("duration", "fg_voltage", "weights_index", "charge", "slot/sample", "slot/active", "slot/current", "energy",
         "attempt", "floating_gate_return", "role")  # fmt: skip


@st.composite
def _entries(draw):
    name = draw(st.sampled_from(NAMES))
    with h5py.File(io.BytesIO(_whole("data set"))) as file:
        array = file[name][()]
    if name == "role":
        return name, draw(st.sampled_from([array[:-1], array[:0], array.astype("S4"), array.reshape(-1, 1), b"fit"]))
    array = draw(altered_array(array))
    return name, array if array.dtype.kind != "U" else array.astype("S8")


@fuzz(20, st.deferred(_entries))
def test_data_sets_of_altered_arrays(folder, entry):
    """Signed again: what is read has indices within its arrays."""
    path, (name, array) = folder / "data.h5", entry
    path.write_bytes(_whole("data set"))
    with h5py.File(path, "r+") as file:
        del file[name]
        file[name] = array
    body = path.read_bytes()[USER_BLOCK:]
    path.write_bytes(_user_block(hashlib.sha256(body).hexdigest()) + body)
    data = _read("data set", path)
    if data is not None:
        assert data.cells[data.weights_index].shape[1:] == data.cells.shape[1:]
        assert len(data.role) == len(data.duration) == len(data.charge)


def _of_altered_json(name: str) -> Callable[[Path, object], None]:
    def one(folder: Path, tree: object) -> None:
        path = folder / name
        if not (folder / "data.h5").exists():
            write_run(path)
        path.write_text(json.dumps(tree), encoding="utf-8")
        _read(name, path)

    one.__name__ = f"test_{name.replace('.', '_')}_of_altered_entries"
    return one


for _name in run_files():
    _one = _of_altered_json(_name)
    globals()[_one.__name__] = fuzz(5, altered_tree(run_files()[_name]))(_one)


def test_the_files_that_are_altered_are_read_as_they_are(tmp_path):
    for which in READERS:
        (tmp_path / which.kind).mkdir()
        assert _read(which.kind, which.valid(tmp_path / which.kind)) is not None
    assert surrogate().state_map is not None and measured().state is not None
