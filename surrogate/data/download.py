"""Official files from their official places, each with the checksum that its publisher or torchvision states."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from surrogate.errors import InputError


@dataclass(frozen=True)
class Source:
    """Files of a data set: address, their checksums (``md5:…``), the folder they go to, and how they are unpacked.

    ``unpack`` is None, ``zip`` or ``tar``; ``cited`` says where the checksums are published.
    """

    address: str
    checksums: dict[str, str]
    place: str
    unpack: str | None
    cited: str


MNIST = Source(
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    {
        "train-images-idx3-ubyte.gz": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "md5:d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "md5:9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "md5:ec29112dd5afa0611ce80d1b7f02629c",
    },
    "mnist", None, "torchvision.datasets.MNIST",
)  # fmt: skip
FASHION = Source(
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    {
        "train-images-idx3-ubyte.gz": "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "md5:25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "md5:bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "md5:bb300cfdad3c16e7a12a480ee83cd310",
    },
    "fashion-mnist", None, "README of github.com/zalandoresearch/fashion-mnist",
)  # fmt: skip
EMNIST = Source(
    "https://biometrics.nist.gov/cs_links/EMNIST/",
    {"gzip.zip": "md5:58c8d27c78d21e728a6bc7b3cc06412e"},
    "emnist", "zip", "torchvision.datasets.EMNIST",
)  # fmt: skip
CIFAR10 = Source(
    "https://www.cs.toronto.edu/~kriz/",
    {"cifar-10-binary.tar.gz": "md5:c32a1d4ab5d03f1284b67883e8d87530"},
    "cifar10", "tar", "https://www.cs.toronto.edu/~kriz/cifar.html",
)  # fmt: skip


def fetch(source: Source, folder: Path, members: list[str] | None = None) -> None:
    """Download ``source`` into its place in ``folder`` and check it; of an archive ``members`` alone are unpacked.

    Raises :class:`InputError` with one line where the network or the checksum does not allow it.
    """
    import pooch  # here, as it loads an HTTP client that nothing else needs

    pooch.get_logger().setLevel(logging.ERROR)
    place = folder / source.place
    for name, checksum in source.checksums.items():
        unpack = {"zip": pooch.Unzip, "tar": pooch.Untar, None: None}[source.unpack]
        processor = unpack(members=members, extract_dir=".") if unpack else None
        address = source.address + name
        try:
            pooch.retrieve(address, checksum, fname=name, path=place, processor=processor)
        except (OSError, ValueError) as error:  # requests' errors are OSErrors, a wrong checksum a ValueError
            if place.is_dir() and not any(place.iterdir()):
                place.rmdir()
            reason = " ".join(str(error).split())[:120]
            raise InputError(f"{place / name}: cannot be downloaded from {address} ({reason}): put the official file "
                             f"there ({checksum}, {source.cited})") from None  # fmt: skip
