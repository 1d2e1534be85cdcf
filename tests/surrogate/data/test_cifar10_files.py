"""CIFAR-10's binary batches, from small files in their format."""

import pytest
import torch
from data_files import write_cifar

from surrogate.data.cifar10 import read_cifar10
from surrogate.errors import InputError


def test_records_are_read_in_order_channel_first(tmp_path):
    records = write_cifar(tmp_path)
    train, test = read_cifar10(tmp_path, per_batch=2)
    assert train.pixels.shape == (10, 3, 32, 32) and test.pixels.shape == (2, 3, 32, 32)
    assert torch.equal(train.labels, records[:10, 0].long()) and torch.equal(test.labels, records[10:, 0].long())
    red, green, blue = train.pixels[0]
    assert float(red[0, 1]) == pytest.approx(int(records[0, 2]) / 255)
    assert float(green[0, 0]) == pytest.approx(int(records[0, 1 + 1024]) / 255)
    assert float(blue[1, 0]) == pytest.approx(int(records[0, 1 + 2048 + 32]) / 255)


def test_a_missing_batch_is_named(tmp_path):
    write_cifar(tmp_path)
    (tmp_path / "data_batch_3.bin").unlink()
    with pytest.raises(InputError, match=r"data_batch_3.bin: missing"):
        read_cifar10(tmp_path, per_batch=2)


@pytest.mark.parametrize("change", [-1, 1, 3073])
def test_batches_of_another_length_are_refused_unread(tmp_path, change):
    write_cifar(tmp_path)
    path = tmp_path / "data_batch_2.bin"
    path.write_bytes((path.read_bytes() + bytes(max(change, 0)))[: 6146 + change])
    with pytest.raises(InputError, match=f"data_batch_2.bin: {6146 + change} bytes instead of 6146"):
        read_cifar10(tmp_path, per_batch=2)


def test_labels_beyond_9_are_refused(tmp_path):
    write_cifar(tmp_path)
    path = tmp_path / "test_batch.bin"
    content = bytearray(path.read_bytes())
    content[3073] = 10
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"test_batch.bin: label 10, but 10 classes"):
        read_cifar10(tmp_path, per_batch=2)
