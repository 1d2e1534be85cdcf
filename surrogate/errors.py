"""The error of this package for bad input."""


class InputError(ValueError):
    """Bad input: one line that names the file or argument, the value and the remedy."""
