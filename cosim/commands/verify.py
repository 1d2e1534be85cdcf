"""``fgcosim report`` and ``verify``: the page of a run folder, and whether the folder is what it says it is."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from cosim.progress import Stages
from cosim.run_folder.report import write_report
from cosim.run_folder.verify import Verification, verify_run


def report(folder: Path) -> bool:
    """Write ``report.html`` of a run folder."""
    print(write_report(folder))
    return True


def verify(
    folder: Path, runs: int, seed: int, ser: float | None, as_json: bool, workers: int | None, stages: Stages
) -> bool:
    """Repeat some SPICE runs of a run folder and check that its artefacts belong together."""
    with stages.counted("Repeating SPICE runs") as progress:
        result = verify_run(folder, runs, seed, workers, ser, progress)
    if as_json:
        print(json.dumps(result.as_dict()))
    else:
        _print_verification(result)
    return result.passed


def _print_verification(result: Verification) -> None:
    console = Console(highlight=False, soft_wrap=True)
    table = Table("data set", "repeated", "equal", "agreement", box=None)
    for name in dict.fromkeys(r.data for r in result.repetitions):
        some = [r for r in result.repetitions if r.data == name]
        least = min(r.ser_db for r in some)
        table.add_row(name, str(len(some)), str(sum(r.equal for r in some)), f"{least:.1f} dB")
    console.print(table)
    console.print(f"repeated with {result.simulator}; {result.samples} sample files compared", markup=False)
    for line in result.notes:
        console.print(f"note: {line}", markup=False)
    for line in result.differences:
        console.print(f"differs: {line}", markup=False)
    console.print("verified" if result.passed else f"failed: {len(result.differences)} differences")
