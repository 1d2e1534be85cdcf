"""The one error this package raises for bad input."""


class InputError(ValueError):
    """Bad input: one line that names the file, the key, the value and the remedy."""
