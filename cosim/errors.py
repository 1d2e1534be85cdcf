"""Errors of this package; bad input is the same error as in ``netlists``."""

from netlists.errors import InputError

__all__ = ["InputError", "SimulationError"]


class SimulationError(RuntimeError):
    """A circuit that ngspice could not simulate with any option of the ladder; names the deck that was kept."""
