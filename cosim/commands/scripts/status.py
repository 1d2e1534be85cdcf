"""How a script ends: its exit status, and one line on what was wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from cosim.errors import InputError, SimulationError
from surrogate.errors import InputError as SurrogateInputError


def exit_status(job: Callable[[], None]) -> int:
    """Call ``job`` and return the exit status: 0, 1 (a simulation failed), 2 (bad input), 130 (interrupted)."""
    try:
        job()
    except (InputError, SurrogateInputError, OSError) as error:
        return _failed(str(error), 2)
    except SimulationError as error:
        return _failed(str(error), 1)
    except KeyboardInterrupt:
        return _failed("interrupted: what is finished is kept, the same command goes on", 130)
    return 0


def _failed(text: str, status: int) -> int:
    print(f"{Path(sys.argv[0]).name}: {' '.join(text.split())}", file=sys.stderr)
    return status
