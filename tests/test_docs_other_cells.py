"""The examples of docs/other-cells.md run, and its design is one."""

import re
from pathlib import Path

import pytest
import yaml

from netlists.design import Design
from netlists.designfile import load_design

TEXT = (Path(__file__).parents[1] / "docs" / "other-cells.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("example", re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL))
def test_examples_run(example):
    exec(compile(example, "docs/other-cells.md", "exec"), {})


def test_the_sections_fit_the_built_in_design():
    (sections,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    whole = load_design("pcm").model_dump(mode="json", exclude_none=True)
    design = Design.model_validate({**whole, **yaml.safe_load(sections)})
    assert design.cell.sinh_voltage == 0.25
