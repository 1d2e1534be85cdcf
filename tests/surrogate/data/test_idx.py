"""IDX files, sound and hostile."""

import gzip
import struct
import tracemalloc

import pytest
import torch
from data_files import idx_bytes, random_bytes, write
from hypothesis import given
from hypothesis import strategies as st

from surrogate.data.idx import read_idx
from surrogate.errors import InputError

ITEMS = random_bytes(5, 4, 3)
CONTENT = idx_bytes(ITEMS)


@pytest.mark.parametrize("name", ["a", "a.gz"])
def test_what_was_written_is_read(tmp_path, name):
    assert torch.equal(read_idx(write(tmp_path / name, CONTENT), (4, 3)), ITEMS)
    labels = random_bytes(7)
    assert torch.equal(read_idx(write(tmp_path / f"labels-{name}", idx_bytes(labels)), ()), labels)


@pytest.mark.parametrize("name", ["a", "a.gz"])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "only 0 bytes"),
        (CONTENT[:10], "only 10 bytes"),
        (CONTENT[:-1], "bytes"),
        (CONTENT + b"x", "bytes"),
        (idx_bytes(ITEMS, magic=0x0D03), "magic number 0x00000d03 instead of 0x00000803"),
        (idx_bytes(ITEMS, magic=0x0801), "magic number"),
        (idx_bytes(ITEMS.transpose(1, 2)), "items of 3x4 instead of 4x3"),
        (struct.pack(">4I", 0x0803, 0, 4, 3), "0 items"),
        (struct.pack(">4I", 0x0803, 2**32 - 1, 4, 3), "4294967295 items"),
        (struct.pack(">4I", 0x0803, 5, 2**31, 2**31), "items of"),
    ],
)
def test_hostile_files_are_refused_in_one_line_with_their_name(tmp_path, name, content, says):
    path = write(tmp_path / name, content)
    with pytest.raises(InputError, match=says) as caught:
        read_idx(path, (4, 3))
    assert str(path) in str(caught.value) and "\n" not in str(caught.value) and "again" in str(caught.value)


@pytest.mark.parametrize("keep", [5, 12, 25, -9, -4, -1])
def test_truncated_gzip_is_refused(tmp_path, keep):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(CONTENT)[:keep])
    with pytest.raises(InputError, match=r"truncated|only"):
        read_idx(path, (4, 3))


def test_a_gzip_whose_sum_is_wrong_is_refused(tmp_path):
    content = bytearray(gzip.compress(CONTENT))
    content[-6] ^= 1
    (tmp_path / "a.gz").write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        read_idx(tmp_path / "a.gz", (4, 3))


def test_a_bomb_takes_no_memory(tmp_path):
    """A gzip stream of 200 MB behind a header that promises 60 bytes."""
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(CONTENT + bytes(200_000_000), compresslevel=1))
    path.write_bytes(path.read_bytes())
    tracemalloc.start()
    with pytest.raises(InputError, match="more"):
        read_idx(path, (4, 3))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


def test_a_promise_of_a_gigabyte_takes_no_memory(tmp_path):
    path = write(tmp_path / "a", struct.pack(">4I", 0x0803, 1_000_000, 28, 28) + bytes(1000))
    tracemalloc.start()
    with pytest.raises(InputError, match="1016 bytes instead of 784000016"):
        read_idx(path, (28, 28))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


@given(st.binary(max_size=120), st.booleans())
def test_no_bytes_whatever_raise_another_error(tmp_path_factory, content, zipped):
    path = write(tmp_path_factory.mktemp("any") / ("a.gz" if zipped else "a"), content)
    with pytest.raises(InputError):
        read_idx(path, (4, 3))
    raw = tmp_path_factory.mktemp("raw") / "a.gz"
    raw.write_bytes(content)
    with pytest.raises(InputError):
        read_idx(raw, (4, 3))
