"""The time-slot surrogate: model, fit, torch layers and training. Sees arrays of numbers, never a netlist or simulator."""
