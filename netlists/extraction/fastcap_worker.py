"""One run of FastCap2 in a process of its own: ``python -m netlists.extraction.fastcap_worker PARENT IN.npz OUT.npy``.

It ends with the process PARENT.

IN.npz holds ``corners`` [n, 4, 3] in micrometres, ``owner`` [n], ``names``, ``driven`` (names), ``permittivity``,
``order`` and ``tolerance``. OUT.npy gets the capacitance matrix [names, names] in farad, columns of undriven
terminals 0. Exit status 3: FastCap2 is not installed.
"""

from __future__ import annotations

import resource
import sys

import numpy as np

from netlists.orphans import end_with_parent

MISSING = 3
"""Exit status where FastCap2 cannot be imported."""
MAX_MEMORY_BYTES = 8_000_000_000


def main(parent: str, source: str, target: str) -> int:
    """Solve ``source`` into ``target`` for the process ``parent``; returns the exit status."""
    end_with_parent(int(parent))
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    try:
        import fastcap2
    except ImportError as error:
        print(error, file=sys.stderr)
        return MISSING
    with np.load(source, allow_pickle=False) as data:
        corners, owner = data["corners"], data["owner"]
        names, driven = [str(x) for x in data["names"]], {str(x) for x in data["driven"]}
        problem = fastcap2.Problem()
        problem.verbose = False
        problem.expansion_order = int(data["order"])
        problem.iter_tol = float(data["tolerance"])
        permittivity = float(data["permittivity"])
    for k, name in enumerate(names):
        surface = fastcap2.Surface(name)
        for quad in corners[owner == k].tolist():
            surface.add_quad(*(tuple(point) for point in quad))
        problem.add(surface, group="g", outside_perm=permittivity)
    undriven = [f"{name}%g" for name in names if name not in driven]
    if undriven:
        problem.skip_conductors = undriven
    matrix = np.asarray(problem.solve(), dtype=np.float64)
    found = [name.split("%")[0] for name in problem.conductors()]
    order = [found.index(name) for name in names]
    np.save(target, matrix[np.ix_(order, order)] * 1e-6)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
