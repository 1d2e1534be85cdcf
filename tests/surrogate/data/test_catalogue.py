"""Data sets by name: where their files are looked for, and how they are fetched."""

import functools
import hashlib
import http.server
import threading
import zipfile

import pytest
import torch
from data_files import write_cifar, write_mnist

from surrogate.data import catalogue, cifar10, download, mnist
from surrogate.data.catalogue import NAMES, load
from surrogate.data.images import Images
from surrogate.errors import InputError


@pytest.fixture(autouse=True)
def no_folder(monkeypatch):
    monkeypatch.delenv("FGCOSIM_DATA", raising=False)
    monkeypatch.setattr(mnist, "DEBIAN_FASHION", mnist.Path("/nowhere"))


def test_unknown_names_list_the_known_ones():
    with pytest.raises(InputError, match=r"imagenet is no data set.*cifar10"):
        load("imagenet")


@pytest.mark.parametrize("name", [name for name in NAMES if name != "digits"])
def test_without_a_folder_the_message_says_how_to_name_one(name):
    with pytest.raises(InputError, match="--data or FGCOSIM_DATA"):
        load(name)


def test_the_digits_need_no_folder():
    assert load("digits").train.pixels.shape == (1257, 64)


def test_a_folder_that_is_none_is_refused(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"--data=.*none: no such folder"):
        load("mnist", tmp_path / "none")
    monkeypatch.setenv("FGCOSIM_DATA", str(tmp_path / "other"))
    with pytest.raises(InputError, match=r"FGCOSIM_DATA=.*other"):
        load("mnist")


def test_the_environment_names_the_folder(tmp_path, monkeypatch):
    write_cifar(tmp_path / "cifar-10-batches-bin")
    monkeypatch.setattr(cifar10.read_cifar10, "__defaults__", (2,))
    monkeypatch.setenv("FGCOSIM_DATA", str(tmp_path))
    assert len(load("cifar10").train) == 10


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    """A folder and the address under which its files can be fetched."""
    folder = tmp_path / "server"
    folder.mkdir()
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{running.server_address[1]}/"
        running.shutdown()


def md5(path):
    return "md5:" + hashlib.md5(path.read_bytes()).hexdigest()


def test_missing_files_are_fetched_once_and_checked(tmp_path, server, monkeypatch):
    folder, address = server
    write_mnist(folder)
    sums = {path.name: md5(path) for path in folder.iterdir()}
    monkeypatch.setattr(download, "MNIST", download.Source(address, sums, "mnist", None, "here"))
    monkeypatch.setattr(mnist, "MNIST", mnist.IdxSet(**{**vars(mnist.MNIST), "counts": (12, 6)}))
    data = tmp_path / "data"
    data.mkdir()
    assert len(load("mnist", data).train) == 12
    for path in folder.iterdir():
        path.unlink()
    assert len(load("mnist-7x7", data).test) == 6


def test_a_wrong_checksum_is_refused_and_leaves_nothing(tmp_path, server, monkeypatch):
    folder, address = server
    write_mnist(folder)
    sums = {path.name: "md5:" + 32 * "0" for path in folder.iterdir()}
    monkeypatch.setattr(download, "MNIST", download.Source(address, sums, "mnist", None, "the publisher"))
    data = tmp_path / "data"
    data.mkdir()
    with pytest.raises(InputError, match=r"cannot be downloaded.*put the official file there \(md5:000.*the publisher"):
        load("mnist", data)
    assert not list(data.iterdir())


def test_without_a_network_one_line_says_what_to_fetch(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "CIFAR10", download.Source("http://127.0.0.1:1/", download.CIFAR10.checksums,
                                                             "cifar10", "tar", download.CIFAR10.cited))  # fmt: skip
    with pytest.raises(InputError, match=r"cifar-10-binary.tar.gz.*md5:c32a1d4a.*kriz/cifar.html") as caught:
        load("cifar10", tmp_path)
    assert "\n" not in str(caught.value)


def test_archives_are_unpacked_where_they_are_looked_for(tmp_path, server, monkeypatch):
    folder, address = server
    parts = tmp_path / "parts"
    write_mnist(parts)
    with zipfile.ZipFile(folder / "gzip.zip", "w") as archive:
        for path in parts.iterdir():
            new = path.name.replace("train-", "emnist-mnist-train-").replace("t10k-", "emnist-mnist-test-")
            archive.write(path, f"gzip/{new}")
        archive.writestr("gzip/emnist-other.gz", b"left out")
    sums = {"gzip.zip": md5(folder / "gzip.zip")}
    monkeypatch.setattr(download, "EMNIST", download.Source(address, sums, "emnist", "zip", "here"))
    kind = mnist.EMNIST["mnist"]
    monkeypatch.setitem(mnist.EMNIST, "mnist", mnist.IdxSet(**{**vars(kind), "counts": (12, 6)}))
    data = tmp_path / "data"
    data.mkdir()
    assert len(catalogue.load("emnist-mnist", data).train) == 12
    assert not list(data.rglob("emnist-other*"))


@pytest.mark.parametrize(
    ("pixels", "labels", "says"),
    [
        (torch.full((2, 3), 1.5), torch.zeros(2, dtype=torch.int64), "scale them"),
        (torch.full((2, 3), torch.nan), torch.zeros(2, dtype=torch.int64), "scale them"),
        (torch.full((2, 3), -0.1), torch.zeros(2, dtype=torch.int64), "scale them"),
        (torch.zeros(2, 3, dtype=torch.float64), torch.zeros(2, dtype=torch.int64), "float32"),
        (torch.zeros(2, 3, 4), torch.zeros(2, dtype=torch.int64), "float32"),
        (torch.zeros(2, 3), torch.zeros(3, dtype=torch.int64), "one int64 each"),
        (torch.zeros(2, 3), torch.zeros(2), "one int64 each"),
        (torch.zeros(2, 3), torch.tensor([0, 2]), "2 classes"),
        (torch.zeros(2, 3), torch.tensor([0, -1]), "2 classes"),
        (torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64), "no images"),
    ],
)
def test_images_hold_what_they_promise(pixels, labels, says):
    with pytest.raises(InputError, match=says):
        Images(pixels, labels, "bad", ("a", "b"))


def test_equal_images_have_equal_digests():
    images = Images(torch.rand(4, 1, 2, 2), torch.tensor([0, 1, 0, 1]), "some", ("a", "b"))
    assert images.digest() == Images(images.pixels.clone(), images.labels, "same", ("a", "b")).digest()
    assert images.digest() != images.flat().digest() and images.digest() != images.first(3).digest()
