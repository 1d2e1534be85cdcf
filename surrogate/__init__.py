"""The time-slot surrogate: model, fit, torch layers and training. It sees arrays, never a netlist or simulator."""
