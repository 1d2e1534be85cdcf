"""MNIST, Fashion-MNIST and EMNIST: pairs of IDX files of 28×28 grey images and their labels.

The files of MNIST and Fashion-MNIST have the same names, numbers and sizes. Which of them lies in a folder, whatever
its name, is told by the first labels, and the other is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from surrogate.data.bounded import REMEDY
from surrogate.data.folder import find
from surrogate.data.idx import read_idx
from surrogate.data.images import DataSet, Images, from_bytes
from surrogate.errors import InputError

SIDE = 28


@dataclass(frozen=True)
class IdxSet:
    """A data set of IDX files: names of its four files without ``.gz``, its classes, the folders it may lie in.

    ``first_label`` is the label of the first class, ``transposed`` whether the files hold the images by columns,
    ``counts`` the official numbers of training and test images, ``begins`` the first training and test labels where
    other sets have files of the same names.
    """

    name: str
    train: tuple[str, str]
    test: tuple[str, str]
    classes: tuple[str, ...]
    places: tuple[str, ...]
    counts: tuple[int, int]
    first_label: int = 0
    transposed: bool = False
    begins: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())

    @property
    def files(self) -> tuple[str, ...]:
        """Names of all its files without ``.gz``."""
        return (*self.train, *self.test)


_DIGITS = tuple("0123456789")
_PLAIN = (("train-images-idx3-ubyte", "train-labels-idx1-ubyte"), ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"))
MNIST = IdxSet(
    "mnist", *_PLAIN, _DIGITS, ("mnist", "MNIST/raw", "MNIST", "."), (60_000, 10_000),
    begins=((5, 0, 4, 1, 9, 2, 1, 3, 1, 4), (7, 2, 1, 0, 4, 1, 4, 9, 5, 9)),
)  # fmt: skip
FASHION = IdxSet(
    "fashion-mnist", *_PLAIN,
    ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ("fashion-mnist", "fashion_mnist", "FashionMNIST/raw", "."), (60_000, 10_000),
    begins=((9, 0, 0, 3, 0, 2, 7, 2, 5, 5), (9, 2, 1, 1, 6, 1, 4, 6, 5, 7)),
)  # fmt: skip
DEBIAN_FASHION = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist puts its files."""

_UPPER, _LOWER = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), tuple("abcdefghijklmnopqrstuvwxyz")
_UNMERGED = tuple("abdefghnqrt")
"""Small letters that EMNIST's merged splits keep apart from their capitals (Cohen et al., arXiv:1702.05373)."""
_EMNIST = {
    "byclass": (_DIGITS + _UPPER + _LOWER, 0, (697_932, 116_323)),
    "bymerge": (_DIGITS + _UPPER + _UNMERGED, 0, (697_932, 116_323)),
    "balanced": (_DIGITS + _UPPER + _UNMERGED, 0, (112_800, 18_800)),
    "letters": (_UPPER, 1, (124_800, 20_800)),
    "digits": (_DIGITS, 0, (240_000, 40_000)),
    "mnist": (_DIGITS, 0, (60_000, 10_000)),
}
EMNIST = {
    split: IdxSet(
        f"emnist-{split}",
        (f"emnist-{split}-train-images-idx3-ubyte", f"emnist-{split}-train-labels-idx1-ubyte"),
        (f"emnist-{split}-test-images-idx3-ubyte", f"emnist-{split}-test-labels-idx1-ubyte"),
        classes, ("emnist", "emnist/gzip", "EMNIST/raw", "gzip", "."), counts, first, transposed=True,
    )
    for split, (classes, first, counts) in _EMNIST.items()
}  # fmt: skip


def present(kind: IdxSet, folder: Path) -> bool:
    """Whether all four files of ``kind`` lie in one of its places in ``folder``."""
    place = _place(kind, folder)
    return all(find(place, name) for name in kind.files)


def _place(kind: IdxSet, folder: Path) -> Path:
    """The place with most of the files, which come from one: images and labels of two need not belong together."""
    return max((folder / place for place in kind.places), key=lambda x: sum(bool(find(x, name)) for name in kind.files))


def read_idx_set(kind: IdxSet, folder: Path, counts: tuple[int, int] | None = None) -> DataSet:
    """Training and test images [n, 1, 28, 28] of ``kind``, found in ``folder``; EMNIST's are turned upright.

    ``counts`` of images are expected, the official ones by default. Raises :class:`InputError` on missing or
    damaged files, on images and labels of different numbers, on labels that are none of the classes and on files of
    another set.
    """
    place = _place(kind, folder)
    train, test = counts or kind.counts
    return DataSet(
        _part(kind, place, kind.train, kind.begins[0], "train", train),
        _part(kind, place, kind.test, kind.begins[1], "test", test),
    )


def _part(kind: IdxSet, place: Path, names: Sequence[str], begins: tuple[int, ...], part: str, count: int) -> Images:
    images, labels = (_existing(kind, place, name) for name in names)
    pixels = _counted(read_idx(images, (SIDE, SIDE)), images, count)
    numbers = _counted(read_idx(labels, ()), labels, count)
    low, high = kind.first_label, kind.first_label + len(kind.classes) - 1
    least, most = numbers.aminmax()
    if least < low or most > high:
        raise InputError(f"{labels}: labels from {least} to {most} instead of {low} to {high}: {REMEDY}")
    if (found := numbers[: len(begins)].tolist()) != [*begins[:count]]:
        raise InputError(f"{labels}: labels {_row(found)} … instead of {_row(begins)} …: another data set than "
                         f"{kind.name}: put its own files into a folder {kind.places[0]}")  # fmt: skip
    upright = pixels.transpose(1, 2) if kind.transposed else pixels
    return from_bytes(upright[:, None], numbers - low, f"{kind.name} {part}", kind.classes)


def _counted(items: Tensor, path: Path, count: int) -> Tensor:
    if len(items) != count:
        raise InputError(f"{path}: {len(items)} items instead of {count}: {REMEDY}")
    return items


def _existing(kind: IdxSet, place: Path, name: str) -> Path:
    path = find(place, name)
    if path is None:
        raise InputError(f"{place}: no {name} or {name}.gz there: put the official files of {kind.name} into it")
    return path


def _row(numbers: Sequence[int]) -> str:
    return " ".join(map(str, numbers))


def downsampled(data: DataSet, side: int) -> DataSet:
    """The images of ``data`` at ``side`` × ``side`` pixels, each the mean of the area it covers.

    Raises :class:`InputError` where ``side`` does not divide the images' side.
    """
    return DataSet(_smaller(data.train, side), _smaller(data.test, side))


def _smaller(images: Images, side: int) -> Images:
    height, width = images.pixels.shape[-2:]
    if images.pixels.ndim != 4 or height != width or side < 1 or height % side:
        raise InputError(f"{images.name}: {height}x{width} pixels give no {side}x{side} equal areas: choose a divisor")
    pixels = torch.nn.functional.avg_pool2d(images.pixels, height // side).clamp(0, 1)
    return Images(pixels, images.labels, f"{images.name} {side}x{side}", images.classes)
