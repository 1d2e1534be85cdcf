"""The library of fused kernels (kernels/): built where a C++ compiler is, by ``python -m surrogate.fast.library``.

Imports nothing but the standard library, so that the set-up can ask for it at no cost.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

SOURCES = Path(__file__).with_name("kernels")
FLAGS = ("-O3", "-march=native", "-std=c++17", "-fPIC", "-shared")
MATHS = ("-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros", "-fassociative-math")


def library_path() -> Path:
    """Where the built kernels are kept: per user, by a hash of source, flags and processor."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fgcosim"
    text = b"".join(path.read_bytes() for path in sorted(SOURCES.iterdir()))
    key = hashlib.sha256(text + repr((FLAGS, MATHS, _processor())).encode()).hexdigest()[:16]
    return folder / f"kernels-{key}.so"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def build() -> Path | None:
    """Compile the kernels unless that is done. Returns the library, or None where no compiler works."""
    path = library_path()
    if path.is_file():
        return path
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    if not compiler:
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}")
    sources = sorted(map(str, SOURCES.glob("*.cpp")))
    done = subprocess.run([compiler, *FLAGS, *MATHS, "-o", str(part), *sources], capture_output=True, text=True)
    if done.returncode != 0:
        print(f"{SOURCES.name}: not built by {compiler}: {done.stderr.strip()[:300]}", file=sys.stderr)
        part.unlink(missing_ok=True)
        return None
    part.replace(path)
    return path


@cache
def library() -> ctypes.CDLL | None:
    """The built kernels, or None. They are not built here: that is the set-up's work."""
    path = library_path()
    try:
        return ctypes.CDLL(str(path))
    except OSError:
        return None


if __name__ == "__main__":
    built = build()
    print(f"fused kernels: {built}" if built else "no working C++ compiler: the fast engine takes its slower path")
