"""How scripts end: a status each, and one line on what was wrong."""

import pytest

from cosim.commands.scripts.status import exit_status
from cosim.errors import InputError, SimulationError
from surrogate.errors import InputError as SurrogateInputError


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InputError("a.yaml:\n  key"), 2), (SurrogateInputError("b.csv"), 2), (OSError(28, "full", "c.h5"), 2),
        (SimulationError("no convergence"), 1), (KeyboardInterrupt(), 130),
    ],
)  # fmt: skip
def test_errors_are_a_status_and_a_line(error, status, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/somewhere/study_this"])

    def job():
        raise error

    assert exit_status(job) == status
    said = capsys.readouterr().err
    assert said.startswith("study_this: ") and said.count("\n") == 1
    assert isinstance(error, KeyboardInterrupt) or " ".join(str(error).split()) in said


def test_what_succeeds_is_quiet(capsys):
    assert exit_status(lambda: None) == 0
    assert capsys.readouterr() == ("", "")


def test_other_errors_are_not_hidden():
    with pytest.raises(ZeroDivisionError):
        exit_status(lambda: print(1 / 0))
