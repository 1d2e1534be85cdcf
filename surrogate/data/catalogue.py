"""Every data set by its name."""

from __future__ import annotations

from pathlib import Path

from surrogate.data import cifar10, download, mnist
from surrogate.data.digits import digits
from surrogate.data.folder import VARIABLE, data_folder
from surrogate.data.images import DataSet
from surrogate.errors import InputError

LOW_RESOLUTION = {
    "mnist-14x14": ("mnist", 14), "mnist-7x7": ("mnist", 7), "emnist-balanced-14x14": ("emnist-balanced", 14),
    "fashion-mnist-14x14": ("fashion-mnist", 14),
}  # fmt: skip
"""Data sets of which others are averages over equal areas, and the side of the images."""
NAMES = (
    "digits", "mnist", *LOW_RESOLUTION, "fashion-mnist", *(f"emnist-{split}" for split in mnist.EMNIST), "cifar10",
)  # fmt: skip


def load(name: str, folder: Path | None = None) -> DataSet:
    """Training and test images of the data set ``name`` (one of :data:`NAMES`).

    Its official files are looked for in ``folder``, else in the folder that ``FGCOSIM_DATA`` names, and downloaded
    there where they are missing and a network allows it; ``digits`` needs none. ``folder`` holds all data sets or the
    files themselves; MNIST's are refused as Fashion-MNIST's, which have the same names, and these as MNIST's. Names
    that end in ``-14x14`` and ``-7x7`` are averages over areas of 2×2 and 4×4 pixels. Raises :class:`InputError`.
    """
    if name == "digits":
        return digits()
    if name in LOW_RESOLUTION:
        whole, side = LOW_RESOLUTION[name]
        return mnist.downsampled(load(whole, folder), side)
    if name == "mnist":
        return _idx(mnist.MNIST, download.MNIST, folder)
    if name == "fashion-mnist":
        return _fashion(folder)
    if name.startswith("emnist-") and (kind := mnist.EMNIST.get(name.removeprefix("emnist-"))):
        return _idx(kind, download.EMNIST, folder, [f"gzip/{x}.gz" for x in (*kind.train, *kind.test)])
    if name == cifar10.NAME:
        return _cifar10(folder)
    raise InputError(f"data: {name[:40]} is no data set: choose one of {', '.join(NAMES)}")


def _idx(kind: mnist.IdxSet, source: download.Source, given: Path | None, members: list[str] | None = None) -> DataSet:
    folder = _required(data_folder(given), kind.name)
    if not mnist.present(kind, folder):
        download.fetch(source, folder, members)
    return mnist.read_idx_set(kind, folder)


def _fashion(given: Path | None) -> DataSet:
    folder, kind = data_folder(given), mnist.FASHION
    if not (folder and mnist.present(kind, folder)) and mnist.present(kind, mnist.DEBIAN_FASHION):
        folder = mnist.DEBIAN_FASHION
    return _idx(kind, download.FASHION, folder)


def _cifar10(given: Path | None) -> DataSet:
    folder = _required(data_folder(given), cifar10.NAME)
    places = [folder / cifar10.FOLDER, folder / cifar10.NAME / cifar10.FOLDER, folder / cifar10.NAME, folder]
    for place in places:
        if (place / cifar10.TEST[0]).is_file():
            return cifar10.read_cifar10(place)
    members = [f"{cifar10.FOLDER}/{name}" for name in (*cifar10.TRAIN, *cifar10.TEST)]
    download.fetch(download.CIFAR10, folder, members)
    return cifar10.read_cifar10(folder / cifar10.NAME / cifar10.FOLDER)


def _required(folder: Path | None, name: str) -> Path:
    if folder is None:
        raise InputError(f"data: {name} needs its files: name their folder with --data or {VARIABLE}")
    return folder
