"""Scripts of the checkout: what `scripts/activate` gives a shell, and help that comes before any work."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
SHOW = 'printf "%s\\n" "$(command -v fgcosim)" "${FGCOSIM_NGSPICE-none}" "$PATH"'


def program(path: Path) -> Path:
    """An empty program at ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with ``scripts/activate``, an environment and an ngspice of its own; nothing in them works."""
    root = tmp_path / "a checkout"
    for name in (".venv/bin/fgcosim", ".tools/ngspice-klu/bin/ngspice"):
        program(root / name)
    (root / "scripts").mkdir()
    shutil.copy(SCRIPTS / "activate", root / "scripts")
    return root


def shell(checkout: Path, command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """``command`` in a bash with a bare environment, in a folder beside the checkout."""
    environment = {"PATH": os.defpath, **variables}
    bash = shutil.which("bash") or "bash"
    return subprocess.run(
        [bash, "-uc", command], cwd=checkout.parent, env=environment, capture_output=True, text=True, check=False
    )


def test_a_shell_gets_the_checkouts_programs(checkout: Path) -> None:
    once = "source 'a checkout/scripts/activate'"
    done = shell(checkout, f"{once} && {once} && {SHOW}")
    assert done.returncode == 0, done.stderr
    assert shell(checkout, f"{once} && {SHOW}", CDPATH=f".:{checkout}").stdout == done.stdout
    folder = checkout / ".venv/bin"
    assert done.stdout.splitlines() == [
        str(folder / "fgcosim"), str(checkout / ".tools/ngspice-klu/bin/ngspice"), f"{folder}:{os.defpath}",
    ]  # fmt: skip


def test_another_ngspice_is_kept_and_the_systems_is_found(checkout: Path) -> None:
    given = shell(checkout, f"source 'a checkout/scripts/activate' && {SHOW}", FGCOSIM_NGSPICE="/mine")
    assert given.stdout.splitlines()[1] == "/mine"
    shutil.rmtree(checkout / ".tools")
    system = program(checkout.parent / "bin/ngspice")
    path = f"{system.parent}:{os.defpath}"
    found = shell(checkout, f"source 'a checkout/scripts/activate' && {SHOW}", PATH=path)
    assert found.stdout.splitlines()[1] == str(system)


def test_a_checkout_that_is_not_set_up_says_so_and_leaves_the_shell_alone(checkout: Path) -> None:
    shutil.rmtree(checkout / ".venv")
    done = shell(checkout, f"source 'a checkout/scripts/activate'; echo $?; {SHOW}")
    assert "not set up: run bash scripts/setup.sh" in done.stderr and done.stderr.count("\n") == 1
    assert done.stdout.splitlines() == ["2", "", "none", os.defpath]
    started = shell(checkout, "bash 'a checkout/scripts/activate'")
    assert started.returncode == 2 and "source scripts/activate" in started.stderr


@pytest.mark.parametrize("name", ["demo", "test", "study_spacing"])
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_sets_up_nothing(tmp_path: Path, name: str, option: str) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/setup.sh").write_text("touch set-up; return 1\n", encoding="utf-8")
    for part in (name, "help.sh"):
        shutil.copy(SCRIPTS / part, tmp_path / "scripts")
    command = ["bash", f"scripts/{name}", option]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and f"scripts/{name}" in done.stdout and "#" not in done.stdout
    assert not (tmp_path / "set-up").exists() and not (tmp_path / "runs").exists()


def test_readmes_writer_tells_its_folders() -> None:
    command = [sys.executable, str(SCRIPTS / "readme"), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "runs/demo" in done.stdout and "runs/reproduction" in done.stdout
