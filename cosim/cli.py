"""The command line: every command is one public function. Exit status 0, 1 (a check failed), 2 (bad input)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cosim.commands import enlarge as enlarge_command
from cosim.commands import extract as extract_command
from cosim.commands import fit as fit_command
from cosim.commands import layout as layout_command
from cosim.commands import noise as noise_command
from cosim.commands import retrain as retrain_command
from cosim.commands import run as run_command
from cosim.commands import simulate as simulate_command
from cosim.commands import study as study_command
from cosim.commands import train as train_command
from cosim.commands import verify as verify_command
from cosim.errors import InputError, SimulationError
from cosim.fitting.larger import LargerCheck
from cosim.progress import Stages
from netlists.extraction.extract import TIMEOUT_S
from surrogate.errors import InputError as SurrogateInputError

app = typer.Typer(
    help="Circuit-level SPICE co-simulation of floating-gate analog neural networks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Design = Annotated[str, typer.Argument(help="Design file (*.yaml) or the name of a built-in design.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="File or folder to write.")]
Workers = Annotated[int | None, typer.Option(help="Parallel processes; all cores by default.", min=1)]
Scheduler = Annotated[
    str | None, typer.Option(help="Address of a Dask scheduler (tcp://HOST:PORT) whose workers do the SPICE runs.")
]
Monolithic = Annotated[bool, typer.Option("--monolithic", help="Simulate whole arrays, never blocks of columns.")]
SurrogateFile = Annotated[Path, typer.Argument(help="Surrogate (*.safetensors).")]


@app.command()
def run(
    design: Design = "default",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Run folder; runs/<design> by default.")] = None,
    seeds: Annotated[int, typer.Option(help="Networks to train.", min=1)] = 3,
    images: Annotated[int, typer.Option(help="Test images signed off in SPICE.", min=1, max=540)] = 20,
    workers: Workers = None,
    scheduler: Scheduler = None,
    monolithic: Monolithic = False,
) -> None:
    """All of it: campaign, fit, cross-validation, retraining, sign-off and report."""
    _finish(run_command.run_all(design, out, seeds, images, workers, Stages(), scheduler, monolithic))


@app.command()
def simulate(
    design: Design,
    out: Out,
    vmms: Annotated[int, typer.Option(help="Random VMMs to simulate.", min=1)] = 1,
    durations: Annotated[Path | None, typer.Option(help="CSV with header T_0,…: pulse widths in s.")] = None,
    decks: Annotated[Path | None, typer.Option(help="Folder of samples and decks (first runs, failed ones).")] = None,
    seed: Annotated[int, typer.Option(help="Seed of cells and durations.")] = 0,
    workers: Workers = None,
    scheduler: Scheduler = None,
    monolithic: Monolithic = False,
) -> None:
    """Simulate VMMs of one array with random weights in ngspice and write durations and charges as CSV."""
    stages = Stages()
    _finish(
        simulate_command.simulate_csv(design, out, vmms, durations, decks, seed, workers, stages, scheduler, monolithic)
    )


@app.command()
def generate(
    design: Design,
    out: Out,
    seed: Annotated[int, typer.Option(help="Seed of the sampling plan.")] = 0,
    workers: Workers = None,
    scheduler: Scheduler = None,
    monolithic: Monolithic = False,
) -> None:
    """Run the SPICE campaign of a cross-validated fit and write its data set (HDF5); interrupted, it goes on."""
    _finish(simulate_command.generate(design, out, seed, workers, Stages(), scheduler, monolithic))


@app.command()
def deck(
    data: Annotated[Path, typer.Argument(help="Data set (*.h5).")],
    run: Annotated[int, typer.Argument(help="Which run, from 0.")],
    out: Out,
) -> None:
    """Write the deck of one run of a data set, to open it and run it by hand."""
    _finish(simulate_command.deck(data, run, out))


@app.command()
def fit(
    data: Annotated[Path, typer.Argument(help="Data set (*.h5) or measurements (*.csv).")],
    out: Out,
) -> None:
    """Fit the time-slot surrogate to a data set or to measurements."""
    _finish(fit_command.fit(data, out, Stages()))


@app.command()
def validate(
    surrogate: SurrogateFile,
    data: Annotated[Path, typer.Argument(help="Data set (*.h5) or other measurements (*.csv) of the same array.")],
    json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
    ser: Annotated[float | None, typer.Option(help="Pass level of all SERs in dB instead of the design's.")] = None,
) -> None:
    """Cross-validate a surrogate and store the verdict in it; exit status 1 where it fails."""
    _finish(fit_command.validate(surrogate, data, json, ser))


@app.command()
def enlarge(
    surrogate: SurrogateFile,
    out: Out,
    rows: Annotated[int, typer.Option(help="Word lines of the larger array.", min=1, max=4096)],
    columns: Annotated[int, typer.Option(help="Its bit lines.", min=1, max=4096)],
    vmms: Annotated[int, typer.Option(help="Random VMMs to simulate, each of random cells.", min=2, max=1000)] = 4,
    seed: Annotated[int, typer.Option(help="Seed that draws them.", min=0)] = 0,
    workers: Workers = None,
) -> None:
    """Hold a validated surrogate against SPICE on larger arrays; where it passes it may be used for them."""
    _finish(enlarge_command.enlarge(surrogate, out, LargerCheck(rows, columns, vmms, seed=seed), workers, Stages()))


@app.command()
def retrain(
    surrogate: SurrogateFile,
    out: Out,
    seeds: Annotated[int, typer.Option(help="Networks to train.", min=1)] = 3,
    workers: Workers = None,
) -> None:
    """Retrain the digits network through a validated surrogate; writes network.safetensors and network.json."""
    _finish(retrain_command.retrain(surrogate, out, seeds, workers, Stages()))


@app.command()
def signoff(
    surrogate: SurrogateFile,
    network: Annotated[Path, typer.Argument(help="Network (*.safetensors) that 'retrain' wrote.")],
    out: Out,
    images: Annotated[int, typer.Option(help="Test images signed off in SPICE.", min=1, max=540)] = 20,
    workers: Workers = None,
    scheduler: Scheduler = None,
) -> None:
    """Run test images through a retrained network with every array VMM in ngspice; writes signoff.json."""
    _finish(retrain_command.signoff(surrogate, network, out, images, workers, Stages(), scheduler))


@app.command()
def study(
    file: Annotated[Path, typer.Argument(help="Study file (*.yaml).")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder; runs/<study> by default.")] = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
) -> None:
    """Extract, simulate, fit, validate and retrain variants of a design; interrupted, it goes on."""
    _finish(study_command.study(file, out, workers, Stages(), scheduler))


@app.command()
def report(folder: Annotated[Path, typer.Argument(help="Run folder.")]) -> None:
    """Write report.html of a run folder."""
    _finish(verify_command.report(folder))


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="Run folder.")],
    runs: Annotated[int, typer.Option(help="SPICE runs to repeat of each data set.", min=0)] = 3,
    seed: Annotated[int, typer.Option(help="Seed that draws them.")] = 0,
    ser: Annotated[float | None, typer.Option(help="Agreement in dB that suffices instead of equality.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
    workers: Workers = None,
) -> None:
    """Repeat some SPICE runs of a run folder and check that its files belong together; exit status 1 where not."""
    _finish(verify_command.verify(folder, runs, seed, ser, json, workers, Stages()))


@app.command()
def layout(
    design: Design,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File to write: .gds, .oas, .svg or .png.")
    ] = None,
    check: Annotated[
        Path | None, typer.Option(help="Layout file (GDS, OASIS) to compare with the design's array.")
    ] = None,
) -> None:
    """Draw the design's array, check the rules of its process stack and print the area per cell; check a file."""
    _finish(layout_command.layout(design, out, check))


