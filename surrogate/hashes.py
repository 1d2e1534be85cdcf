"""Hashes of what decides results: surrogates and the tensors of networks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict

import torch
from torch import Tensor

from surrogate.surrogate import Surrogate


def surrogate_hash(surrogate: Surrogate) -> str:
    """SHA-256 over what decides a surrogate's charges: neither errors nor report."""
    tensors = {"shared": surrogate.shared}
    numbers = [surrogate.kind, surrogate.current_scale, surrogate.time_scale, asdict(surrogate.domain)]
    if surrogate.state_map is not None:
        tensors["state_map"] = surrogate.state_map.coefficients
        numbers += [surrogate.state_map.centre, surrogate.state_map.unit]
    if surrogate.state is not None:
        tensors["state"] = surrogate.state
    return _tensor_hash(tensors, json.dumps(numbers))


def network_hash(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over all weights, biases, gains and offsets: the ``state_dict`` of a network, on any device."""
    return _tensor_hash(tensors)


def _tensor_hash(tensors: Mapping[str, Tensor], text: str = "") -> str:
    digest = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
