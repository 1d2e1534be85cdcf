"""Hardware recipes: one file that says how weights, inputs and outputs meet arrays, and what is wrong with them."""

from surrogate.hardware.files import load_hardware, parse_hardware
from surrogate.hardware.recipe import Hardware

__all__ = ["Hardware", "load_hardware", "parse_hardware"]
