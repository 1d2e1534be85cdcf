"""Surrogates of a small array on larger ones, against ngspice."""

import dataclasses

import pytest

from cosim.campaigns.campaign import run_campaign
from cosim.campaigns.plan import PlanSize, standard_plan
from cosim.commands.enlarge import enlarge
from cosim.errors import InputError
from cosim.fitting.fit import fit_dataset
from cosim.fitting.larger import SIZES, LargerCheck, enlarged
from cosim.fitting.validation import validate_dataset
from cosim.progress import Stages
from cosim.vmm.programming import read_curve
from surrogate.analog import LayerSettings
from surrogate.analog.layers import Arrays
from surrogate.errors import InputError as SurrogateInputError
from surrogate.files import load_surrogate, save_surrogate
from surrogate.mapping import CurrentRange
from tests.cosim.small_run import ARRAY


@pytest.fixture(scope="module")
def design(make_design):
    return make_design(4, 4, "resistive", **ARRAY)


@pytest.fixture(scope="module")
def small(design, engine, tmp_path_factory):
    """A validated surrogate of 4x4 resistive cells."""
    plan = standard_plan(design, read_curve(design, engine), size=PlanSize(patterns=2, weights=2))
    data = run_campaign(design, plan, engine, tmp_path_factory.mktemp("campaign"), workers=1)
    surrogate = fit_dataset(data)
    return surrogate.with_report(validate_dataset(surrogate, data))


@pytest.fixture(scope="module")
def larger(small, design, engine, tmp_path_factory):
    return enlarged(small, design, LargerCheck(8, 6, vmms=2), engine, tmp_path_factory.mktemp("larger"), workers=1)


def test_arrays_of_the_checked_size_may_be_used(small, larger, design):
    settings = LayerSettings(8, 6, 8, CurrentRange(design.weights.current_min, design.weights.current_max))
    with pytest.raises(SurrogateInputError, match=r"8x6 leaves the surrogate's domain 4x4"):
        Arrays(small, settings)
    Arrays(larger, settings)
    assert (larger.domain.rows, larger.domain.columns) == (8, 6)
    found = larger.report[SIZES]["8x6"]
    assert found["passed"] and found["count"] == 2 and found["ser_db"] > 60 and found["median_cell_error"] < 1e-3


def test_a_wrong_surrogate_fails_and_keeps_its_domain(small, design, engine, tmp_path):
    wrong = dataclasses.replace(small, current_scale=1.02 * small.current_scale)
    found = enlarged(wrong, design, LargerCheck(8, 6, vmms=2), engine, tmp_path, workers=1)
    assert found.domain == small.domain
    assert found.report[SIZES]["8x6"]["failed"]
    assert found.report["passed"]


@pytest.mark.parametrize("size", [(4, 4), (3, 8), (8, 2)])
def test_sizes_that_do_not_contain_the_domain_are_refused(small, design, engine, tmp_path, size):
    with pytest.raises(InputError, match="give a larger size that contains it"):
        enlarged(small, design, LargerCheck(*size), engine, tmp_path)


def test_unvalidated_surrogates_are_refused(small, design, engine, tmp_path):
    with pytest.raises(SurrogateInputError, match="not validated"):
        enlarged(dataclasses.replace(small, report=None), design, LargerCheck(8, 8), engine, tmp_path)


def test_the_command_writes_the_larger_surrogate(small, tmp_path, capsys):
    save_surrogate(small, tmp_path / "s.safetensors")
    assert enlarge(tmp_path / "s.safetensors", tmp_path / "l.safetensors", LargerCheck(4, 6, vmms=2), 1, Stages())
    written = load_surrogate(tmp_path / "l.safetensors")
    assert (written.domain.rows, written.domain.columns) == (4, 6)
    assert "passed" in capsys.readouterr().out
    assert load_surrogate(tmp_path / "s.safetensors").domain == small.domain
