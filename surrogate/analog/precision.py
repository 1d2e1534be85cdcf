"""Arrays are computed in the precision of their layers' weights, whatever is mixed around them."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch


def exact(device: torch.device) -> AbstractContextManager[Any]:
    """Within this context ``torch.autocast`` is off on ``device``."""
    available = torch.amp.is_autocast_available(device.type)
    return torch.autocast(device.type, enabled=False) if available else nullcontext()


def is_mixed(device: torch.device) -> bool:
    """Whether ``torch.autocast`` is on on ``device``."""
    return torch.amp.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type)
