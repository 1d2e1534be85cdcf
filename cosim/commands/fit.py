"""``fgcosim fit`` and ``validate``: a surrogate from SPICE runs or measurements, and the verdict on it."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from cosim.commands.arguments import require_writable
from cosim.errors import InputError
from cosim.files.dataset import load_dataset
from cosim.files.measurements import Measurements, load_measurements
from cosim.fitting.fit import fit_dataset, fit_measurements
from cosim.fitting.larger import SIZES
from cosim.fitting.validation import held_out_ser, validate_dataset, validate_measurements
from cosim.progress import Stages
from netlists.design import Levels
from netlists.designfile import parse_design
from surrogate.files import load_surrogate, save_surrogate
from surrogate.scores import decibel
from surrogate.surrogate import Surrogate


def fit(data: Path, out: Path, stages: Stages) -> bool:
    """Fit a surrogate to a data set or, for ``*.csv``, to measurements, and say how well it agrees with them."""
    require_writable(out)
    if data.suffix.lower() == ".csv":
        measurements = load_measurements(data, warn)
        size = f"{measurements.duration.shape[1]}x{measurements.charge.shape[1]}"
        with stages.stage(f"Fitting {size} unknown cells"):
            surrogate = fit_measurements(measurements, data)
        found = _agreement_with_its_own(surrogate, measurements)
    else:
        loaded = load_dataset(data)
        with stages.stage("Fitting the time-slot surrogate"):
            surrogate = fit_dataset(loaded)
        unseen = ", ".join(f"{role} {ser:.1f} dB" for role, ser in held_out_ser(surrogate, loaded).items())
        found = f"SER against unseen runs: {unseen}" if unseen else "no runs held out to compare with"
    save_surrogate(surrogate, out)
    print(f"{out}: {found}; 'fgcosim validate' stores the verdict")
    return True


def warn(line: str) -> None:
    """A warning on standard error, one line."""
    print(f"fgcosim: warning: {' '.join(line.split())}", file=sys.stderr)


def _agreement_with_its_own(surrogate: Surrogate, measured: Measurements) -> str:
    assert surrogate.state is not None
    ser = decibel(measured.charge, surrogate.extrapolated(measured.duration, surrogate.state))
    return f"SER of the fit to its own {len(measured.charge)} measurements {ser:.1f} dB, on others less"


def validate(surrogate: Path, data: Path, as_json: bool, ser: float | None) -> bool:
    """Cross-validate and store the verdict in the surrogate's file, whether it passes or not."""
    fitted = load_surrogate(surrogate)
    if data.suffix.lower() == ".csv":
        result = validate_measurements(fitted, load_measurements(data, warn), _levels(Levels(), ser))
    else:
        loaded = load_dataset(data)
        levels = parse_design(loaded.design_yaml, str(data)).levels
        result = validate_dataset(fitted, loaded, _levels(levels, ser))
        result["ser_db"] = {role: scores["ser_db"] for role, scores in result["roles"].items()}
        if fitted.report is not None and SIZES in fitted.report:
            result[SIZES] = fitted.report[SIZES]
    save_surrogate(fitted.with_report(result), surrogate)
    if as_json:
        print(json.dumps(result))
    else:
        _print_verdict(result)
    return bool(result["passed"])


def _levels(levels: Levels, ser: float | None) -> Levels:
    if ser is None:
        return levels
    if not math.isfinite(ser):
        raise InputError(f"--ser {ser:g}: give a level in dB")
    return levels.model_copy(update={"ser": ser, "ser_centred": ser, "ser_worst_column": ser})


def _print_verdict(result: dict[str, Any]) -> None:
    console = Console()
    table = Table("held-out", "SER", "centred", "worst column")
    for role, scores in result.get("roles", {"measurements": result}).items():
        figures = (scores["ser_db"], scores["ser_centred_db"], scores["ser_worst_column_db"])
        table.add_row(role, *(f"{value:.1f} dB" for value in figures))
    console.print(table)
    console.print("passed" if result["passed"] else f"failed: {', '.join(result['failed'])}")
