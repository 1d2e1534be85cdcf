"""Sizes are checked before memory is taken: what unfolds to gigabytes is refused in a process that has one to spare."""

import json
import os
import subprocess
import sys
from pathlib import Path

LONGEST_S = 10
"""For one file, on a busy machine."""


def test_small_files_that_would_become_large_are_refused(tmp_path):
    path = os.pathsep.join(str(folder) for folder in Path(__file__).parents[1:3])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(Path(__file__).with_name("bombs.py")), str(tmp_path)],
        capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    tried = json.loads(done.stdout)
    assert len(tried) > 40
    for one in tried:
        assert one["ended"].startswith(("refused", "InputError: ")), one
        assert one["seconds"] < LONGEST_S, one
