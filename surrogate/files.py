"""Surrogates on disk: safetensors with a JSON header. Nothing in them is executable."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from surrogate.engine import ENGINES
from surrogate.errors import InputError
from surrogate.state_map import MAP_TERMS, StateMap
from surrogate.surrogate import Domain, Surrogate
from surrogate.tensor_file import save_tensors
from surrogate.tensor_reader import ForeignFile, read_tensors

FORMAT = "fgcosim-surrogate-1"
MAX_BYTES = 200_000_000
_PARAMETERS = {kind: [[name, list(shape)] for name, shape in e.names] for kind, e in ENGINES.items()}
_ARRAYS = ("state", "state_error", "ideal_one_hot", "ideal_least_squares")
_TENSORS = (*_ARRAYS, "covariance")


def save_surrogate(surrogate: Surrogate, path: Path) -> None:
    """Write ``surrogate`` to ``path``: beside it first, then renamed into place. Figures of its report that are not
    finite are written as null.

    Raises :class:`InputError` where :func:`load_surrogate` would not read it, ``OSError`` on a full disk.
    """
    tensors = {"shared": surrogate.shared, "shared_error": surrogate.shared_error}
    tensors.update({name: getattr(surrogate, name) for name in _TENSORS if getattr(surrogate, name) is not None})
    header = {
        "kind": surrogate.kind,
        "parameters": _PARAMETERS[surrogate.kind],
        "current_scale": surrogate.current_scale,
        "time_scale": surrogate.time_scale,
        "domain": asdict(surrogate.domain),
        "provenance": surrogate.provenance,
        "report": _finite_or_none(surrogate.report),
    }
    if surrogate.state_map is not None:
        tensors["state_map"] = surrogate.state_map.coefficients
        header["state_map"] = [surrogate.state_map.centre, surrogate.state_map.unit]
    try:
        text = json.dumps(header, allow_nan=False)
        _build(json.loads(text), tensors)
    except (LookupError, ValueError, TypeError, OverflowError) as error:
        raise InputError(f"{path}: not written: the surrogate is unusable ({str(error)[:100]}): fit it again") from None
    save_tensors(tensors, {"format": FORMAT, "header": text}, path)


def _finite_or_none(value: Any) -> Any:
    """``value`` with None for numbers that are not finite, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite_or_none(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_finite_or_none(held) for held in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def load_surrogate(path: Path) -> Surrogate:
    """Read a surrogate. Raises :class:`InputError` on missing, foreign, truncated or inconsistent files."""
    if not path.is_file():
        raise InputError(f"{path}: no such surrogate: make one with 'fgcosim fit'")
    try:
        header, tensors = read_tensors(path, FORMAT, MAX_BYTES)
        header = {"kind": "mos", **header}  # the first files did not name it
        if header["parameters"] != _PARAMETERS[header["kind"]]:
            raise InputError(f"{path}: has the parameters of another version of this program: fit it again")
        return _build(header, tensors)
    except ForeignFile:
        raise InputError(f"{path}: no surrogate of this program ({FORMAT}): make one with 'fgcosim fit'") from None
    except InputError:
        raise
    except (LookupError, ValueError, TypeError, OverflowError) as error:
        reason = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
        raise InputError(f"{path}: truncated or no surrogate ({reason}): fit it again") from None


def _build(header: dict[str, Any], tensors: dict[str, torch.Tensor]) -> Surrogate:
    domain = Domain(**header["domain"])
    _check_domain(domain)
    size = sum(math.prod(shape) for _, shape in header["parameters"])
    _check_tensors(tensors, size, (domain.rows, domain.columns))
    _check_origin(header["provenance"], header["report"])
    current_scale, time_scale = _number(header["current_scale"]), _number(header["time_scale"])
    if current_scale == 0 or time_scale <= 0:
        raise ValueError(f"scales of {current_scale:g} A and {time_scale:g} s")
    state_map = None
    if "state_map" in tensors:
        centre, unit = map(_number, header["state_map"])
        if unit == 0:
            raise ValueError("its map from voltage to state has no unit")
        state_map = StateMap(tensors["state_map"], centre, unit)
    elif "state" not in tensors:
        raise ValueError("has neither states nor a map from voltages to them")
    return Surrogate(
        shared=tensors["shared"],
        shared_error=tensors["shared_error"],
        current_scale=current_scale,
        time_scale=time_scale,
        domain=domain,
        state_map=state_map,
        **{name: tensors.get(name) for name in _TENSORS},  # type: ignore[arg-type]
        provenance=header["provenance"],
        report=header["report"],
        kind=header["kind"],
    )


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{str(value)[:40]} where a number belongs")
    return float(value)


def _check_domain(domain: Domain) -> None:
    for name, value in asdict(domain).items():
        _number(value)
        if name in ("rows", "columns") and not (isinstance(value, int) and value >= 1):
            raise ValueError(f"a domain of {str(value)[:40]} {name}")
    if not 0 <= domain.duration_min <= domain.duration_max or domain.duration_max == 0:
        raise ValueError(f"a domain of durations {domain.duration_min:g} … {domain.duration_max:g} s")
    if not domain.state_min <= domain.state_max:
        raise ValueError(f"a domain of states {domain.state_min:g} … {domain.state_max:g}")


def _check_origin(provenance: Any, report: Any) -> None:
    if not (isinstance(provenance, dict) and isinstance(report, dict | None)):
        raise ValueError("provenance or report of a wrong type")
    if _number(provenance.get("fit_relative_residual", 0)) < 0:
        raise ValueError("a fit whose residual is negative")
    for name in ("design", "design_hash", "design_yaml", "dataset_hash", "measurements_hash", "simulator"):
        if not isinstance(provenance.get(name), str | None):
            raise ValueError(f"its {name} is no text")


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
        if name.endswith("_error") and bool((tensor < 0).any()):
            raise ValueError(f"{name} holds negative values")