@app.command()
def extract(
    design: Design,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File to write: .yaml (a design), .spef, .dspf, .sp or .gz.")
    ] = None,
    mode: Annotated[
        extract_command.Source, typer.Option(help="Numbers by the field solver, in closed form, or the design's own.")
    ] = "field",
    edges: Annotated[bool, typer.Option("--edges", help="Correct the cells at the edges of a netlist.")] = False,
    timeout: Annotated[float, typer.Option(help="Most seconds of the field solver.", min=1)] = TIMEOUT_S,
    check: Annotated[bool, typer.Option("--check", help="Report the netlist's health; exit status 1 if bad.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print that report as one JSON object.")] = False,
) -> None:
    """Extract wires and capacitances from the design's layout, for designs and other tools; check a netlist."""
    _finish(extract_command.extract_design(design, out, mode, Stages(), edges, check, json, timeout))


@app.command()
def noise(
    design: Design,
    since: Annotated[float, typer.Option(help="Time since the calibration, s.")] = 3600.0,
    window: Annotated[float, typer.Option(help="Time over which the calibration averaged readings, s.")] = 1.0,
    bits: Annotated[int | None, typer.Option(help="Bits of the converter; else the design's.", min=1, max=24)] = None,
    full_scale: Annotated[float, typer.Option(help="Range of the converter over a column's largest charge.")] = 1.0,
    traps: Annotated[
        tuple[float, float, float] | None,
        typer.Option(help="Telegraph noise: relative amplitude, mean times in low and high state, s."),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Compare with transients with injected noise.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="JSON file to write.")] = None,
) -> None:
    """Noise of the design's cell by ngspice's .noise, and what it costs cells and columns in charge."""
    _finish(noise_command.noise(design, since, window, bits, full_scale, traps, check, json, out, Stages()))


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="Recipe (*.yaml) or the name of a built-in one.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Run folder, runs/<recipe>-<seed> if none.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the data sets; FGCOSIM_DATA by default.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of weights, order and augmentation.", min=0, max=2**31 - 1)] = 0,
    threads: Annotated[int | None, typer.Option(help="Threads of torch.", min=1, max=1024)] = None,
    device: Annotated[str, typer.Option(help="Where to compute: cpu or cuda.")] = "cpu",
) -> None:
    """Train a software network from a recipe; interrupted or killed, the same command goes on."""
    _finish(train_command.train(recipe, out, data, seed, threads, device, Console()))


def _finish(passed: bool) -> None:
    if not passed:
        raise typer.Exit(1)


def main() -> None:
    """Entry point: errors of input and simulation become one line and an exit status."""
    try:
        app()
    except (InputError, SurrogateInputError) as error:
        _fail(str(error), 2)
    except SimulationError as error:
        _fail(str(error), 1)
    except OSError as error:
        _fail(f"{error.filename or 'file'}: {error.strerror or error}: free space or choose another place", 2)
    except KeyboardInterrupt:
        _fail("interrupted: finished runs are kept, the same command goes on", 130)


def _fail(message: str, status: int) -> None:
    print(f"fgcosim: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
