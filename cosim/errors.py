"""Errors of this package."""


class InputError(ValueError):
    """Bad input: one line that names the file, the key, the value and the remedy."""


class SimulationError(RuntimeError):
    """A circuit that ngspice could not simulate with any option of the ladder; names the deck that was kept."""
