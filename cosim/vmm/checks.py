"""Checks of every ngspice run: it is whole, its charges agree with each other, and nothing came from nowhere."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cosim.spice.ngspice import RunFailure

Array = NDArray[np.float64]

MAX_FLOATING_GATE_RETURN_V = 1e-4
"""A floating gate keeps its charge, so it ends where it started."""
MAX_INTEGRATOR_ERROR = 5e-3
"""Between a charge from the cells' currents and from the integrator behind the clamp, over the largest charge."""
MAX_CHARGE_IMBALANCE = 1e-4
"""Between charge delivered and received, over all that flowed."""
MAX_ENERGY_IMBALANCE = 1e-2
"""Of the energy below zero or above its limit, over the limit."""
LEAST_CHARGE = 1e-15
"""Charges below this, C, are rounding."""


def table_of(vectors: Mapping[str, Array], names: list[str], t_stop: float) -> tuple[Array, Array]:
    """Time [t] and the vectors ``names`` [n, t] of a run that reached ``t_stop`` s.

    Raises :class:`RunFailure` where a vector is missing, a value is not finite or the last time point is not reached.
    """
    missing = [name for name in ("time", *names) if name not in vectors]
    if missing:
        raise RunFailure(f"gave no vector {missing[0]}")
    time, table = vectors["time"], np.stack([vectors[name] for name in names])
    if not (np.isfinite(time).all() and np.isfinite(table).all()):
        raise RunFailure("gave values that are not finite")
    if time[-1] < t_stop * (1 - 1e-9):
        raise RunFailure(f"stopped at {time[-1]:.4g} s of {t_stop:.4g} s")
    return time, table


def check_integrators(charge: Array, integrated: Array, whole: Array) -> None:
    """Raise :class:`RunFailure` unless ``charge`` and ``integrated`` [M] C agree, measured by the ``whole`` charges of
    which they may be a part."""
    error = float(np.abs(charge - integrated).max())
    scale = float(np.abs(whole).max()) + LEAST_CHARGE
    if error > MAX_INTEGRATOR_ERROR * scale:
        raise RunFailure(f"integrator and cell currents differ by {error / scale:.1%}")


def check_gates(gates: Array, stored: Array) -> float:
    """Largest difference between the last and the first of voltages [n, t] of floating gates, V.

    Raises :class:`RunFailure` where one did not start at the voltage of its ``stored`` [n] V charge or did not return.
    """
    away = float(np.abs(gates[:, 0] - stored).max()) if len(gates) else 0.0
    if away > MAX_FLOATING_GATE_RETURN_V:
        raise RunFailure(f"a floating gate started {away:.2g} V away from its stored charge's voltage")
    returned = float(np.abs(gates[:, -1] - gates[:, 0]).max()) if len(gates) else 0.0
    if returned > MAX_FLOATING_GATE_RETURN_V:
        raise RunFailure(f"a floating gate ended {returned:.2g} V away from its start")
    return returned


def check_balance(time: Array, delivered: Array, received: Array, energy: float, volts: float) -> None:
    """Raise :class:`RunFailure` unless charge and energy balance over a run that ends as it began.

    ``delivered`` [c, t] and ``received`` [r, t] are currents in A out of and into ideal sources between which at most
    ``volts`` lie; ``energy`` is what these sources gave. Nothing is stored in the end, so charges must be equal, and
    energy has become heat: positive, and no more than all charge falling through ``volts``. Backward Euler moves
    exactly the current at the end of a step times the step, so charges are summed in this way.
    """
    step = np.diff(time)
    flow = float((np.abs(delivered).sum(axis=0) + np.abs(received).sum(axis=0))[1:] @ step) / 2 + LEAST_CHARGE
    lost = float((delivered.sum(axis=0) - received.sum(axis=0))[1:] @ step)
    if abs(lost) > MAX_CHARGE_IMBALANCE * flow:
        raise RunFailure(f"charge does not balance: {lost:.3g} C of {flow:.3g} C are lost")
    if not -MAX_ENERGY_IMBALANCE * flow * volts <= energy <= (1 + MAX_ENERGY_IMBALANCE) * flow * volts:
        raise RunFailure(f"energy does not balance: {energy:.3g} J, at most {flow * volts:.3g} J can become heat")
