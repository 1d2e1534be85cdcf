"""Safetensors files of which two equal ones are equal in every byte."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from surrogate.atomic import replacing

ALIGNMENT = 8
"""The tensors begin at a multiple of this many bytes."""


def save_tensors(tensors: Mapping[str, Tensor], metadata: Mapping[str, str], path: Path) -> None:
    """Write ``tensors`` and ``metadata`` to ``path``: beside it first, then renamed into place.

    The library writes its metadata in an order that changes from call to call: here it is sorted. Raises ``OSError``
    (disk full).
    """
    image = save({name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}, dict(metadata))
    size = int.from_bytes(image[:8], "little")
    header = json.dumps(json.loads(image[8 : 8 + size]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % ALIGNMENT)
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(len(header).to_bytes(8, "little"))
        file.write(header)
        file.write(memoryview(image)[8 + size :])
