"""Surrogates on disk: safetensors with a JSON header. Nothing in them is executable."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from surrogate.atomic import replacing
from surrogate.engine import ENGINES
from surrogate.errors import InputError
from surrogate.state_map import MAP_TERMS, StateMap
from surrogate.surrogate import Domain, Surrogate

FORMAT = "fgcosim-surrogate-1"
MAX_BYTES = 1_000_000_000
_PARAMETERS = {kind: [[name, list(shape)] for name, shape in e.names] for kind, e in ENGINES.items()}
_ARRAYS = ("state", "state_error", "ideal_one_hot", "ideal_least_squares")
_TENSORS = (*_ARRAYS, "covariance")


def save_surrogate(surrogate: Surrogate, path: Path) -> None:
    """Write ``surrogate`` to ``path``: beside it first, then renamed into place. Raises ``OSError`` (disk full)."""
    tensors = {"shared": surrogate.shared, "shared_error": surrogate.shared_error}
    tensors.update({name: getattr(surrogate, name) for name in _TENSORS if getattr(surrogate, name) is not None})
    header = {
        "kind": surrogate.kind,
        "parameters": _PARAMETERS[surrogate.kind],
        "current_scale": surrogate.current_scale,
        "time_scale": surrogate.time_scale,
        "domain": asdict(surrogate.domain),
        "provenance": surrogate.provenance,
        "report": surrogate.report,
    }
    if surrogate.state_map is not None:
        tensors["state_map"] = surrogate.state_map.coefficients
        header["state_map"] = [surrogate.state_map.centre, surrogate.state_map.unit]
    contiguous = {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}
    try:
        with replacing(path) as temporary:
            save_file(contiguous, temporary, metadata={"format": FORMAT, "header": json.dumps(header)})
    except SafetensorError as error:
        raise OSError(f"{path}: cannot be written: {error}") from None


def load_surrogate(path: Path) -> Surrogate:
    """Read a surrogate. Raises :class:`InputError` on missing, foreign, truncated or inconsistent files."""
    if not path.is_file():
        raise InputError(f"{path}: no such surrogate: make one with 'fgcosim fit'")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path}: larger than {MAX_BYTES} bytes: not a surrogate")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise InputError(f"{path}: no surrogate of this program ({FORMAT}): make one with 'fgcosim fit'")
            header = {"kind": "mos", **json.loads(metadata["header"])}  # the first files did not name it
            if header["parameters"] != _PARAMETERS[header["kind"]]:
                raise InputError(f"{path}: has the parameters of another version of this program: fit it again")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return _build(header, tensors)
    except InputError:
        raise
    except (SafetensorError, OSError, LookupError, ValueError, TypeError, OverflowError, RecursionError) as error:
        reason = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
        raise InputError(f"{path}: truncated or no surrogate ({reason}): fit it again") from None


def _build(header: dict, tensors: dict[str, torch.Tensor]) -> Surrogate:  # type: ignore[type-arg]
    domain = Domain(**header["domain"])
    size = sum(math.prod(shape) for _, shape in header["parameters"])
    _check_tensors(tensors, size, (domain.rows, domain.columns))
    numbers = [header["current_scale"], header["time_scale"], *asdict(domain).values(), *header.get("state_map", [])]
    if not all(math.isfinite(number) for number in numbers):
        raise ValueError("its header holds values that are not finite")
    if not (isinstance(header["provenance"], dict) and isinstance(header["report"], dict | None)):
        raise ValueError("provenance or report of a wrong type")
    state_map = None
    if "state_map" in tensors:
        centre, unit = header["state_map"]
        state_map = StateMap(tensors["state_map"], float(centre), float(unit))
    return Surrogate(
        shared=tensors["shared"],
        shared_error=tensors["shared_error"],
        current_scale=float(header["current_scale"]),
        time_scale=float(header["time_scale"]),
        domain=domain,
        state_map=state_map,
        **{name: tensors.get(name) for name in _TENSORS},  # type: ignore[arg-type]
        provenance=header["provenance"],
        report=header["report"],
        kind=header["kind"],
    )


def _check_tensors(tensors: dict[str, torch.Tensor], size: int, array: tuple[int, int]) -> None:
    known = size + MAP_TERMS
    shapes = {
        "shared": (size,), "shared_error": (size,), "state_map": (MAP_TERMS,), "covariance": (known, known),
        **dict.fromkeys(_ARRAYS, array),
    }  # fmt: skip
    for name, tensor in tensors.items():
        if tensor.shape != shapes[name] or tensor.dtype != torch.float64:
            raise ValueError(f"{name} has a wrong shape or type")
        if not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"{name} holds values that are not finite")
