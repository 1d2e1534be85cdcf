"""``fgcosim enlarge``: a surrogate for larger arrays, once SPICE agrees."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from cosim.commands.arguments import design_of, require_writable
from cosim.fitting.larger import SIZES, LargerCheck, enlarged
from cosim.progress import Stages
from cosim.spice.ngspice import find_ngspice
from surrogate.files import load_surrogate, save_surrogate


def enlarge(surrogate: Path, out: Path, check: LargerCheck, workers: int | None, stages: Stages) -> bool:
    """Hold ``surrogate`` against SPICE runs of arrays of another size and write it with their scores to ``out``, for
    arrays of that size where it passed. Finished runs lie beside ``out``. Raises as
    :func:`cosim.fitting.larger.enlarged`."""
    fitted = load_surrogate(surrogate)
    design = design_of(fitted, surrogate)
    require_writable(out)
    folder = out.with_name(f"{out.stem}-campaign")
    with stages.counted(f"Simulating arrays of {check.name} in ngspice") as progress:
        result = enlarged(fitted, design, check, find_ngspice(), folder, workers, progress)
    save_surrogate(result, out)
    found = (result.report or {})[SIZES][check.name]
    table = Table("array", "VMMs", "SER", "centred", "worst column", "fast engine")
    names = ("ser_db", "ser_centred_db", "ser_worst_column_db", "fast_engine_ser_db")
    table.add_row(check.name, str(found["count"]), *(f"{found[name]:.1f} dB" for name in names))
    console = Console()
    console.print(table)
    console.print("passed" if found["passed"] else f"failed: {', '.join(found['failed'])}")
    return bool(found["passed"])
