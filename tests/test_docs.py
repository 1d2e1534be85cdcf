"""Every example of the guides runs, in the order of the page and of the guides."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cosim.files.measurements import save_measurements
from cosim.spice.ngspice import find_ngspice

DOCS = Path(__file__).resolve().parents[1] / "docs"
GUIDES = (
    "designers.md", "layout.md", "parasitics.md", "training-data.md", "studies.md", "networks.md", "design-space.md",
    "noise.md", "other-cells.md", "low-resolution.md",
)  # fmt: skip
BLOCK = re.compile(r"```(bash|python)\n(.*?)```", re.DOTALL)


def test_guides_name_only_existing_files() -> None:
    for page in (*DOCS.glob("*.md"), DOCS.parent / "README.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_glossary_points_to_existing_code() -> None:
    named = re.findall(r"`([\w/]+\.py)`", (DOCS / "glossary.md").read_text(encoding="utf-8"))
    assert named and all((DOCS.parent / path).is_file() for path in named)


@pytest.mark.parametrize("guide", GUIDES)
def test_a_page_can_be_copied_alone(guide: str) -> None:
    """Every name that a page's Python blocks use is defined or imported on that page, in an earlier block at most."""
    blocks = BLOCK.findall((DOCS / guide).read_text(encoding="utf-8"))
    assert _undefined("\n".join(block for language, block in blocks if language == "python")) == ""


def test_names_of_other_pages_are_found() -> None:
    assert "`Path`" in _undefined("print(Path('a'))\n")


def _undefined(code: str) -> str:
    """What ruff says of undefined names in ``code``."""
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821", "--quiet", "-"]
    done = subprocess.run(command, input=code, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


@pytest.mark.long
def test_every_example_runs(tmp_path: Path) -> None:
    """All blocks of all guides, shell and Python, in one folder; Python blocks share their names."""
    _measured(tmp_path)
    shims = tmp_path / "bin"
    shims.mkdir()
    _shim(shims / "fgcosim", f'exec "{sys.executable}" -W ignore -m cosim.cli "$@"')
    _shim(shims / "python", f'exec "{sys.executable}" -W ignore "$@"')
    _shim(shims / "dask", f'exec "{sys.executable}" -W ignore -m dask "$@"')
    path = f"{shims}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "FGCOSIM_NGSPICE": find_ngspice().path}  # as scripts/activate sets them
    python = ""
    for guide in GUIDES:
        for language, block in BLOCK.findall((DOCS / guide).read_text(encoding="utf-8")):
            python += block if language == "python" else ""
            command = ["bash", "-euc", block] if language == "bash" else [sys.executable, "-W", "ignore", "-c", python]
            done = subprocess.run(
                command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=900, check=False
            )
            assert done.returncode == 0, f"{guide}:\n{block}\n{done.stderr[-2000:]}"


def _shim(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
    path.chmod(0o755)


def _measured(folder: Path) -> None:
    """Two measurement files of one array, as the guide's ``measured.csv`` and ``other.csv``."""
    import numpy as np
    import torch

    from surrogate.model import charges
    from surrogate.parameters import start_values, unflatten

    state = torch.from_numpy(np.random.default_rng(3).uniform(-4, 1, (1, 5, 3)))
    for name, seed in (("measured.csv", 1), ("other.csv", 2)):
        duration = np.random.default_rng(seed).integers(0, 256, (30, 5)) / 255
        charge = charges(unflatten(start_values()), state, torch.from_numpy(duration)).numpy()
        save_measurements(duration * 1e-6, charge * 1e-13, folder / name)
