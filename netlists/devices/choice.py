"""The device of a cell, whichever of the three kinds it is."""

from __future__ import annotations

from netlists.design import MosCell
from netlists.devices.device import Device
from netlists.devices.foundry import foundry_device
from netlists.devices.generic import generic_device
from netlists.devices.sky130 import sky130_device


def device_of(cell: MosCell) -> Device:
    """The transistor of ``cell``.

    Raises :class:`~netlists.errors.InputError` where its model's file or package is missing, has changed or is refused.
    """
    if cell.model is not None:
        return foundry_device(cell.model, cell.channel, cell.width, cell.length)
    if cell.device == "generic":
        return generic_device(cell.channel, cell.width, cell.length, cell.corner)
    return sky130_device(cell.device, cell.channel, cell.width, cell.length, cell.corner)
