"""Any torch network on floating-gate arrays: convert it, calibrate it, train it, deploy it, and convert it back."""

from surrogate.analog.calibrate import calibrate, calibrate_outputs, calibrate_ranges, deploy
from surrogate.analog.convert import analog_layers, convert, to_digital
from surrogate.analog.layers import AnalogConv, AnalogLayer, AnalogLinear
from surrogate.analog.mapping import LayerSettings, Mapping
from surrogate.analog.ordering import order_rows
from surrogate.analog.quantised import quantised, unquantised
from surrogate.analog.tiling import Tiling, summary

__all__ = [
    "AnalogConv",
    "AnalogLayer",
    "AnalogLinear",
    "LayerSettings",
    "Mapping",
    "Tiling",
    "analog_layers",
    "calibrate",
    "calibrate_outputs",
    "calibrate_ranges",
    "convert",
    "deploy",
    "order_rows",
    "quantised",
    "summary",
    "to_digital",
    "unquantised",
]
