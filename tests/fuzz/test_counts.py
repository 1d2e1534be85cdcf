"""How many cases the fuzz tests run."""

import test_commands  # noqa: F401  (importing registers its tests)
import test_files  # noqa: F401
import test_functions  # noqa: F401
from fuzzing import LONG, counted


def test_the_default_run_and_the_long_run_have_enough_cases():
    """Every fuzz test fails where it runs fewer cases than it is counted with."""
    assert sum(counted.values()) >= 1_000
    assert LONG * sum(counted.values()) >= 10_000
